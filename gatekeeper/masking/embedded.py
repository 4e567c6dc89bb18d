"""What stands in base64 in a text, data URIs among it: decoded and looked at, two levels deep (RFC 4648, RFC 2397)."""

import base64
import binascii
import re
from collections.abc import Callable, Iterator
from typing import Final
from urllib.parse import quote, unquote_to_bytes

import msgspec

from gatekeeper.masking.document import Nested, Opaque, Readable
from gatekeeper.masking.faults import UnreadableBody

PART_NOT_TEXT: Final = "a part of the body is not text"

LEVELS: Final = 2
"""How often base64 in base64 is decoded."""

MOST_RUNS: Final = 10_000
"""Runs of base64 in one text that are decoded; what has more is refused."""

# Letters of base64 are marked in the whole text at once; a run of 16, which 12 bytes take, is a place to look closer.
_MARKS: Final = bytes(1 if chr(byte).isalnum() or byte in b"+/_-" else 0 for byte in range(128)) + bytes(128)
_LEAST: Final = 16
_RUN_MARKED: Final = b"\1" * _LEAST
# A slash may be escaped in JSON. Lines may be broken, as in MIME (RFC 2045 §6.8), also by JSON's escapes for line ends.
_LETTERS: Final = r"(?:[A-Za-z0-9+/_-]|\\/)"
_LINE_END: Final = r"(?:\r\n|\n|\\r\\n|\\n)"
_RUN: Final = re.compile(
    rf"{_LETTERS}{{16,}}(?:{_LINE_END}{_LETTERS}{{4,}})*(?:(?:=|%3D){{1,2}}(?!=)|(?![A-Za-z0-9+/_=]))"
)
_BROKEN: Final = re.compile(_LINE_END)
_LINE: Final = re.compile(rf"(?:(?!{_LINE_END}){_LETTERS}){{16,}}=*")
_ESCAPES: Final = frozenset("nrtbf")
_UNICODE: Final = 5  # `u` and four digits
# Of random base64 one run in 30,000 that is longer than this has no capitals, or no small letters.
_WORDS: Final = re.compile(r"[a-z_/-]+|[A-Z_/-]+|\d+|[a-z\d_/+-]{20,}|[A-Z\d_/+-]{20,}")
_PLAIN_ENDS: Final = frozenset("\"' \t,;:.()[]{}<>|?!&#*")
_BREAK: Final = re.compile(r"\\/|\r\n|\n|\\r\\n|\\n|=|%3D")
_DATA: Final = re.compile(r"(?i)data:([^,;\s\"']{0,127})(?:;[^,;\s\"']{0,127}){0,8}?(;base64)?,\Z")
_PLAIN_DATA: Final = re.compile(
    r"(?i)(?:(?<![a-z\d+/_-])|(?<=\\[nrtbf])|(?<=\\u[\da-f]{4}))data:([a-z]+/[^,;\s\"'\\]{1,127})?((?:;[^,;\s\"'\\]{1,127}){0,8}),([!#-&(-;=?-\[\]-~]+)"
)

# What bytes look like, by how they begin.
_MEDIA: Final = (
    (b"\x89PNG\r\n\x1a\n", "image"), (b"\xff\xd8\xff", "image"), (b"GIF8", "image"), (b"II*\0", "image"),
    (b"MM\0*", "image"), (b"RIFF", "audio or image"), (b"OggS", "audio"), (b"ID3", "audio"), (b"fLaC", "audio"),
    (b"\x1aE\xdf\xa3", "video"), (b"%PDF-", "document"), (b"PK\x03\x04", "archive"), (b"\x1f\x8b\x08", "archive"),
    (b"BZh", "archive"), (b"7z\xbc\xaf", "archive"), (b"\xfd7zXZ", "archive"), (b"\x28\xb5\x2f\xfd", "archive"),
)  # fmt: skip
_MARKED: Final = tuple(mark for mark, _ in _MEDIA)
_BOX: Final = b"ftyp"  # ISO base media files have it at byte 4: MP4, HEIC, AVIF
_LEAST_MEDIA: Final = 64  # bytes; shorter ones begin like that by chance

_LEAST_BINARY: Final = 1024  # bytes; what is shorter is a hash, a key, a signature, a cursor
# What providers send that is no text: embeddings, signed or encrypted reasoning. And PEM, each of whose kinds is known.
_EXPECTED: Final = re.compile(
    r"(?:\"(?:embedding|signature|encrypted_\w+|thought_?[sS]ignature)|redacted_thinking\\*\"\s*,\s*\\*\"data)\\*\"\s*:\s*\\*\"\Z"
    r"|-----BEGIN [A-Z0-9 ]{0,40}(?:-----)?(?:\s|\\+[rn])*\Z"
)
_KEY: Final = 80  # characters

type Read = Callable[[bytes, str], Readable | None]
"""Reads decoded bytes of a content type; None for what is no text."""


class Embedded(msgspec.Struct, frozen=True):
    """What stands encoded in a text. `media`: kinds of what can't be inspected."""

    nested: tuple[Nested, ...] = ()
    media: tuple[str, ...] = ()

    @property
    def uninspected(self) -> str | None:
        """Say what could not be inspected; None where all could."""
        kinds = ", ".join(sorted(set(self.media)))
        return f"{PART_NOT_TEXT}: {len(self.media)} encoded in it are {kinds}" if self.media else None


NOTHING: Final = Embedded()


def looks_like(data: bytes) -> str:
    """Name what bytes look like: an image, audio, an archive; nothing for what has no form that is known here."""
    if data[4:8] == _BOX:
        return "image or video"
    return next(kind for mark, kind in _MEDIA if data.startswith(mark)) if data.startswith(_MARKED) else ""


def read_embedded(text: str, read: Read) -> Embedded:
    """Decode what is encoded in a text. `read` sees only what decodes to text."""
    nested: list[Nested] = []
    media: list[str] = []
    for number, one in enumerate(_found(text, read)):
        if number == MOST_RUNS:
            msg = f"more than {MOST_RUNS} values of it are encoded"
            raise UnreadableBody(msg)
        nested.append(one)
        if isinstance(one.document, Opaque):
            media.append(one.document.kind)
    return Embedded(tuple(nested), tuple(media)) if nested else NOTHING


def _runs(text: str) -> Iterator[re.Match[str]]:
    if "\\/" in text:
        yield from _runs_with_slashes(text)
        return
    marks = text.encode("ascii", "replace").translate(_MARKS)
    at = 0
    while (start := marks.find(_RUN_MARKED, at)) >= 0:
        start = _after_escape(text, start)
        at = marks.find(b"\0", start)
        if at >= 0 and text[at] in _PLAIN_ENDS and text[start - 1 : start] != "," and is_prose(text[start:at]):
            continue
        if (match := _RUN.match(text, start)) is not None:
            yield match
            at = match.end()
        elif at < 0:
            return


def _runs_with_slashes(text: str) -> Iterator[re.Match[str]]:
    at = 0
    while found := _RUN.search(text, at):
        start = _after_escape(text, found.start())
        match = found if start == found.start() else _RUN.match(text, start)
        at = match.end() if match else start + _LEAST
        if match:
            yield match


def _after_escape(text: str, start: int) -> int:
    """Give where a run begins whose first letters are those of an escape of JSON: of a line end, of a character."""
    if text[start - 1 : start] != "\\":
        return start
    return start + (1 if text[start] in _ESCAPES else _UNICODE if text[start] == "u" else 0)


def _found(text: str, read: Read) -> Iterator[Nested]:
    for match in _runs(text):
        start, end = match.span()
        declared = _DATA.search(text, max(0, start - 1200), start) if text[start - 1 : start] == "," else None
        if (one := _decoded(text, start, end, declared[1] if declared else None, read)) is not None:
            yield one
        elif _BROKEN.search(match[0]):  # a word in the next line may seem to go on with it
            for line in _LINE.finditer(text, start, end):
                if (one := _decoded(text, _after_escape(text, line.start()), line.end(), None, read)) is not None:
                    yield one
    if "data:" in text or "DATA:" in text:
        yield from _plain_data(text, read)


def _plain_data(text: str, read: Read) -> Iterator[Nested]:
    for match in _PLAIN_DATA.finditer(text):
        if match[2].lower().endswith(";base64") or "%" not in match[3]:
            continue
        plain = unquote_to_bytes(match[3])
        document = read(plain, match[1] or "text/plain")
        if document is not None:
            yield Nested(match.start(3), match.end(3), document, plain, quote)


def _decoded(text: str, start: int, end: int, media: str | None, read: Read) -> Nested | None:
    run = text[start:end]
    letters = run if run.isalnum() else _BREAK.sub(lambda found: "/" if found[0] == "\\/" else "", run)
    if media is None and is_prose(letters) and not run.endswith("="):
        return None
    safe = "-" in letters or "_" in letters
    standard = letters.replace("-", "+").replace("_", "/") if safe else letters
    try:
        plain = base64.b64decode(standard + "=" * (-len(standard) % 4), validate=True)
    except (binascii.Error, ValueError):
        return None
    known = looks_like(plain) if len(plain) >= _LEAST_MEDIA else ""
    document = read(plain, media or "") if not known and _is_text(plain) else None
    if document is not None:
        padded = run.endswith("=") or len(letters) % 4 == 0
        return Nested(start, end, document, plain, _encoder(safe=safe, padded=padded))
    kind = known or _declared(media) or ("" if len(plain) < _LEAST_BINARY or _is_expected(text, start) else "binary")
    return Nested(start, end, Opaque(plain, kind), plain, lambda stand_in: stand_in.decode()) if kind else None


def _declared(media: str | None) -> str:
    """Name what a data URI says that it holds, where that is no text."""
    if media is None or media.lower().startswith("text/"):
        return ""
    return media.partition("/")[0].lower() if re.fullmatch(r"[A-Za-z]+/[\w.+-]+", media) else "data"


def _is_expected(text: str, start: int) -> bool:
    """Tell whether what stands left of a run says what its bytes are: numbers of a model, a seal, a certificate."""
    return _EXPECTED.search(text, max(0, start - _KEY), start) is not None


def is_prose(letters: str) -> bool:
    """Tell whether it is words or a number rather than base64, which mixes capitals, small letters and digits."""
    return _WORDS.fullmatch(letters) is not None


def _is_text(plain: bytes) -> bool:
    try:
        plain.decode()
    except UnicodeDecodeError:
        return plain[:2] in {b"\xff\xfe", b"\xfe\xff"}
    return True


def _encoder(*, safe: bool, padded: bool) -> Callable[[bytes], str]:
    def written(plain: bytes) -> str:
        encoded = (base64.urlsafe_b64encode if safe else base64.b64encode)(plain).decode()
        return encoded if padded else encoded.rstrip("=")

    return written
