"""Reads and rewrites the heads that pass the relay. Pure; bytes in, bytes out."""

import re
from typing import Final, override

import msgspec

# RFC 9112 §3: only the two forms that a client sends to a proxy.
_CONNECT: Final = re.compile(rb"CONNECT [A-Za-z0-9._:\[\]-]+:[0-9]{1,5} HTTP/1\.[01]")
_ABSOLUTE: Final = re.compile(rb"(?!CONNECT )[!#$%&'*+.^_`|~0-9A-Za-z-]+ (?i:http)://[\x21-\x7e]+ HTTP/1\.[01]")
_FIELD: Final = re.compile(rb"[!#$%&'*+.^_`|~0-9A-Za-z-]+:[^\x00\r\n]*")
_STATUS: Final = re.compile(rb"HTTP/1\.[01] (?P<status>[1-9][0-9]{2})(?: [^\x00\r\n]*)?")
_LENGTH: Final = re.compile(rb"[0-9]{1,15}")

# What the relay says itself: who asks, and that the connection serves one request.
_OWN: Final = frozenset({b"proxy-authorization", b"proxy-connection"})
_PERSISTENCE: Final = frozenset({b"connection", b"keep-alive"})

type Field = tuple[bytes, bytes]


class RequestHead(msgspec.Struct, frozen=True):
    """The head of a request to a proxy."""

    line: bytes
    fields: tuple[Field, ...]

    @override
    def __repr__(self) -> str:
        return "RequestHead(‹secret›)"

    @property
    def connects(self) -> bool:
        """Whether it asks for a tunnel."""
        return self.line.startswith(b"CONNECT ")

    def with_token(self, token: str) -> bytes:
        """Give the head as the gateway gets it: with this token and no other credentials.

        Of plain HTTP a connection carries one request, so that each one passes here for its token.
        """
        dropped = _OWN if self.connects else _OWN | _PERSISTENCE
        kept = [field for field in self.fields if field[0].lower() not in dropped]
        kept.append((b"Proxy-Authorization", b"Bearer " + token.encode("ascii")))
        if not self.connects:
            kept.append((b"Connection", b"close"))
        return _write(self.line, kept)


class AnswerHead(msgspec.Struct, frozen=True):
    """The head of the gateway's answer to CONNECT. `length` is None where the body ends with the connection."""

    line: bytes
    status: int
    fields: tuple[Field, ...]
    length: int | None

    def closing(self) -> bytes:
        """Give the head with word that the connection ends after it."""
        kept = [field for field in self.fields if field[0].lower() not in _PERSISTENCE | _OWN]
        return _write(self.line, [*kept, (b"Connection", b"close")])


def read_request(head: bytes) -> RequestHead:
    """Parse the head of a request, with its closing empty line.

    Raises ValueError for all but CONNECT host:port and absolute http:// forms.
    """
    line, fields = _split(head)
    if not _CONNECT.fullmatch(line) and not _ABSOLUTE.fullmatch(line):
        msg = "expected CONNECT host:port, or a request for an http:// address; use this address as HTTPS_PROXY"
        raise ValueError(msg)
    return RequestHead(line, fields)


def read_answer(head: bytes) -> AnswerHead:
    """Parse the head of an answer to CONNECT; raises ValueError."""
    line, fields = _split(head)
    found = _STATUS.fullmatch(line)
    if found is None:
        msg = "the gateway's answer is no HTTP"
        raise ValueError(msg)
    lengths = {value for name, value in fields if name.lower() == b"content-length"}
    length = lengths.pop() if len(lengths) == 1 else b""
    return AnswerHead(line, int(found["status"]), fields, int(length) if _LENGTH.fullmatch(length) else None)


def _split(head: bytes) -> tuple[bytes, tuple[Field, ...]]:
    line, *lines = head.removesuffix(b"\r\n\r\n").split(b"\r\n")
    fields: list[Field] = []
    for text in lines:
        # No folded lines, no space before the colon (RFC 9112 §5): what it hides might be credentials.
        if not _FIELD.fullmatch(text):
            msg = "a header field is malformed"
            raise ValueError(msg)
        name, _, value = text.partition(b":")
        fields.append((name, value.strip(b" \t")))
    return line, tuple(fields)


def _write(line: bytes, fields: list[Field]) -> bytes:
    return b"".join([line, b"\r\n", *(name + b": " + value + b"\r\n" for name, value in fields), b"\r\n"])
