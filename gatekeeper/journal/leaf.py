"""The leaf: an entry's one canonical form, and what it is read back into (JOURNAL.md, "Leaf")."""

import re
from typing import Annotated, Any, Final, Literal, NoReturn

import msgspec
from msgspec import UNSET, UnsetType

from gatekeeper.exchange import ExchangeId, Instant, Seq, SessionId, canonical_json
from gatekeeper.journal import entries
from gatekeeper.journal.entries import Body, Data
from gatekeeper.journal.merkle import Hash, leaf_hash

_NO_BODY: Final = b'{"body":null'

LEAF_LIMIT: Final = 64 << 10
"""A leaf has fewer bytes than this."""

FORMAT: Final = 1
"""`v` of every leaf."""

UNREADABLE: Final = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)
"""What msgspec raises for bytes that are no JSON of the wanted form."""

KINDS: Final[dict[str, type[Data]]] = {
    kind.kind: kind
    for kind in vars(entries).values()
    if isinstance(kind, type) and issubclass(kind, Data) and kind is not Data
}


class Leaf(msgspec.Struct, frozen=True, kw_only=True):
    """An entry as it stands in the log; `data` is the entry's struct, or raw JSON before it is known which."""

    data: Any
    exchange: ExchangeId | UnsetType = UNSET
    seq: Seq
    session: SessionId | UnsetType = UNSET
    time: Instant
    type: str
    v: int = FORMAT


class _Envelope(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    data: msgspec.Raw
    exchange: str | UnsetType = UNSET
    seq: int
    session: str | UnsetType = UNSET
    time: int
    type: str
    v: int


class Entry(msgspec.Struct, frozen=True, gc=False):
    """An entry, read. `leaf_hash` is its place in the tree."""

    seq: Seq
    time: Instant
    kind: str
    exchange: ExchangeId | None
    session: SessionId | None
    data: Data
    leaf_hash: Hash


_WHOLE: Final = msgspec.Meta(ge=0, lt=1 << 53)


class Form[T, K](msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True, gc=False):
    """A leaf of a known type, `K`; fields in the order of canonical JSON, and those that may be missing None then."""

    data: T
    exchange: ExchangeId | None = None
    seq: Annotated[Seq, _WHOLE]
    session: SessionId | None = None
    time: Annotated[Instant, _WHOLE]
    type: K
    v: Literal[1]


_ENVELOPE: Final = msgspec.json.Decoder(_Envelope)


_ENDING: Final = 16
"""Bytes at a leaf's end that tell its type from all others."""

_DECODERS: Final = {
    f',"type":"{kind}","v":1}}'.encode()[-_ENDING:]: msgspec.json.Decoder(Form[data, Literal[kind]]).decode  # type: ignore[valid-type]
    for kind, data in KINDS.items()
}
_encode: Final = msgspec.json.Encoder(order="sorted").encode


def encode_leaf(leaf: Leaf) -> bytes:
    """Give the canonical bytes; raises ValueError for text that has no canonical form."""
    return canonical_json(leaf)


def put_body(data: bytes, body: Body) -> bytes:
    """Put a body into encoded data that was made without one: its key is the first of all types that have it."""
    if not data.startswith(_NO_BODY):
        msg = "data that has no body as its first key"
        raise ValueError(msg)
    return b'{"body":' + canonical_json(body) + data[len(_NO_BODY) :]


def join_leaf(
    data: bytes, exchange: ExchangeId | None, seq: int, session: SessionId | None, time: int, kind: str
) -> bytes:
    """Make the canonical leaf around encoded data; ids are of characters that need no escape."""
    exchanged = f',"exchange":"{exchange}"' if exchange is not None else ""
    in_session = f',"session":"{session}"' if session is not None else ""
    rest = f'{exchanged},"seq":{seq}{in_session},"time":{time},"type":"{kind}","v":{FORMAT}}}'
    return b'{"data":' + data + rest.encode()


def decode_leaf(raw: bytes) -> Entry:
    """Read a leaf into its entry; raises ValueError for what is not exactly a leaf of this version."""
    if len(raw) >= LEAF_LIMIT:
        msg = "a leaf of 64 KiB or more"
        raise ValueError(msg)
    try:
        envelope = _ENVELOPE.decode(raw)
    except UNREADABLE as error:
        msg = "a leaf that is not of the form"
        raise ValueError(msg) from error
    kind = KINDS.get(envelope.type)
    if envelope.v != FORMAT or kind is None:
        msg = "an entry of a type or version that this verifier does not know"
        raise ValueError(msg)
    try:
        data = msgspec.json.decode(envelope.data, type=kind)
    except UNREADABLE as error:
        msg = f"a {envelope.type} entry that lacks what its type must have"
        raise ValueError(msg) from error
    return Entry(
        seq=Seq(envelope.seq),
        time=Instant(envelope.time),
        kind=envelope.type,
        exchange=None if envelope.exchange is UNSET else ExchangeId(envelope.exchange),
        session=None if envelope.session is UNSET else SessionId(envelope.session),
        data=data,
        leaf_hash=leaf_hash(raw),
    )


def read_form(raw: object) -> Form[Any, str] | None:
    """Read a leaf that is canonical, by the short way; None for what has to be looked at the long way.

    Encoding what was read must give back the bytes. That holds for all that this version writes; not for what has
    further keys in its data, or text beyond ASCII.
    """
    if type(raw) is not bytes or not raw.isascii() or len(raw) >= LEAF_LIMIT:
        return None
    decode = _DECODERS.get(raw[-_ENDING:])
    if decode is None:
        return None
    try:
        form = decode(raw)
        return form if _encode(form) == raw else None
    except (*UNREADABLE, ValueError):
        return None


def entry_of(form: Form[Any, str], node: Hash) -> Entry:
    """Give the entry of a leaf that was read; `node` is its hash."""
    return Entry(form.seq, form.time, form.type, form.exchange, form.session, form.data, node)


def read_leaf(raw: bytes) -> Entry:
    """Read a leaf that has to be canonical too, as verification must; raises ValueError for anything else."""
    if len(raw) >= LEAF_LIMIT or not is_canonical(raw):
        msg = "its leaf is not canonical JSON of less than 64 KiB"
        raise ValueError(msg)
    return decode_leaf(raw)


def decode_data(kind: str, raw: bytes) -> Data:
    """Read the data of an entry that this version has encoded."""
    return msgspec.json.decode(raw, type=KINDS[kind])


def decode_place(raw: bytes) -> tuple[str, ExchangeId | None, SessionId | None]:
    """Read type, exchange and session only, five times as fast; raises ValueError."""
    try:
        envelope = _ENVELOPE.decode(raw)
    except UNREADABLE as error:
        msg = "a leaf that is not of the form"
        raise ValueError(msg) from error
    exchange = None if envelope.exchange is UNSET else ExchangeId(envelope.exchange)
    return envelope.type, exchange, None if envelope.session is UNSET else SessionId(envelope.session)


def decode_time(raw: bytes) -> Instant:
    """Read the time only; raises ValueError."""
    try:
        return Instant(_ENVELOPE.decode(raw).time)
    except UNREADABLE as error:
        msg = "a leaf that is not of the form"
        raise ValueError(msg) from error


def is_canonical(raw: bytes) -> bool:
    """Whether bytes are the canonical form of what they say (RFC 8785), without floats or keys given twice."""
    try:
        return is_plain(raw) and canonical_json(msgspec.json.decode(raw)) == raw
    except (msgspec.DecodeError, ValueError, RecursionError):
        return False


def is_plain(raw: bytes) -> bool:
    """Whether JSON has no floats, no integers beyond 2^53 and no keys beyond ASCII; raises msgspec.DecodeError."""
    try:
        value = _WITHOUT_FLOATS.decode(raw)
        # Walking the value costs six times as much as decoding it, and few leaves have anything to look at.
        return (raw.isascii() and _LONG_NUMBER.search(raw) is None) or _plain(value)
    except (_Float, RecursionError):
        return False


class _Float(ArithmeticError):
    """A float was met."""


def _refuse_float(lexeme: str) -> NoReturn:
    raise _Float(lexeme)


_WITHOUT_FLOATS: Final = msgspec.json.Decoder(float_hook=_refuse_float)
# A number in compact JSON comes first, or after one of these; so the hex in strings is not looked at.
_LONG_NUMBER: Final = re.compile(rb"(?:^|[:,\[-])\d{16}")


def _plain(value: object) -> bool:
    match value:
        case dict():
            return all(key.isascii() and _plain(inner) for key, inner in value.items())
        case list():
            return all(_plain(inner) for inner in value)
        case int():
            return abs(value) < 1 << 53
        case _:
            return True
