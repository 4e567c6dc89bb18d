from types import ModuleType

import pytest

from gatekeeper.gateway.replace import replace


def test_a_name_that_is_missing_is_an_error_and_nothing_is_changed() -> None:
    module = ModuleType("somewhere")
    module.known = 1  # type: ignore[attr-defined]
    with pytest.raises(RuntimeError, match=r"no somewhere\.unknown"):
        replace(module, known=2, unknown=3)
    assert vars(module)["known"] == 1


def test_names_are_replaced() -> None:
    module = ModuleType("somewhere")
    module.known = 1  # type: ignore[attr-defined]
    replace(module, known=2)
    assert vars(module)["known"] == 2
