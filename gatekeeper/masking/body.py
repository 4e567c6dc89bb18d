"""What a body is, by what it says it is and by what it looks like, and how it is read."""

import base64
import codecs
import functools
import quopri
import re
from typing import Final
from urllib.parse import quote

import msgspec

from gatekeeper.masking.document import Composite, Document, Encoded, Opaque, Readable
from gatekeeper.masking.embedded import LEVELS, PART_NOT_TEXT, Embedded, looks_like, read_embedded
from gatekeeper.masking.events import chunks_document, event_document, ndjson_document
from gatekeeper.masking.faults import UnreadableBody
from gatekeeper.masking.form import form_document
from gatekeeper.masking.json_body import json_document
from gatekeeper.masking.markup import markup_document
from gatekeeper.masking.multipart import Part, read_parts
from gatekeeper.masking.scanner import Scanner, Work
from gatekeeper.masking.strand import Leaf, Strand, hits
from gatekeeper.masking.view import View, percent_encoded

_CHARSET: Final = re.compile(r"(?i);\s*charset\s*=\s*\"?([^\s;\"]*)")
_CHARSETS: Final = {
    "utf-8": "utf-8", "utf8": "utf-8", "us-ascii": "utf-8", "ascii": "utf-8",
    "iso-8859-1": "latin-1", "latin-1": "latin-1", "latin1": "latin-1", "windows-1252": "cp1252", "cp1252": "cp1252",
    "utf-16": "utf-16", "utf-32": "utf-32",
}  # fmt: skip
# The longer mark first: UTF-32's begins like UTF-16's.
_MARKS: Final = (
    (codecs.BOM_UTF32_LE, "utf-32-le"),
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)
_JSON: Final = re.compile(r"(?i)[^/;]+/(?:[^;]*\+)?json\s*(?:;|$)")
_NDJSON: Final = re.compile(r"(?i)[^/;]+/(?:x-)?(?:ndjson|jsonl|jsonlines|json-lines|stream\+json)\s*(?:;|$)")
_MARKUP_LOOK: Final = re.compile(r"\ufeff?\s*<[!?/a-zA-Z]")
_EVENTS_LOOK: Final = re.compile(r"\ufeff?(?:data|event|id|retry)?:")

NOT_TEXT: Final = "the body is not text"


class Body(msgspec.Struct, frozen=True):
    """A body, read. `uninspected` says why where it, or a part of it, can't be."""

    document: Readable
    uninspected: str | None = None


def read_body(scanner: Scanner, raw: bytes, media: str, work: Work, level: int = 0) -> Body:
    """Read a decoded body of content type `media`; raises UnreadableBody. `level`: in how many it is encoded."""
    if media[:10].lower() == "multipart/" and level < LEVELS:
        return _multipart(scanner, raw, media, work, level)
    decoded = _decoded(raw, media)
    if decoded is None:
        return Body(Opaque(raw, looks_like(raw) or "binary"), NOT_TEXT)
    document = _document(scanner, raw, *decoded, media, work)
    if level == LEVELS or not (embedded := embedded_in(scanner, decoded[0], work, level)).nested:
        return Body(document)
    return Body(msgspec.structs.replace(document, nested=embedded.nested), embedded.uninspected)


def embedded_in(scanner: Scanner, text: str, work: Work, level: int = 0) -> Embedded:
    """Read what stands encoded in a text; raises UnreadableBody."""
    return read_embedded(text, functools.partial(_read_embedded, scanner, work, level + 1))


def _read_embedded(scanner: Scanner, work: Work, level: int, raw: bytes, media: str) -> Readable | None:
    """Read what stands encoded in a text; what says that it is JSON and isn't is looked at as text."""
    try:
        body = read_body(scanner, raw, media if media.lower().startswith("text/") else "", work, level)
    except UnreadableBody:
        work.spend(0)
        return None
    return body.document if body.uninspected is None else None


def _document(scanner: Scanner, raw: bytes, text: str, charset: str, media: str, work: Work) -> Document:
    kind = media.partition(";")[0].strip().lower()
    if _NDJSON.match(media):
        return ndjson_document(scanner, raw, text, charset, work)
    if _JSON.match(media):
        if text.lstrip("\ufeff \t\r\n")[:1] == "[" and '"candidates"' in text:
            return chunks_document(scanner, raw, text, charset, work)
        return json_document(scanner, raw, text, charset, work)
    if kind == "text/event-stream":
        return event_document(scanner, raw, text, charset, work)
    if kind == "application/x-www-form-urlencoded" and not _looks_like_json(text):
        return form_document(scanner, raw, text, charset, work)
    return _by_looks(scanner, raw, text, charset, work)


def _by_looks(scanner: Scanner, raw: bytes, text: str, charset: str, work: Work) -> Document:
    """Read what doesn't say what it is, or lies: as what it can be parsed as."""
    if _looks_like_json(text):
        for reader in (json_document, ndjson_document):
            try:
                return reader(scanner, raw, text, charset, work)
            except UnreadableBody:
                work.spend(0)  # out of work: it isn't the form that is wrong
    if _EVENTS_LOOK.match(text):
        try:
            return event_document(scanner, raw, text, charset, work)
        except UnreadableBody:
            work.spend(0)
    if _MARKUP_LOOK.match(text):
        return markup_document(scanner, raw, text, charset, work)
    found = hits(scanner, [Strand((Leaf(View(text), 0),))], work)
    return Document(raw=raw, text=text, charset=charset, hits=found, read=lambda: (text,))


def _looks_like_json(text: str) -> bool:
    return text[:256].lstrip("\ufeff \t\r\n")[:1] in {"{", "[", '"'}


def _decoded(raw: bytes, media: str) -> tuple[str, str] | None:
    """Decode text; None for what is no text. Raises UnreadableBody for a character set that is unknown or wrong."""
    declared = _CHARSET.search(media)
    charset = _CHARSETS.get(declared[1].lower()) if declared else "utf-8"
    if charset is None:
        msg = "its character set is not one of UTF-8, UTF-16, UTF-32, ISO-8859-1, Windows-1252"
        raise UnreadableBody(msg)
    charset = next((name for mark, name in _MARKS if raw.startswith(mark)), charset)
    try:
        if charset in {"utf-16", "utf-32"}:
            raise UnreadableBody(_WITHOUT_MARK)
        text, charset = _text(raw, charset)
    except UnicodeDecodeError:
        if declared or _must_be_text(media):
            msg = f"it is not {charset.upper()} text"
            raise UnreadableBody(msg) from None  # the cause holds the body
        return None
    if "\0" in text:
        if _must_be_text(media):
            msg = "it is text with NUL characters"
            raise UnreadableBody(msg)
        return None
    return text, charset


def _text(raw: bytes, charset: str) -> tuple[str, str]:
    """Decode; what says that it has one byte a character and is UTF-8 all the same is read as what it is."""
    if charset in {"latin-1", "cp1252"}:
        try:
            return raw.decode(), "utf-8"
        except UnicodeDecodeError:
            pass
    return raw.decode(charset), charset


_WITHOUT_MARK: Final = "it is UTF-16 or UTF-32 text without a byte order mark"


def _must_be_text(media: str) -> bool:
    kind = media.partition(";")[0].strip().lower()
    structured = bool(_JSON.match(media) or _NDJSON.match(media))
    return structured or kind in {"text/event-stream", "application/x-www-form-urlencoded"}


def _multipart(scanner: Scanner, raw: bytes, media: str, work: Work, level: int) -> Body:
    pieces: list[bytes | Readable] = []
    at = 0
    readable = True
    for part in read_parts(raw, media):
        body = _part(scanner, raw[slice(*part.content)], part, work, level + 1)
        readable = readable and body.uninspected is None
        pieces += [
            raw[at : part.head[0]],
            _part_head(scanner, raw[slice(*part.head)], work),
            raw[part.head[1] : part.content[0]],
            body.document,
        ]
        at = part.content[1]
    pieces.append(raw[at:])
    return Body(Composite(raw, tuple(pieces)), None if readable else PART_NOT_TEXT)


def _part_head(scanner: Scanner, head: bytes, work: Work) -> Document:
    """Look at a part's fields: names of files, in UTF-8 or percent-encoded (RFC 7578 §4.2, RFC 5987)."""
    try:
        text, charset = head.decode(), "utf-8"
    except UnicodeDecodeError:
        text, charset = head.decode("latin-1"), "latin-1"
    strands = [Strand((Leaf(View(text), 0),))]
    if "%" in text:
        strands.append(Strand((Leaf(percent_encoded(text), 0, quote),)))
    return Document(raw=head, text=text, charset=charset, hits=hits(scanner, strands, work), read=tuple)


def _part(scanner: Scanner, content: bytes, part: Part, work: Work, level: int) -> Body:
    coding = _TRANSFER.get(part.encoding)
    if part.encoding and coding is None:
        return Body(Opaque(content, "part"), PART_NOT_TEXT)
    if coding is None:
        return read_body(scanner, content, part.media, work, level)
    try:
        plain = coding[0](content)
    except ValueError:
        msg = "a part of it is not encoded as it says"
        raise UnreadableBody(msg) from None  # the cause holds the body
    body = read_body(scanner, plain, part.media, work, level)
    return Body(Encoded(content, body.document, plain, coding[1]), body.uninspected)


def _base64_lines(plain: bytes) -> bytes:
    return base64.encodebytes(plain).rstrip().replace(b"\n", b"\r\n")


# Content-Transfer-Encoding (RFC 2045 §6): how to take one off, and how to put it on again.
_TRANSFER: Final = {
    "base64": (lambda content: base64.b64decode(b"".join(content.split()), validate=True), _base64_lines),
    "quoted-printable": (quopri.decodestring, lambda plain: quopri.encodestring(plain).replace(b"\n", b"\r\n")),
}
