"""Heads in plain form, read in one pass: what nearly all clients and servers send inside a tunnel.

A plain head is one that passes every check of `http1` and of mitmproxy, and that frames its body by one Content-Length,
by `chunked`, or has none. Whatever isn't plain gives None and goes the longer way, through mitmproxy's reader and all
those checks, so nothing is decided here but that there is nothing to decide. A test compares both ways.
"""

import re
import time
from collections.abc import Sequence
from typing import Final, override

from h11._receivebuffer import ReceiveBuffer
from mitmproxy.http import Headers, Request, RequestData, Response, ResponseData

from gatekeeper.egress.heads import has_lookalike

# RFC 9110 §5.6.2. Possessive, since no part of a head can be read as two parts of the form.
_TOKEN: Final = rb"[!#$%&'*+\-.^_`|~0-9A-Za-z]++"
_FIELDS: Final = rb"((?:" + _TOKEN + rb":[\t\x20-\x7e\x80-\xff]*+\r\n)*+)"
_REQUEST: Final = re.compile(rb"(" + _TOKEN + rb") (/[\x21-\x7e]*+) HTTP/1\.1\r\n" + _FIELDS)
_RESPONSE: Final = re.compile(rb"HTTP/1\.1 ([2-5][0-9][0-9]) ([\x21-\x7e][\x20-\x7e]*+)\r\n" + _FIELDS)
_LENGTH: Final = re.compile(rb"0|[1-9][0-9]{0,14}")
_BODILESS: Final = frozenset({204, 304})  # RFC 9110 §6.4.1

_FRAMING: Final = {len(b"content-length"), len(b"transfer-encoding")}
CHUNKED: Final = -1
"""In place of a body's length, where it comes in chunks."""

type Field = tuple[bytes, bytes]


class Fields(Headers):
    """Header fields of a plain head, or what was made of them. `otherwise`: the body's length where they state none.

    The look-ups give what mitmproxy's do, by an index; it takes three passes over all fields for each.
    """

    def __init__(self, fields: tuple[Field, ...], otherwise: int | None = None) -> None:  # as `copy` calls it
        self.fields = fields
        self._otherwise = otherwise
        self._sized: tuple[Field, ...] | None = None
        self._size: int | None = None
        self._indexed: tuple[Field, ...] | None = None
        self._by_name: dict[bytes, list[str]] = {}

    @property
    def size(self) -> int | None:
        """What the fields say of the body's length, or CHUNKED; None where it takes more to tell."""
        if self._sized is not self.fields:  # a tuple: whoever changes fields puts another in its place
            self._size, self._sized = _size(self.fields, self._otherwise), self.fields
        return self._size

    @override
    def get_all(self, name: str | bytes) -> list[str]:
        return [*self._values(name)]

    @override
    def get[T](self, key: str | bytes, default: T | None = None) -> str | T | None:
        values = self._values(key)
        return (values[0] if len(values) == 1 else ", ".join(values)) if values else default

    @override
    def __contains__(self, key: object) -> bool:
        return isinstance(key, str | bytes) and bool(self._values(key))

    def _values(self, name: str | bytes) -> Sequence[str]:
        if self._indexed is not self.fields:
            self._by_name = {}
            for field, value in self.fields:
                self._by_name.setdefault(field.lower(), []).append(value.decode("utf-8", "surrogateescape"))
            self._indexed = self.fields
        wanted = name if isinstance(name, bytes) else name.encode("utf-8", "surrogateescape")
        return self._by_name.get(wanted.lower(), ())


class HeadBuffer(ReceiveBuffer):
    """What a connection has received and nobody has read yet."""

    def plain_head(self) -> bytes | None:
        """Give the first head with the end of its last line, once it is complete."""
        end = self._data.find(b"\r\n\r\n")
        return None if end < 0 else bytes(self._data[: end + 2])

    def drop_head(self, head: bytes) -> None:
        """Take off what `plain_head` gave, and the empty line."""
        self._extract(len(head) + 2)


def read_request(head: bytes) -> Request | None:
    """Read a request's head in origin form; None where it isn't plain."""
    found = _REQUEST.fullmatch(head)
    if found is None or found[1] == b"CONNECT" or has_lookalike(head):
        return None
    headers = Fields(_read_fields(found[3]), otherwise=0)
    if headers.size is None:
        return None
    request = Request.__new__(Request)
    request.data = RequestData.__new__(RequestData)
    # Not by the constructor, which looks up and checks the type of every field.
    vars(request.data).update(
        host="", port=0, method=found[1], scheme=b"", authority=b"", path=found[2], http_version=b"HTTP/1.1",
        headers=headers, content=None, trailers=None, timestamp_start=time.time(), timestamp_end=None,
    )  # fmt: skip
    return request


def read_response(head: bytes, method: bytes) -> Response | None:
    """Read the head of an answer to a request of that method; None where it isn't plain."""
    found = _RESPONSE.fullmatch(head)
    if found is None or method.upper() in {b"HEAD", b"CONNECT"} or has_lookalike(head):
        return None
    status, headers = int(found[1]), Fields(_read_fields(found[3]))
    if headers.size is None or status in _BODILESS:
        return None
    response = Response.__new__(Response)
    response.data = ResponseData.__new__(ResponseData)
    vars(response.data).update(
        http_version=b"HTTP/1.1", status_code=status, reason=found[2], headers=headers, content=None,
        trailers=None, timestamp_start=time.time(), timestamp_end=None,
    )  # fmt: skip
    return response


def plain_size(message: Request | Response | None) -> int | None:
    """Give the length of the body of a message whose head was plain, or CHUNKED; None for any other message."""
    return message.headers.size if message is not None and isinstance(message.headers, Fields) else None


def _read_fields(lines: bytes) -> tuple[Field, ...]:
    return tuple(
        (name, value.strip()) for name, _, value in [line.partition(b":") for line in lines.split(b"\r\n")[:-1]]
    )


def _size(fields: tuple[Field, ...], otherwise: int | None) -> int | None:
    """Give the length that fields state, `otherwise` where they state none, and None where it takes more to tell."""
    sizes: list[int] = []
    for name, value in fields:
        if len(name) not in _FRAMING:
            continue
        match name.lower():
            case b"content-length" if _LENGTH.fullmatch(value):
                sizes.append(int(value))
            case b"transfer-encoding" if value == b"chunked":
                sizes.append(CHUNKED)
            case b"content-length" | b"transfer-encoding":
                return None
            case _:
                pass
    if len(sizes) > 1:
        return None
    return sizes[0] if sizes else otherwise
