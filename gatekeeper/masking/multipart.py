"""Multipart bodies (RFC 2046 §5.1), parsed strictly: what two readers could take apart differently is refused."""

import re
from typing import Final

import msgspec

from gatekeeper.masking.faults import UnreadableBody

_BOUNDARY: Final = re.compile(r'(?i);\s*boundary\s*=\s*(?:"([^"\\]{1,70})"|([^\s;"]{1,70}))\s*(?=;|$)')
_HEADER: Final = re.compile(rb"([!#$%&'*+.^_`|~0-9A-Za-z-]+):[ \t]*([^\r\n]*)")
_IDENTITY: Final = frozenset({"", "7bit", "8bit", "binary"})


class Part(msgspec.Struct, frozen=True):
    """A part: the places of its head and its content, and what its head says."""

    head: tuple[int, int]
    content: tuple[int, int]
    media: str
    encoding: str = ""


def read_parts(raw: bytes, media: str) -> list[Part]:
    """Take a multipart body apart; raises UnreadableBody."""
    boundary = _boundary(media)
    delimiter = b"--" + boundary
    if not raw.startswith(delimiter):
        raise _malformed()
    parts: list[Part] = []
    at = len(delimiter)
    while raw[at : at + 2] != b"--":
        if raw[at : at + 2] != b"\r\n":
            raise _malformed()
        end = raw.find(b"\r\n" + delimiter, at)
        if end < 0:
            raise _malformed()
        parts.append(_part(raw, at + 2, end))
        at = end + 2 + len(delimiter)
    if raw[at + 2 :] not in {b"", b"\r\n"}:
        raise _malformed()
    return parts


def _boundary(media: str) -> bytes:
    found = _BOUNDARY.findall(media)
    if len(found) != 1:
        raise _malformed()
    boundary: str = found[0][0] or found[0][1]
    if not boundary.isascii():
        raise _malformed()
    return boundary.encode()


def _part(raw: bytes, start: int, end: int) -> Part:
    head_end = raw.find(b"\r\n\r\n", start, end)
    if head_end < 0:
        if raw[start : start + 2] != b"\r\n":
            raise _malformed()
        return Part((start, start), (start + 2, end), "")
    fields: dict[str, str] = {}
    for line in raw[start:head_end].split(b"\r\n"):
        field = _HEADER.fullmatch(line)
        name = field[1].decode("ascii").lower() if field else ""
        if field is None or name in fields:
            raise _malformed()
        fields[name] = field[2].decode("latin-1").strip()
    encoding = fields.get("content-transfer-encoding", "").lower()
    content = (head_end + 4, end)
    encoding = "" if encoding in _IDENTITY else encoding
    return Part((start, head_end), content, fields.get("content-type", ""), encoding)


def _malformed() -> UnreadableBody:
    return UnreadableBody("it is not a well-formed multipart body")
