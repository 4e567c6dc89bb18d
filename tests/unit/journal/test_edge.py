import asyncio
import shutil
from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from journals import OPENING, ORIGIN, chunk, error, refused, request, response, typical, write_journal

from gatekeeper.exchange import Seq, canonical_json
from gatekeeper.journal import Draft, Journal, MessageData, Reader, TruncatedData, recovery, verify_journal
from gatekeeper.journal.draft import encode_draft
from gatekeeper.journal.edge import read_edge
from gatekeeper.journal.exchanges import Exchanges, GrammarError
from gatekeeper.journal.files import JournalFiles, KeyFiles
from gatekeeper.journal.keys import load_signing_key
from gatekeeper.journal.leaf import join_leaf
from gatekeeper.journal.left_open import LeftOpen

BEFORE = [*typical(), request(11), request(12), chunk(12, 0), request(13)]
AFTER = [response(11), chunk(12, 1), request(14), request(15), error(15)]
OPEN = [(12, 2), (13, 0), (14, 0)]


@pytest.fixture
def crashed(tmp_path: Path) -> Path:
    """Give a folder as a crash leaves it, some entries after a checkpoint was anchored."""

    async def run() -> None:
        journal = Journal.open(tmp_path / "live" / "journal", tmp_path / "live" / "keys", ORIGIN, OPENING)
        for draft in BEFORE:
            await journal.submit(draft)
        await journal.anchor()
        for draft in AFTER:
            await journal.submit(draft)
        shutil.copytree(tmp_path / "live", tmp_path / "crashed")
        await journal.close()

    asyncio.run(run())
    return tmp_path / "crashed"


def truncations(folder: Path) -> list[tuple[str | None, int]]:
    write_journal(folder, [])
    assert verify_journal(folder / "journal").ok
    with Reader(folder / "journal", None) as reader:
        entries = list(reader.entries(0, reader.size))
    return [(entry.exchange, entry.data.chunks) for entry in entries if isinstance(entry.data, TruncatedData)]


def looked_through(*_: object) -> LeftOpen:
    msg = "the whole run was looked through"
    raise AssertionError(msg)


def test_after_a_crash_only_what_came_after_the_last_anchor_is_looked_at(
    crashed: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    edge = read_edge(JournalFiles(crashed / "journal").edge, load_signing_key(KeyFiles(crashed / "keys").signing))
    assert edge is not None
    assert 1 < edge.frontier.size <= 1 + len(BEFORE)
    monkeypatch.setattr(recovery, "_left_open", looked_through)
    assert truncations(crashed) == [(request(number).exchange, chunks) for number, chunks in OPEN]


def unsigned(path: Path) -> None:
    path.write_bytes(path.read_bytes().replace(b'"open":{', b'"open":{"x":["y",0],'))


def of_another_log(path: Path) -> None:
    other = path.parent.parent.parent / "other"
    write_journal(other, typical())
    shutil.copy(other / "journal" / "edge", path)


@pytest.mark.parametrize("spoil", [Path.unlink, unsigned, of_another_log, lambda path: path.write_bytes(b"")])
def test_an_edge_that_does_not_prove_itself_is_not_used(crashed: Path, spoil: Callable[[Path], object]) -> None:
    spoil(crashed / "journal" / "edge")
    assert truncations(crashed) == [(request(number).exchange, chunks) for number, chunks in OPEN]


def test_an_edge_that_does_not_lead_to_the_signed_root_is_not_used(
    crashed: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is signed, and of a log that went on in another way: a folder that was restored from a backup."""
    shutil.copytree(crashed, crashed.parent / "backup")
    write_journal(crashed, typical(first=100))
    shutil.copy(crashed / "journal" / "edge", crashed.parent / "backup" / "journal" / "edge")
    monkeypatch.setattr(recovery, "_left_open", looked_through)
    with pytest.raises(AssertionError, match="looked through"):
        write_journal(crashed.parent / "backup", [])


def message(number: int, kind: str) -> Draft:
    ids = request(number)
    return Draft(data=MessageData(direction="up", form=kind, findings={}), exchange=ids.exchange, session=ids.session)


def upgraded(number: int) -> Draft:
    draft = response(number)
    return msgspec.structs.replace(draft, data=msgspec.structs.replace(draft.data, status=101))


STEPS = [
    upgraded, request, response, error, lambda n: chunk(n, 0), lambda n: chunk(n, 1), lambda n: response(n, chunks=1),
    lambda n: message(n, "text"), lambda n: message(n, "close"), lambda _: refused(),
]  # fmt: skip


@given(st.lists(st.builds(lambda make, number: make(number), st.sampled_from(STEPS), st.integers(1, 3)), max_size=20))
def test_drafts_and_leaves_are_followed_alike_and_as_the_grammar_has_it(drafts: list[Draft]) -> None:
    grammar, of_drafts, of_leaves = Exchanges(), LeftOpen({}), LeftOpen({})
    for seq, draft in enumerate(drafts):
        try:
            grammar.feed(draft.exchange, draft.session, draft.data, bodied=False)
        except GrammarError:
            continue
        of_drafts.take(encode_draft(draft))
        raw = canonical_json(draft.data)
        of_leaves.take_leaf(join_leaf(raw, draft.exchange, Seq(seq), draft.session, seq, draft.data.kind))
    assert of_drafts.exchanges == of_leaves.exchanges
    assert of_drafts.truncations() == grammar.truncations()
