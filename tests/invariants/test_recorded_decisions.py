"""Invariants 4 and 7: what `journal verify` believes of a recorded approval is the reviewer's signature.

The thief here has the journal's key and writes whatever he likes in the log's own form. Only the reviewers' keys
he does not have.
"""

import asyncio
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest
from journals import ORIGIN, SESSION, exchange_id, request, response
from reviewing import ALICE, BOB, SigningKey

from gatekeeper.exchange import Digest, Instant, Seq, canonical_json, now
from gatekeeper.journal import (
    Data,
    DecisionData,
    Draft,
    HoldData,
    Journal,
    Opening,
    ReleaseData,
    Report,
    RequirementData,
    verify_journal,
)
from gatekeeper.journal.statement import Answer, Scope, Statement

DIGEST = Digest("d" * 64)


@pytest.fixture(scope="module")
def keys(tmp_path_factory: pytest.TempPathFactory) -> dict[str, SigningKey]:
    folder = tmp_path_factory.mktemp("reviewers")
    made = {name: SigningKey.make(folder, name) for name in (ALICE, BOB)}
    return made | {"rsa": SigningKey.make(folder, "rsa", "rsa", "-b", "2048")}


def signers(keys: dict[str, SigningKey], options: str = 'namespaces="gatekeeper-approval"') -> str:
    lines = [f"{name} {options} {keys[name].public}" for name in (ALICE, BOB)]
    return "\n".join([*lines, f"{ALICE} {options} {keys['rsa'].public}", ""])


class Forge:
    """Writes one held exchange, each part as the caller likes it."""

    def __init__(self, folder: Path, keys: dict[str, SigningKey], signers: str) -> None:
        self.folder, self.keys, self.signers = folder, keys, signers

    def written(self, *decisions: tuple[str, str], **says: object) -> Report:
        """Write a hold that asks two, with decisions by (reviewer, key), and verify it."""
        return self.verified([self.decision(reviewer, key, **says) for reviewer, key in decisions])

    def verified(self, decisions: list[DecisionData]) -> Report:
        asyncio.run(self._write(decisions))
        return verify_journal(self.folder / "journal")

    def decision(self, by: str, key: str, namespace: str = "gatekeeper-approval", **says: object) -> DecisionData:
        stated = Statement(
            approval="apr-1",
            digest=DIGEST,
            origin=ORIGIN,
            reason="looks right",
            request="",
            reviewer=by,
            scope=Scope.ONCE,
            time=now(),
            v=1,
            verdict=Answer.APPROVE,
        )
        text = canonical_json(msgspec.structs.replace(stated, **{"request": self.leaf(), **says}))
        return DecisionData(
            approval="apr-1",
            reviewer=by,
            statement=text.decode(),
            signature=self.keys[key].sign(text, namespace),
        )

    def leaf(self) -> str:
        """Give the leaf hash of the request, which does not depend on anything but a clock that stands still."""
        if not hasattr(self, "_leaf"):
            self._leaf = asyncio.run(self._write([], probe=True))
        return self._leaf

    async def _write(self, decisions: list[DecisionData], *, probe: bool = False) -> str:
        folder = self.folder / "probe" if probe else self.folder
        opening = Opening(version="1", config_text="", signers=self.signers)
        journal = Journal.open(folder / "journal", folder / "keys", ORIGIN, opening, lambda: CLOCK)
        first = request(1, "hold", body=b"")
        held = msgspec.structs.replace(first, data=msgspec.structs.replace(first.data, digest=DIGEST))
        receipt = await journal.submit(held)
        await journal.submit(_of(_hold()))
        seqs: list[Seq] = [(await journal.submit(Draft(data=decision))).seq for decision in decisions]
        if decisions:
            await journal.submit(_of(ReleaseData(digest=DIGEST, approval="apr-1", decisions=tuple(seqs))))
            await journal.submit(response(1))
        await journal.close()
        return receipt.leaf


CLOCK = Instant(now() // 1_000_000 * 1_000_000)


def _of(data: Data) -> Draft:
    return Draft(data=data, exchange=exchange_id(1), session=SESSION)


def _hold() -> HoldData:
    return HoldData(
        approval="apr-1",
        of="request",
        rule="r",
        require=(RequirementData((ALICE, BOB), 2),),
        excluded=None,
        expires=CLOCK + 60_000_000,
        digest=DIGEST,
    )


@pytest.fixture
def forge(tmp_path: Path, keys: dict[str, SigningKey]) -> Iterator[Forge]:
    return Forge(tmp_path, keys, signers(keys))


def test_two_reviewers_who_signed_are_believed(forge: Forge) -> None:
    report = forge.written((ALICE, ALICE), (BOB, BOB))
    assert report.ok, report


def test_any_key_type_that_the_list_names_is_believed(forge: Forge) -> None:
    report = forge.written((ALICE, "rsa"), (BOB, BOB))
    assert report.ok, report


@pytest.mark.parametrize(
    "decisions",
    [
        [(ALICE, ALICE)],
        [(ALICE, ALICE), (ALICE, ALICE)],
        [(ALICE, ALICE), (ALICE, "rsa")],
        [(ALICE, ALICE), (BOB, ALICE)],
        [(ALICE, BOB), (BOB, BOB)],
        [(ALICE, ALICE), (BOB, "rsa")],
    ],
)
def test_fewer_are_not(forge: Forge, decisions: list[tuple[str, str]]) -> None:
    report = forge.written(*decisions)
    assert not report.ok
    assert report.first_bad in {3, 4, 5}


@pytest.mark.parametrize(
    "says",
    [
        {"origin": "other.example"},
        {"request": "0" * 64},
        {"digest": Digest("e" * 64)},
        {"approval": "apr-2"},
        {"scope": Scope.GRANT},
        {"verdict": Answer.DENY},
        {"reviewer": "carol@example.com"},
    ],
)
def test_a_statement_about_anything_else_is_not(forge: Forge, says: dict[str, object]) -> None:
    report = forge.verified([forge.decision(ALICE, ALICE), forge.decision(BOB, BOB, **says)])
    assert not report.ok


def test_a_signature_for_another_purpose_is_not(forge: Forge) -> None:
    report = forge.verified([forge.decision(ALICE, ALICE), forge.decision(BOB, BOB, namespace="git")])
    assert not report.ok
    assert report.first_bad == 4


def test_a_statement_that_was_changed_after_it_was_signed_is_not(forge: Forge) -> None:
    good, bad = forge.decision(ALICE, ALICE), forge.decision(BOB, BOB)
    changed = msgspec.structs.replace(bad, statement=bad.statement.replace("looks right", "looks wrong"))
    report = forge.verified([good, changed])
    assert not report.ok
    assert report.first_bad == 4


def test_a_key_outside_its_time_is_not(tmp_path: Path, keys: dict[str, SigningKey]) -> None:
    over = signers(keys, 'namespaces="gatekeeper-approval",valid-before="20200101"')
    report = Forge(tmp_path, keys, over).written((ALICE, ALICE), (BOB, BOB))
    assert not report.ok
    assert "not signed by a key" in (report.problem or "")


@pytest.mark.parametrize("reviewer", ["-f/etc/passwd", "alice\0", "alice\nbob", ""])
def test_a_name_that_could_be_misread_gets_a_report(forge: Forge, reviewer: str) -> None:
    report = forge.verified([forge.decision(reviewer, ALICE), forge.decision(BOB, BOB)])
    assert not report.ok
    assert report.first_bad == 3


def test_without_ssh_keygen_nothing_is_verified(forge: Forge, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    decisions = [forge.decision(ALICE, ALICE), forge.decision(BOB, BOB)]
    monkeypatch.setenv("PATH", str(tmp_path))
    report = forge.verified(decisions)
    assert not report.ok
    assert "ssh-keygen" in (report.problem or "")
