import base64

import pytest

from addons.identity import claimed_subject


def basic(text: str) -> str:
    return f"Basic {base64.b64encode(text.encode()).decode()}"


def test_the_user_of_basic_credentials_is_a_claim() -> None:
    assert claimed_subject([basic("billing-bot:token")]) == "billing-bot"


@pytest.mark.parametrize(
    "values",
    [[], ["Bearer abc"], ["Basic !!!"], [basic("a.b.c:x")], [basic("bell\x07:x")], [basic("né:x")], ["Basic /w=="]],
)
def test_anything_else_claims_nothing_and_a_token_is_never_repeated(values: list[str]) -> None:
    assert claimed_subject(values) is None


def test_a_long_claim_is_cut() -> None:
    assert claimed_subject([basic("x" * 500 + ":t")]) == "x" * 64
