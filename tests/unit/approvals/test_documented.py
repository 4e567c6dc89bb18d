"""docs/approvals.md says what the code does: its lists and its worked example are taken from the page itself."""

import asyncio
import hashlib
import hmac
import re
from pathlib import Path

from gatekeeper.approvals.keygen import Keygen
from gatekeeper.approvals.lifecycle import State
from gatekeeper.exchange import DigestKey, Instant, Subject, request_digest
from gatekeeper.exchange.digest import CREDENTIAL, HOP_BY_HOP, LEFT_OUT, VOLATILE
from gatekeeper.journal.statement import Statement, parse_statement

PAGE = (Path(__file__).parents[3] / "docs" / "approvals.md").read_text()


def block(name: str) -> str:
    """A fenced block by the word after its language."""
    found = re.search(rf"^```\w+ {name}\n(.*?)\n```$", PAGE, re.MULTILINE | re.DOTALL)
    assert found is not None, name
    return found[1]


def fields(row: str) -> set[str]:
    found = re.search(rf"^\| {row}[^|]*\|([^|]*)\|$", PAGE, re.MULTILINE)
    assert found is not None, row
    return set(re.findall(r"`([^`]+)`", found[1]))


def test_the_fields_that_are_left_out_are_listed() -> None:
    rows = fields("hop by hop"), fields("credentials"), fields("dates")
    assert rows == (HOP_BY_HOP, CREDENTIAL, VOLATILE)
    assert frozenset().union(*rows) == LEFT_OUT


def test_the_example_s_digest_is_computed() -> None:
    subject = Subject(iss="https://gatekeeper.local", sub="support-bot", token="0" * 64, expires=Instant(0))
    found = re.search(r"the body was\n`(.*)`:", PAGE)
    assert found is not None
    body = found[1].encode()
    headers = (
        ("Host", "payments.example.com"),
        ("Content-Type", "application/json"),
        ("Content-Length", str(len(body))),
        ("Authorization", "Bearer made-up"),
        ("X-Request-Id", "7"),
    )
    url = "https://payments.example.com/v1/refunds"
    digest = request_digest(
        DigestKey(bytes(range(32))), subject, "refunds need a finance lead", "post", url, headers, body
    )
    assert digest == block("digest")


def test_the_example_s_digest_is_over_the_text_that_is_shown() -> None:
    assert hmac.new(bytes(range(32)), block("digested").encode(), hashlib.sha256).hexdigest() == block("digest")


def test_the_example_s_statement_is_read_and_its_signature_good() -> None:
    statement = parse_statement(block("statement").encode())
    assert statement.digest == block("digest")
    signers = f"{block('allowed_signers')}\n"

    async def verify() -> None:
        check = Keygen(signers)
        await check(block("statement"), f"{block('signature')}\n", statement.reviewer, statement.time)
        check.close()

    asyncio.run(verify())


def test_all_keys_of_a_statement_and_all_states_are_explained() -> None:
    section = PAGE[PAGE.index("## Statement") : PAGE.index("## What is checked")]
    explained = set(re.findall(r"^\| `(\w+)` \|", section, re.MULTILINE))
    assert explained == set(Statement.__struct_fields__)
    for state in State:
        assert f"`{state.value}`" in PAGE
