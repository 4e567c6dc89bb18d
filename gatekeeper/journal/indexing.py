"""Fills the index from a journal: from the first entry that is not in it, in slices of one transaction each."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any, Final

from msgspec import UNSET

from gatekeeper.exchange import ExchangeId, SessionId
from gatekeeper.journal.entries import (
    AdminData,
    ChunkData,
    ConfigData,
    Data,
    DecisionData,
    DenyData,
    EraseData,
    ErrorData,
    ExpireData,
    GrantData,
    HoldData,
    ReadData,
    RefusedData,
    RequestData,
    ResponseData,
    RevokeData,
    SignedData,
    TruncatedData,
    WithdrawData,
)
from gatekeeper.journal.gen_ai import ANSWERED_MODEL, MODEL, tokens_used
from gatekeeper.journal.index import Index, forget_texts
from gatekeeper.journal.leaf import Entry
from gatekeeper.journal.reader import Reader
from gatekeeper.journal.statement import DecisionRefused, parse_statement
from gatekeeper.journal.texts import text_of, words

SLICE: Final = 2000
"""Entries of one transaction: keys are read inside it, so that who erases waits for it and then finds all there is."""


LONGEST_NAME: Final = 256
MOST_OPEN: Final = 20_000
"""Calls in memory; others are read again."""

type Progress = Callable[[int, int], None]
"""(entries that are in, entries that there are)"""


@dataclass(slots=True)
class Record:
    """A row of `records`; its fields are the columns, in their order."""

    id: int
    last: int
    type: str
    exchange: str | None = None
    session: str | None = None
    issuer: str | None = None
    subject: str | None = None
    workflow: str | None = None
    method: str | None = None
    url: str | None = None
    host: str | None = None
    dialect: str | None = None
    model: str | None = None
    action: str | None = None
    rule: str | None = None
    status: int | None = None
    reason: str | None = None
    approval: str | None = None
    held: int = 0
    denied: int = 0
    found: int = 0
    began: int = 0
    ended: int = 0
    tokens: int = 0

    def row(self) -> tuple[Any, ...]:
        """Give its columns."""
        return tuple(getattr(self, name) for name in _NAMES)


_NAMES: Final = tuple(Record.__dataclass_fields__)
_PUT_RECORD: Final = f"INSERT OR REPLACE INTO records VALUES ({', '.join('?' * len(_NAMES))})"
_PUT_FACET: Final = (
    "INSERT INTO facets VALUES (?, ?, ?, ?) ON CONFLICT DO UPDATE SET count = facets.count + excluded.count"
)
_PUT_SESSION: Final = """
    INSERT INTO sessions VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
    ON CONFLICT (session) DO UPDATE SET last = excluded.last, ended = excluded.ended, calls = calls + excluded.calls,
        held = held + excluded.held, denied = denied + excluded.denied, found = found + excluded.found,
        tokens = tokens + excluded.tokens"""


@dataclass(slots=True)
class _Session:
    """What a slice adds to a session."""

    first: Record
    last: Record
    calls: int = 0
    held: int = 0
    denied: int = 0
    found: int = 0
    tokens: int = 0

    def row(self) -> tuple[Any, ...]:
        first, last = self.first, self.last
        who = first.session, first.issuer, first.subject, first.workflow
        counts = self.calls, self.held, self.denied, self.found, self.tokens
        return *who, first.id, last.last, first.began, last.ended, *counts


@dataclass(slots=True)
class _Slice:
    """What one transaction writes."""

    records: dict[int, Record] = field(default_factory=dict)
    entries: list[tuple[int, int, str, int]] = field(default_factory=list)
    facets: list[tuple[str, str, int, int]] = field(default_factory=list)
    texts: list[tuple[int, str, str]] = field(default_factory=list)
    sessions: dict[str, _Session] = field(default_factory=dict)
    erased: list[SessionId] = field(default_factory=list)


def bring_up_to_date(index: Index, reader: Reader, progress: Progress = lambda _done, _all: None) -> int:
    """Take in what the journal has on top; gives the number of entries that are in the index.

    An index over another journal, or over one whose bodies could not be read then and can be now, is made anew. Raises
    ValueError for an entry that can't be read.
    """
    size = reader.size
    with index.writing():
        if not _goes_on(index, reader, size):
            index.clear()
        index.put(bodies="1" if reader.has_keys else "0")
    builder = _Builder(index, reader)
    while index.next < size:
        with index.writing():
            begin = max(index.next, reader.start)
            end = min(begin + SLICE, size)
            builder.take(begin, end)
        progress(end, size)
    return size


def _goes_on(index: Index, reader: Reader, size: int) -> bool:
    """Whether the index is over a beginning of this journal, and as complete as it could be."""
    state = index.state()
    at = int(state["next"])
    if at == 0:
        return True
    if reader.start >= at:
        return True  # what it ends with was moved away with its segment
    if at > size or (reader.has_keys and state.get("bodies") == "0"):
        return False
    return reader.entry(at - 1).leaf_hash.hex() == state.get("leaf")


class _Builder:
    """Keeps the calls that are open, so that their later entries find them."""

    def __init__(self, index: Index, reader: Reader) -> None:
        self._index = index
        self._reader = reader
        self._open: dict[ExchangeId, Record] = {}

    def take(self, begin: int, end: int) -> None:
        """Put the entries in [begin, end) into the index, inside `writing`."""
        written, last = _Slice(), None
        if len(self._open) > MOST_OPEN:
            self._open.clear()
        for entry in self._reader.entries(begin, end):
            self._feed(entry, written)
            last = entry
        if last is None or last.seq != end - 1:
            msg = f"entry {begin if last is None else last.seq + 1} is missing"
            raise ValueError(msg)
        self._write(written)
        self._index.put(next=str(end), leaf=last.leaf_hash.hex())

    def _write(self, written: _Slice) -> None:
        many = self._index.database.executemany
        many(_PUT_RECORD, [record.row() for record in written.records.values()])
        many("INSERT INTO entries VALUES (?, ?, ?, ?)", written.entries)
        many(_PUT_FACET, written.facets)
        many("INSERT INTO texts(rowid, said, words) VALUES (?, ?, ?)", written.texts)
        many(_PUT_SESSION, [session.row() for session in written.sessions.values()])
        forget_texts(self._index, written.erased)

    def _feed(self, entry: Entry, written: _Slice) -> None:
        record = self._record_of(entry)
        before = record.held, record.denied, record.found, record.tokens
        record.last, record.ended = entry.seq, entry.time
        written.records[record.id] = record
        written.entries.append((entry.seq, record.id, entry.kind, entry.time))
        said = self._describe(entry, record, written)
        _sum_up(record, entry, before, written)
        text = self._text(entry, record, written)
        if said or text:
            written.texts.append((entry.seq, words(said), words(text)))
        if isinstance(entry.data, ResponseData | ErrorData | TruncatedData) and entry.exchange is not None:
            self._open.pop(entry.exchange, None)

    def _record_of(self, entry: Entry) -> Record:
        if entry.exchange is None:
            return Record(entry.seq, entry.seq, entry.kind, session=entry.session, began=entry.time)
        known = self._open.get(entry.exchange) or self._read_again(entry.exchange)
        if known is None:
            known = Record(
                entry.seq, entry.seq, "call", exchange=entry.exchange, session=entry.session, began=entry.time
            )
        self._open[entry.exchange] = known
        return known

    def _read_again(self, exchange: ExchangeId) -> Record | None:
        row = self._index.database.execute("SELECT * FROM records WHERE exchange = ?", [exchange]).fetchone()
        return Record(*row) if row else None

    def _describe(self, entry: Entry, record: Record, written: _Slice) -> str:
        """Fill in the columns; gives the words that stand in the leaf itself."""
        match entry.data:
            case RequestData() as data:
                return _request(record, data, written)
            case ResponseData() as data:
                record.status, record.reason = data.status, data.reason if data.reason is not UNSET else None
                record.tokens = tokens_used(data.gen_ai)
                _found(record, data.findings, written)
                _attributes(record, data.gen_ai, written)
            case HoldData() as data:
                record.held, record.approval = 1, data.approval
            case DenyData() | ExpireData():
                record.denied = 1
            case ErrorData(reason=reason) | TruncatedData(reason=reason):
                record.reason = reason
            case EraseData() as data:
                written.erased.append(SessionId(data.session))
                return data.why
            case _:
                return _of_no_call(record, entry.data)
        return ""

    def _text(self, entry: Entry, record: Record, written: _Slice) -> str:
        if isinstance(entry.data, ChunkData):
            return ""  # its pieces are joined at the end of the call
        if isinstance(entry.data, ResponseData | ErrorData | TruncatedData) and entry.data.chunks:
            return self._streamed(record, written)
        content = self._reader.content(entry)
        return text_of(content.media, content.data) if content is not None else ""

    def _streamed(self, record: Record, written: _Slice) -> str:
        earlier = self._index.database.execute(
            "SELECT seq FROM entries WHERE record = ? AND type = 'chunk' ORDER BY seq", [record.id]
        )
        here = (seq for seq, of, kind, _ in written.entries if of == record.id and kind == ChunkData.kind)
        seqs = [seq for seq in (*(seq for (seq,) in earlier), *here) if seq >= self._reader.start]
        contents = [self._reader.content(self._reader.entry(seq)) for seq in seqs]
        whole = [content for content in contents if content is not None]
        return text_of(whole[0].media, b"".join(one.data for one in whole)) if whole else ""


def _sum_up(record: Record, entry: Entry, before: tuple[int, int, int, int], written: _Slice) -> None:
    if record.session is None:
        return
    session = written.sessions.setdefault(record.session, _Session(record, record))
    session.last = record
    session.calls += record.id == entry.seq and record.type == "call"
    session.held += record.held - before[0]
    session.denied += record.denied - before[1]
    session.found += record.found - before[2]
    session.tokens += record.tokens - before[3]


def _request(record: Record, data: RequestData, written: _Slice) -> str:
    record.issuer, record.subject, record.workflow = data.subject.iss, data.subject.sub, data.subject.workflow
    record.method, record.url, record.host, record.dialect = data.method, data.url, data.target.host, data.dialect
    record.action, record.rule = data.verdict.action, data.verdict.rule
    record.denied = int(data.verdict.action == "deny")
    _found(record, data.findings, written)
    _attributes(record, data.gen_ai, written)
    return data.url


def _of_no_call(record: Record, data: Data) -> str:
    match data:
        case RefusedData():
            record.reason, record.subject = data.reason, data.subject
            record.host = data.target.rpartition(":")[0] if data.target else None
        case DecisionData() | GrantData() | RevokeData():
            return _signed(record, data)
        case WithdrawData():
            record.approval, record.subject = data.approval, data.by
            return data.why
        case AdminData():
            record.reason, record.subject = data.event.value, data.by
            return " ".join(map(str, data.detail.values()))
        case ReadData():
            record.reason, record.subject = data.command, data.by
        case ConfigData():
            record.subject = data.by
        case _:
            pass
    return ""


def _signed(record: Record, data: SignedData) -> str:
    record.subject = data.reviewer
    record.approval = data.approval if isinstance(data, DecisionData) else None
    record.rule = data.rule if isinstance(data, GrantData) else None
    try:
        stated = parse_statement(data.statement.encode())
    except DecisionRefused:
        return ""
    record.action = stated.verdict.value
    return stated.reason


def _found(record: Record, findings: dict[str, int], written: _Slice) -> None:
    record.found += sum(findings.values())
    written.facets += [("finding", entity, record.id, count) for entity, count in findings.items()]


def _attributes(record: Record, attributes: dict[str, Any], written: _Slice) -> None:
    for name, value in attributes.items():
        kind = "model" if name in {MODEL, ANSWERED_MODEL} else "tool" if "tool" in name else None
        if kind is None:
            continue
        for text in _names(value):
            written.facets.append((kind, text, record.id, 1))
            if name == MODEL:
                record.model = text


def _names(value: Any) -> Iterator[str]:
    for text in value if isinstance(value, list | tuple) else [value]:
        if isinstance(text, str) and len(text) <= LONGEST_NAME and text[:1] not in ("{", "["):
            yield text
