import pytest

from gatekeeper.config import ConfigError, MaskingConfig, OperatorConfig, OperatorName, RequestMasking
from gatekeeper.masking import Masker
from gatekeeper.masking.operators import Operators

KEY = b"a key for tests"


def mask(keep_first: int = 0, keep_last: int = 0, character: str = "*") -> OperatorConfig:
    return OperatorConfig(operator=OperatorName.MASK, keep_first=keep_first, keep_last=keep_last, character=character)


@pytest.mark.parametrize(
    ("operator", "result"),
    [
        ("replace", "<CREDIT_CARD>"),
        ("redact", ""),
        ("keep", None),
        ("mask", "****************"),
        (mask(keep_last=4), "************1111"),
        (mask(keep_first=2, keep_last=4, character="#"), "41##########1111"),
        (mask(keep_first=16), "****************"),
        (mask(keep_first=8, keep_last=9), "****************"),
        (OperatorConfig(operator=OperatorName.REDACT), ""),
    ],
)
def test_an_operator_gives_what_stands_instead(operator: str | OperatorConfig, result: str | None) -> None:
    assert Operators({"CREDIT_CARD": operator}, KEY).apply("CREDIT_CARD", "4111111111111111") == result


def test_a_hash_is_keyed_and_names_the_entity() -> None:
    one, other = (Operators({"default": "hash"}, key) for key in (KEY, b"another"))

    assert one.apply("US_SSN", "536-90-4399") == one.apply("US_SSN", "536-90-4399")
    assert one.apply("US_SSN", "536-90-4399") != one.apply("US_SSN", "536-90-4398")
    assert one.apply("US_SSN", "536-90-4399") != other.apply("US_SSN", "536-90-4399")
    assert str(one.apply("US_SSN", "536-90-4399")).startswith("<US_SSN:")
    assert len(str(one.apply("US_SSN", "536-90-4399"))) == len("<US_SSN:1a2b3c4d5e6f>")


def test_the_default_covers_the_rest_and_is_replace_where_absent() -> None:
    assert Operators({"US_SSN": "keep", "default": "redact"}, KEY).apply("EMAIL_ADDRESS", "x") == ""
    assert Operators({"US_SSN": "keep"}, KEY).apply("EMAIL_ADDRESS", "x") == "<EMAIL_ADDRESS>"


def test_what_is_recorded_is_never_kept() -> None:
    recorded = Operators.recorded({"US_SSN": "keep", "default": "keep", "UK_NHS": "redact"}, KEY)

    assert recorded.apply("US_SSN", "x") == "<US_SSN>"
    assert recorded.apply("EMAIL_ADDRESS", "x") == "<EMAIL_ADDRESS>"
    assert recorded.apply("UK_NHS", "x") == ""
    assert not recorded.keeps


def test_a_detector_that_is_not_there_is_named_with_its_key() -> None:
    with pytest.raises(ConfigError, match=r"^masking\.response\.FOO: no detector has this name$"):
        Masker(MaskingConfig(response={"FOO": "replace"}), KEY)
    with pytest.raises(ConfigError, match=r"^masking.request.upstream.FOO: no detector"):
        Masker(MaskingConfig(request=RequestMasking(upstream={"FOO": "hash"})), KEY)


def test_the_masker_names_its_detectors_and_shows_no_key() -> None:
    masker = Masker(MaskingConfig(), KEY)

    assert "EMAIL_ADDRESS" in masker.detector_names
    assert repr(masker) == "Masker(‹secret›)"
