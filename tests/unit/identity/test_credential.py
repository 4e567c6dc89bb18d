import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gatekeeper.exchange import Reason
from gatekeeper.identity import Credential, IdentityError, read_proxy_credential

TOKEN = "aaaa.bbbb.cc_-"


def basic(text: str | bytes) -> str:
    return "Basic " + base64.b64encode(text if isinstance(text, bytes) else text.encode()).decode()


@pytest.mark.parametrize(
    "values",
    [
        [f"Bearer {TOKEN}"],
        [f"bearer {TOKEN}"],
        [f"BEARER   {TOKEN} "],
        [basic(f"workload:{TOKEN}")],
        [basic(f":{TOKEN}")],
        [basic(f"héloïse:{TOKEN}")],
        [basic(f"workload:{TOKEN}").replace("Basic", "basic")],
        [f"Bearer {TOKEN}", f"Bearer {TOKEN}"],
        [f"Bearer {TOKEN}", basic(f"workload:{TOKEN}")],
    ],
)
def test_reads_the_token(values: list[str]) -> None:
    assert read_proxy_credential(values) == TOKEN


def test_no_field_is_no_credential() -> None:
    assert read_proxy_credential([]) is None


@pytest.mark.parametrize(
    "values",
    [
        [f"Bearer {TOKEN}", f"Bearer {TOKEN}x"],
        [f"Bearer {TOKEN}", basic(f"workload:{TOKEN}x")],
    ],
)
def test_two_that_differ_are_refused(values: list[str]) -> None:
    with pytest.raises(IdentityError) as caught:
        read_proxy_credential(values)
    assert caught.value.reason is Reason.TWO_CREDENTIALS
    assert TOKEN not in str(caught.value)


@pytest.mark.parametrize(
    "value",
    [
        "",
        "Bearer",
        "Bearer ",
        TOKEN,
        f"Bearer {TOKEN} {TOKEN}",
        f"Bearer {TOKEN}, Bearer {TOKEN}",
        f"Bearer\t{TOKEN}",
        f"Bearer {TOKEN}\0",
        f"Bearer {TOKEN}\r\nX: y",
        f"Bearer {TOKEN}é",
        f"Digest {TOKEN}",
        f"Negotiate {TOKEN}",
        "Basic !!!!",
        "Basic YWFh=YQ",
        basic(f"workload:{TOKEN}").replace(" d2", " d~2"),
        basic("no colon"),
        basic("workload:"),
        basic(f"workload:{TOKEN}:x"),
        basic(f"workload:{TOKEN}\n"),
        basic(b"workload:\xff\xfe"),
        basic(f"workload:{TOKEN}é"),
        basic("workload:" + "x" * 40_000),
        "Bearer " + "x" * 40_000,
    ],
)
def test_what_can_not_be_read_is_refused(value: str) -> None:
    with pytest.raises(IdentityError) as caught:
        read_proxy_credential([value])
    assert caught.value.reason is Reason.BAD_TOKEN


@given(st.lists(st.text() | st.binary().map(basic), max_size=3))
def test_anything_is_read_or_refused(values: list[str]) -> None:
    try:
        token = read_proxy_credential(values)
    except IdentityError:
        return
    assert token is None or token.isascii()


def test_a_credential_does_not_show_its_token() -> None:
    assert TOKEN not in f"{Credential(TOKEN)} {Credential(TOKEN)!r} {[Credential(TOKEN)]}"
