"""Questions to the index: pages of records, by words and by what they were about; pages of sessions."""

import itertools
import re
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, Final

import msgspec

from gatekeeper.exchange import Instant, Seq, SessionId
from gatekeeper.journal.index import Index
from gatekeeper.journal.texts import unspaced, words

FEW: Final = 20_000
"""Records whose entries are read first, rather than asking each entry that has the words what it is about."""

AT_ONCE: Final = 500
"""Parameters of one statement."""

AROUND: Final = 16
"""Words that are shown around a hit."""

_SNIPPET: Final = f"snippet(texts, -1, '«', '»', '…', {AROUND})"
_TERM: Final = re.compile(r'"([^"]+)"?|(\S+)')
_EQUAL: Final = ("subject", "host", "rule", "session", "exchange", "type", "action", "workflow")
_FACETS: Final = ("model", "tool", "finding")


class Query(msgspec.Struct, frozen=True, kw_only=True):
    """What is looked for; all that is given must hold of one record. `*` stands for any characters.

    `text`: words, each of which stands in one entry of it; "in quotes", a phrase. `since` and `until`: when it began.
    `before` and `after`: entries by number, to leaf through.
    """

    text: str = ""
    subject: str | None = None
    workflow: str | None = None
    host: str | None = None
    rule: str | None = None
    action: str | None = None
    type: str | None = None
    session: str | None = None
    exchange: str | None = None
    model: tuple[str, ...] = ()
    tool: tuple[str, ...] = ()
    finding: tuple[str, ...] = ()
    since: Instant | None = None
    until: Instant | None = None
    before: int | None = None
    after: int | None = None


class Found(msgspec.Struct, frozen=True, kw_only=True):
    """A record that was found, by the index's word. `seq` is its first entry, `hit` the one that has the words."""

    seq: Seq
    hit: Seq
    snippet: str


class SessionRow(msgspec.Struct, frozen=True, kw_only=True):
    """A session, by the index's word."""

    session: SessionId
    issuer: str | None
    subject: str | None
    workflow: str | None
    first: Seq
    last: Seq
    began: Instant
    ended: Instant
    calls: int
    held: int
    denied: int
    found: int
    tokens: int


def search(index: Index, query: Query, limit: int) -> list[Found]:
    """Give the newest `limit` records that match, or with `after` the oldest, in the order of the journal.

    Raises ValueError for a text without a word.
    """
    found = list(_by_text(index, query, limit) if query.text.strip() else _by_matter(index, query, limit))
    return sorted(found, key=lambda one: one.seq)


def session_rows(index: Index, limit: int, before: Seq | None = None, subject: str | None = None) -> list[SessionRow]:
    """Give the newest sessions by their last entries, newest first; `before` leads to the page after."""
    conditions, values = ["1"], list[Any]()
    if before is not None:
        conditions.append("last < ?")
        values.append(before)
    if subject is not None:
        conditions.append(_like("subject", subject))
        values.append(subject)
    rows = index.database.execute(
        f"SELECT * FROM sessions WHERE {' AND '.join(conditions)} ORDER BY last DESC LIMIT ?",
        [*values, limit],
    )
    return [msgspec.convert(row, SessionRow, strict=False) for row in map(_session_fields, rows)]


def sessions_named(index: Index, prefix: str, limit: int = 2) -> list[SessionId]:
    """Give sessions whose ids begin so."""
    rows = index.database.execute(
        "SELECT session FROM sessions WHERE session >= ? AND session < ? LIMIT ?", [prefix, f"{prefix}g", limit]
    )
    return [SessionId(session) for (session,) in rows]


def session_row(index: Index, session: SessionId) -> SessionRow:
    """Give one session; raises LookupError."""
    row = index.database.execute("SELECT * FROM sessions WHERE session = ?", [session]).fetchone()
    if row is None:
        raise LookupError(session)
    return msgspec.convert(_session_fields(row), SessionRow, strict=False)


def models_of(index: Index, session: SessionId) -> tuple[str, ...]:
    """Give the models that a session's calls asked for."""
    rows = index.database.execute(
        "SELECT DISTINCT model FROM records WHERE session = ? AND model IS NOT NULL ORDER BY id", [session]
    )
    return tuple(model for (model,) in rows)


def seqs_of_session(index: Index, session: SessionId) -> list[Seq]:
    """Give the numbers of a session's entries in order, with the decisions on what it held."""
    rows = index.database.execute(
        "SELECT e.seq FROM entries e JOIN records r ON r.id = e.record WHERE r.session = ?1"
        " OR (r.type = 'decision' AND r.approval IN (SELECT approval FROM records WHERE session = ?1))"
        " ORDER BY e.seq",
        [session],
    )
    return [Seq(seq) for (seq,) in rows]


def match_expression(text: str) -> str:
    """Write words and phrases as FTS5 takes them, so that nothing in them is an operator; raises ValueError."""
    terms = []
    for phrase, word in _TERM.findall(text):
        term = words(phrase or word)
        if any(character.isalnum() for character in term):
            star = "*" if not phrase and word.endswith("*") else ""
            terms.append('"' + term.replace('"', '""').strip() + '"' + star)
    if not terms:
        msg = f"{text!r}: has no word to search for"
        raise ValueError(msg)
    return " AND ".join(terms)


def _by_matter(index: Index, query: Query, limit: int) -> Iterator[Found]:
    condition, values = _condition(index, query)
    order = "ASC" if query.after is not None else "DESC"
    rows = index.database.execute(
        f"SELECT id FROM records r WHERE {condition} ORDER BY id {order} LIMIT ?",
        [*values, limit],
    )
    return (Found(seq=Seq(id_), hit=Seq(id_), snippet="") for (id_,) in rows)


def _by_text(index: Index, query: Query, limit: int) -> Iterator[Found]:
    """Go through the entries that have the words, newest first, and ask of each what it is about.

    Where few records are about that, their entries are read first, and each that has the words is looked up among them:
    asking FTS5 of each entry whether it has the words costs half a millisecond.
    """
    words_ = match_expression(query.text)
    condition, values = _condition(index, query)
    about = index.database.execute(f"SELECT id FROM records r WHERE {condition} LIMIT ?", [*values, FEW + 1]).fetchall()
    order = "ASC" if query.after is not None else "DESC"
    if len(about) > FEW:
        hits: Iterable[tuple[int, int, str | None]] = index.database.execute(
            f"SELECT r.id, texts.rowid, {_SNIPPET} FROM texts CROSS JOIN entries e ON e.seq = texts.rowid"
            " CROSS JOIN records r ON r.id = e.record"
            f" WHERE texts MATCH ? AND {condition} ORDER BY texts.rowid {order}",
            [words_, *values],
        )
    else:
        hits = _among(index, [id_ for (id_,) in about], words_, order)
    seen: set[int] = set()
    for record, hit, snippet in hits:
        if record not in seen:
            seen.add(record)
            said = snippet if snippet is not None else _snippet(index, words_, hit)
            yield Found(seq=Seq(record), hit=Seq(hit), snippet=unspaced(" ".join(str(said).split())))
            if len(seen) == limit:
                return


def _among(index: Index, records: Sequence[int], words_: str, order: str) -> Iterator[tuple[int, int, None]]:
    """Give those records and entries, of a few, that have the words."""
    of: dict[int, int] = {}
    for some in itertools.batched(records, AT_ONCE, strict=False):
        marks = ", ".join("?" * len(some))
        of.update(index.database.execute(f"SELECT seq, record FROM entries WHERE record IN ({marks})", some))
    if not of:
        return
    rows = index.database.execute(
        f"SELECT rowid FROM texts WHERE texts MATCH ? AND rowid BETWEEN ? AND ? ORDER BY rowid {order}",
        [words_, min(of), max(of)],
    )
    for (seq,) in rows:
        if seq in of:
            yield of[seq], seq, None


def _snippet(index: Index, words_: str, seq: int) -> str:
    query = f"SELECT {_SNIPPET} FROM texts WHERE texts MATCH ? AND rowid = ?"
    (text,) = index.database.execute(query, [words_, seq]).fetchone()
    return str(text)


def _condition(index: Index, query: Query) -> tuple[str, list[Any]]:
    conditions, values = ["1"], list[Any]()
    for name in _EQUAL:
        wanted = getattr(query, name)
        if wanted is not None:
            prefix = f"{wanted}*" if name in {"session", "exchange"} else wanted
            conditions.append(_like(f"r.{name}", prefix))
            values.append(prefix)
    for kind in _FACETS:
        for wanted in getattr(query, kind):
            conditions.append(f"r.id IN (SELECT record FROM facets WHERE kind = '{kind}' AND {_like('value', wanted)})")
            values.append(wanted)
    if query.since is not None:
        conditions.append("r.id >= ?")
        values.append(_first_at(index, query.since))
    if query.until is not None:
        conditions.append("r.id < ?")
        values.append(_first_at(index, query.until))
    if query.before is not None:
        conditions.append("r.id < ?")
        values.append(query.before)
    if query.after is not None:
        conditions.append("r.id > ?")
        values.append(query.after)
    return " AND ".join(conditions), values


def _like(column: str, wanted: str) -> str:
    return f"{column} GLOB ?" if "*" in wanted else f"{column} = ?"


_NEXT: Final = "SELECT seq, time FROM entries WHERE seq >= ? ORDER BY seq LIMIT 1"


def _first_at(index: Index, instant: Instant) -> int:
    """Give the first entry at that time or later: times never go back, so halving finds it."""
    low, high = 0, index.next
    while low < high:
        middle = (low + high) // 2
        row = index.database.execute(_NEXT, [middle]).fetchone()
        if row is None or row[0] >= high or row[1] >= instant:
            high = middle
        else:
            low = row[0] + 1
    return low


def _session_fields(row: tuple[Any, ...]) -> dict[str, Any]:
    return dict(zip(SessionRow.__struct_fields__, row, strict=True))
