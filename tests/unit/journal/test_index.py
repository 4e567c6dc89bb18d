"""The index: made from the journal, brought up to date, never believed, and rid of what was erased."""

import asyncio
import json
import sqlite3
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import msgspec
import pytest
from journals import OPENING, ORIGIN, chunk, request, response, write
from recorded import BEGINNING, OTHER_SESSION, SESSION, STEP, in_session, write_story

from gatekeeper.exchange import Instant
from gatekeeper.journal import Content, Draft, EraseData, Journal, Reader
from gatekeeper.journal import indexing as module
from gatekeeper.journal.index import Index, forget
from gatekeeper.journal.indexing import bring_up_to_date
from gatekeeper.journal.search import Query, match_expression, search, session_rows, sessions_named

CANARY = "xyzzycanary"


@pytest.fixture
def story(tmp_path: Path) -> Path:
    write_story(tmp_path)
    return tmp_path


@pytest.fixture
def index(story: Path) -> Iterator[Index]:
    with Reader(story / "journal", story / "keys") as reader:
        index = Index.open(story / "journal" / "index.db")
        bring_up_to_date(index, reader)
        yield index
        index.close()


opened: list[Index] = []


@pytest.fixture(autouse=True)
def _close() -> Iterator[None]:
    yield
    while opened:
        opened.pop().close()


def built(folder: Path, *, keys: bool = True) -> Index:
    with Reader(folder / "journal", folder / "keys" if keys else None) as reader:
        index = Index.open(folder / "journal" / "index.db")
        opened.append(index)
        bring_up_to_date(index, reader)
    return index


def seqs(index: Index, limit: int = 50, **query: object) -> list[int]:
    return [found.seq for found in search(index, Query(**query), limit)]


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ({"text": "hello"}, [1, 3, 5, 12]),
        ({"text": "WORLD"}, [5]),
        ({"text": "evil"}, [3]),
        ({"text": "wor*"}, [5]),
        ({"text": '"box is back"'}, [9]),
        ({"text": '"back is box"'}, []),
        ({"text": "back box"}, [9]),
        ({"text": "api.example.com"}, [1, 3, 5, 12]),
        ({"text": 'hello" OR evil'}, []),
        ({"subject": "bot"}, [1, 3, 5, 12]),
        ({"subject": "alice*"}, [9]),
        ({"host": "*.example.com"}, [1, 3, 5, 12]),
        ({"host": "other.example.com"}, []),
        ({"rule": "refunds"}, [3]),
        ({"action": "deny"}, [5]),
        ({"model": ("m",)}, [1, 3, 5, 12]),
        ({"finding": ("CREDIT_CARD", "EMAIL_ADDRESS")}, [1]),
        ({"finding": ("EMAIL*",), "text": "hello"}, [1]),
        ({"finding": ("US_SSN",), "text": "hello"}, []),
        ({"session": OTHER_SESSION[:8]}, [12]),
        ({"exchange": "0000000000000002"}, [3]),
        ({"type": "decision"}, [9]),
        ({"type": "call", "before": 5}, [1, 3]),
        ({"type": "call", "after": 3}, [5, 12]),
        ({"since": Instant(BEGINNING + 5 * STEP), "type": "call"}, [5, 12]),
        ({"until": Instant(BEGINNING + 5 * STEP), "type": "call"}, [1, 3]),
        ({"since": Instant(BEGINNING + 3 * STEP), "until": Instant(BEGINNING + 6 * STEP), "text": "hello"}, [3, 5]),
        ({"since": Instant(BEGINNING * 2)}, []),
    ],
)
def test_records_are_found_by_words_and_matter_together(
    index: Index, query: dict[str, object], found: list[int]
) -> None:
    assert seqs(index, **query) == found


def test_the_same_is_found_when_many_records_match(index: Index, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gatekeeper.journal.search.FEW", 0)
    assert seqs(index, text="hello", subject="bot") == [1, 3, 5, 12]
    assert seqs(index, text="hello", host="nowhere") == []


def test_a_page_is_the_newest_and_after_leads_on(index: Index) -> None:
    assert seqs(index, 2, text="hello") == [5, 12]
    assert seqs(index, 2, text="hello", before=5) == [1, 3]
    assert seqs(index, 2, text="hello", after=1) == [3, 5]


def test_a_snippet_shows_the_hit_and_its_entry(index: Index) -> None:
    (found,) = search(index, Query(text="box"), 5)
    assert (found.hit, found.snippet) == (9, "the «box» is back")


@pytest.mark.parametrize("text", ["", "  ", "-- ?", '""'])
def test_a_text_without_a_word_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="no word"):
        match_expression(text)


def test_sessions_are_summed_up(index: Index) -> None:
    newest, older = session_rows(index, 5)
    assert (newest.session, newest.calls, newest.first, newest.last) == (OTHER_SESSION, 1, 12, 13)
    assert (older.session, older.calls, older.held, older.denied, older.found) == (SESSION, 3, 1, 1, 3)
    assert session_rows(index, 5, before=newest.last) == [older]
    assert session_rows(index, 5, subject="nobody") == []
    assert sessions_named(index, SESSION[:4]) == [SESSION]


def test_what_comes_on_top_is_taken_in_and_sums_go_on(story: Path) -> None:
    before = built(story)
    before.close()
    more = [*in_new_run(5), *in_new_run(6)]
    asyncio.run(write(story, more))
    after = built(story)
    fresh = Index.in_memory()
    opened.append(fresh)
    with Reader(story / "journal", story / "keys") as reader:
        bring_up_to_date(fresh, reader)
    assert dump(after) == dump(fresh)


def in_new_run(number: int) -> list[Draft]:
    return [request(number), response(number)]


def dump(index: Index) -> list[object]:
    tables = ("records", "entries", "facets", "sessions")
    dumped = [index.database.execute(f"SELECT * FROM {table} ORDER BY 1, 2, 3").fetchall() for table in tables]
    return [*dumped, index.database.execute("SELECT rowid, * FROM texts ORDER BY 1").fetchall()]


@pytest.mark.parametrize("slice_", [1, 2, 3, 7])
def test_how_it_is_sliced_makes_no_difference(story: Path, monkeypatch: pytest.MonkeyPatch, slice_: int) -> None:
    whole = dump(built(story))
    monkeypatch.setattr(module, "SLICE", slice_)
    monkeypatch.setattr(module, "MOST_OPEN", 0)
    (story / "journal" / "index.db").unlink()
    assert dump(built(story)) == whole


def test_a_stream_is_searched_as_its_client_joined_it(tmp_path: Path) -> None:
    pieces = [f'data: {{"choices":[{{"index":0,"delta":{{"content":"{text}"}}}}]}}\n\n' for text in ("xyz", "zy")]
    chunks = [
        msgspec.structs.replace(chunk(1, n), content=Content("text/event-stream", piece.encode(), ((1, 1),)))
        for n, piece in enumerate(pieces)
    ]
    asyncio.run(write(tmp_path, [request(1), *chunks, response(1, chunks=2)]))
    (found,) = search(built(tmp_path), Query(text="xyzzy"), 5)
    assert (found.seq, found.hit) == (1, 4)


def test_words_of_scripts_without_spaces_are_found(tmp_path: Path) -> None:
    asyncio.run(write(tmp_path, [request(1, body="返金をお願いします".encode()), response(1)]))
    index = built(tmp_path)
    (found,) = search(index, Query(text="お願い"), 5)
    assert "お" in found.snippet
    assert " " not in found.snippet.replace("«", "").replace("»", "")
    assert seqs(index, text="金返") == []


@pytest.fixture
def in_segments(tmp_path: Path) -> Path:
    """Two segments; a stream is open over the seam."""
    piece = Content("text/event-stream", b'data: {"t":"seam"}\n\n', ((1, 1),))
    before, after = (msgspec.structs.replace(chunk(1, n), content=piece) for n in (0, 1))

    async def story() -> None:
        journal = Journal.open(tmp_path / "journal", tmp_path / "keys", ORIGIN, OPENING)
        for draft in (*in_new_run(0), request(1), before):
            await journal.submit(draft)
        await journal.seal()
        for draft in (after, response(1, chunks=2), *in_new_run(2)):
            await journal.submit(draft)
        await journal.close()

    asyncio.run(story())
    return tmp_path


def test_segments_are_one_journal(in_segments: Path) -> None:
    index = built(in_segments)
    assert seqs(index, type="call") == [1, 3, 9]
    assert seqs(index, text="seamseam") == [3]
    assert seqs(index, since=Instant(0), until=Instant(1)) == []


@pytest.mark.parametrize("indexed_before", [True, False])
def test_a_segment_that_was_moved_away_is_no_fault(in_segments: Path, *, indexed_before: bool) -> None:
    if indexed_before:
        built(in_segments).close()
    (sealed,) = (in_segments / "journal").glob("journal-*.db")
    sealed.rename(in_segments / "cold.db")
    asyncio.run(write(in_segments, in_new_run(3)))
    index = built(in_segments)
    assert seqs(index, text="hello")[-2:] == [9, 13]
    assert 9 in seqs(index, since=Instant(0))
    with Reader(in_segments / "journal", None) as reader:
        assert index.next == reader.size


def test_an_index_over_another_journal_or_a_damaged_one_is_made_anew(
    story: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    other = tmp_path_factory.mktemp("other")
    asyncio.run(write(other, [draft for number in range(20) for draft in in_new_run(number)]))
    built(other).close()
    path = story / "journal" / "index.db"
    path.write_bytes((other / "journal" / "index.db").read_bytes())
    assert seqs(built(story), rule="refunds") == [3]
    path.write_bytes(b"no database at all, but long enough to be looked at" * 100)
    assert seqs(built(story), rule="refunds") == [3]


def test_without_keys_there_are_no_words_and_with_them_it_is_made_anew(story: Path) -> None:
    without = built(story, keys=False)
    assert (seqs(without, text="hello"), seqs(without, rule="refunds")) == ([], [3])
    without.close()
    assert seqs(built(story), text="hello") == [1, 3, 5, 12]


def test_forged_rows_lead_to_the_log_and_add_nothing_to_it(index: Index, story: Path) -> None:
    index.database.execute("UPDATE records SET subject = 'somebody else', url = 'https://forged' WHERE id = 1")
    (found,) = search(index, Query(subject="somebody else"), 5)
    with Reader(story / "journal", None) as reader:
        assert reader.entry(found.seq).data.subject.sub == "bot"


@pytest.mark.usefixtures("index")
def test_it_is_as_private_as_the_keys(story: Path) -> None:
    assert (story / "journal" / "index.db").stat().st_mode & 0o777 == 0o600


def test_views_are_readable(index: Index) -> None:
    cursor = index.database.execute("SELECT * FROM calls WHERE seq = 3")
    call = dict(zip([column[0] for column in cursor.description], cursor.fetchone(), strict=True))
    assert (call["began"], call["verdict"], call["held"], call["status"]) == (
        "2027-01-15 08:00:00Z", "hold by refunds", "held", 200,
    )  # fmt: skip
    for view in ("other_entries", "all_entries", "findings", "people_and_sessions"):
        assert index.database.execute(f"SELECT count(*) FROM {view}").fetchone()[0] > 0


class TestForgetting:
    @pytest.fixture
    def erased(self, tmp_path: Path) -> Path:
        """A journal with a canary in one session, and an index over it."""
        drafts = []
        for number in range(60):
            body = json.dumps({"say": f"{CANARY} number{number}" if number % 2 else "hello"}).encode()
            session = SESSION if number % 2 else OTHER_SESSION
            drafts += [in_session(request(number, body=body), session), in_session(response(number), session)]
        asyncio.run(write(tmp_path, drafts))
        built(tmp_path).close()
        assert CANARY.encode() in self.all_bytes(tmp_path)
        return tmp_path

    def all_bytes(self, folder: Path) -> bytes:
        return b"".join(path.read_bytes() for path in (folder / "journal").glob("index.db*"))

    def test_nothing_of_a_session_is_left_in_any_file(self, erased: Path) -> None:
        forget(erased / "journal", [SESSION])
        left = self.all_bytes(erased)
        assert CANARY.encode() not in left
        assert b"number3" not in left
        assert len(seqs(built_without_keys(erased), text="hello")) == 30

    def test_it_is_forgotten_beside_a_builder_that_waits(self, erased: Path) -> None:
        other = Index.open(erased / "journal" / "index.db")
        forget(erased / "journal", [SESSION])
        assert other.database.execute("SELECT count(*) FROM texts").fetchone() < (120,)
        other.close()

    def test_a_reader_that_keeps_the_old_pages_is_said(self, erased: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("gatekeeper.journal.files.BUSY_TIMEOUT", 0.1)
        monkeypatch.setattr("gatekeeper.journal.index.BUSY_TIMEOUT", 0.1)
        reader = sqlite3.connect(erased / "journal" / "index.db", isolation_level=None)
        reader.execute("BEGIN")
        reader.execute("SELECT count(*) FROM texts").fetchone()
        with pytest.raises(TimeoutError, match="not out of it yet"):
            forget(erased / "journal", [SESSION])
        reader.execute("COMMIT")
        forget(erased / "journal", [SESSION])
        assert CANARY.encode() not in self.all_bytes(erased)

    def test_several_sessions_may_be_forgotten_at_once(self, erased: Path) -> None:
        with ThreadPoolExecutor(8) as threads:
            for done in [threads.submit(forget, erased / "journal", [SESSION]) for _ in range(200)]:
                done.result()
        assert CANARY.encode() not in self.all_bytes(erased)

    def test_an_erase_entry_does_the_same_whenever_the_index_goes_on(self, erased: Path) -> None:
        erase = Draft(EraseData(session=SESSION, keys=(), by="test", why="asked for"))
        asyncio.run(write(erased, [erase]))
        index = built(erased)
        assert seqs(index, text=CANARY) == []
        assert seqs(index, text='"asked for"') != []

    def test_without_an_index_there_is_nothing_to_forget(self, tmp_path: Path) -> None:
        forget(tmp_path, [SESSION])
        assert not (tmp_path / "index.db").exists()


def built_without_keys(folder: Path) -> Index:
    opened.append(Index.open(folder / "journal" / "index.db"))
    return opened[-1]
