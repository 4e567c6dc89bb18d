from collections.abc import Callable
from types import ModuleType

import pytest
from mitmproxy.proxy import mode_servers
from mitmproxy.proxy.layers import http, tls

from gatekeeper.gateway import connection, streams
from gatekeeper.gateway import tls as gateway_tls
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


@pytest.mark.parametrize(
    ("install", "module", "name"),
    [
        (connection.install, mode_servers, "ProxyConnectionHandler"),
        (gateway_tls.install, tls, "ServerTLSLayer"),
        (lambda: streams.install(1), http, "HttpStream"),
    ],
)
def test_a_gateway_does_not_start_where_mitmproxy_lacks_a_name(
    install: Callable[[], None], module: ModuleType, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delattr(module, name)
    with pytest.raises(RuntimeError, match=name):
        install()
