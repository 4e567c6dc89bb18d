"""The heads of HTTP/1 messages, as bytes: only what every parser reads in the same way. Pure.

Two readers that disagree on where a message ends, or on what a field is called, are what request and
response smuggling are made of (RFC 9112 §11.2), so nothing is guessed at and nothing is repaired.
"""

import re
from collections.abc import Iterable
from typing import Final

# RFC 9110 §5.5: a field value holds no control character but HTAB. CR and LF end lines and are looked at there.
_CONTROL: Final = re.compile(rb"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]")
# RFC 9110 §5.1, §5.6.2: a field name is a token, and the colon follows at once (RFC 9112 §5.1).
_NAMELESS: Final = re.compile(rb"\r\n(?![!#$%&'*+\-.^_`|~0-9A-Za-z]+:)")
# Gateways to CGI, WSGI and the like read `Content_Length` as Content-Length; others pass it by.
_LOOKALIKE: Final = re.compile(
    rb"\r\n(?=[^:\r\n]*_)(?:content[-_]length|transfer[-_]encoding|proxy[-_]authorization|x[-_]gatekeeper[-_]identity):",
    re.IGNORECASE,
)
_FRAMED: Final = re.compile(rb"\r\n(?:content-length|transfer-encoding):", re.IGNORECASE)
# RFC 9112 §4: HTTP-version SP status-code SP [ reason-phrase ]; the last space is often left out.
_STATUS_LINE: Final = re.compile(rb"HTTP/1\.[01] [1-5][0-9]{2}(?: [\t\x20-\x7e\x80-\xff]*)?")
_CHUNK_SIZE: Final = re.compile(rb"[0-9A-Fa-f]{1,16}\r\n")


def head_problem(head: bytes) -> str | None:
    """Say what is wrong with the lines of a complete head, or None (RFC 9112 §2.2, §5)."""
    lines = head.count(b"\r\n")
    if head.count(b"\n") != lines or head.count(b"\r") != lines:
        return "a line of the head does not end with CR LF"
    if b"\r\n " in head or b"\r\n\t" in head:
        return "the head has a folded header"
    return control_problem(head) or field_problem(head)


def control_problem(head: bytes) -> str | None:
    """Say whether a head holds a control character, or None."""
    if b"\0" in head:
        return "the head holds NUL"
    return "the head holds a control character" if _CONTROL.search(head) else None


def field_problem(head: bytes) -> str | None:
    """Say which field of a head has no clear name, or None."""
    if _NAMELESS.search(head):
        return "a line of the head is no `name: value`"
    if has_lookalike(head):
        return "a field has an underscore where its name has a hyphen"
    return None


def has_lookalike(head: bytes) -> bool:
    """Tell whether a field has an underscore where a framing or identity field has its hyphen."""
    return b"_" in head and _LOOKALIKE.search(head) is not None


def fields_problem(fields: Iterable[tuple[bytes, bytes]]) -> str | None:
    """Say what is wrong with header fields that came in frames, or None: there a line end is a character like any."""
    for name, value in fields:
        if b"\r" in name + value or b"\n" in name + value:
            return "a field holds a line end"
        if value != value.strip(b" \t"):
            return "a field's value has white space around it"  # RFC 9113 §8.2.1
    return head_problem(b"".join(b"\r\n%s: %s" % field for field in fields))


def target_problem(line: bytes, *, at_proxy_port: bool) -> str | None:
    """Say what is wrong with a request line, or None (RFC 9112 §3)."""
    words = line.split(b" ")
    if len(words) != 3:  # noqa: PLR2004 - method, target, version
        return "the request line is not method, target, version"
    method, target, version = words
    if version not in {b"HTTP/1.1", b"HTTP/1.0"}:
        return "the only versions taken are HTTP/1.1 and HTTP/1.0"
    if at_proxy_port:
        if method != b"CONNECT" and not target.lower().startswith(b"http://"):
            return "a proxy takes CONNECT, or http:// in absolute form; https goes through CONNECT"
    elif method == b"CONNECT":
        return "CONNECT inside a tunnel"
    elif not target.startswith(b"/"):
        return "inside a tunnel a request names its path only"
    return None


def request_problem(head: bytes, *, at_proxy_port: bool) -> str | None:
    """Say what is wrong with the head of a request, without its last line end, or None."""
    problem = head_problem(head) or target_problem(head.partition(b"\r\n")[0], at_proxy_port=at_proxy_port)
    if problem is None and head.startswith(b"CONNECT ") and _FRAMED.search(head):
        return "CONNECT has no body"  # RFC 9110 §9.3.6
    return problem


def answer_problem(head: bytes) -> str | None:
    """Say what is wrong with the head of an answer, without its last line end, or None."""
    if not _STATUS_LINE.fullmatch(head.partition(b"\r\n")[0]):
        return "the status line is not version, status, reason"
    return head_problem(head)


def chunk_size(line: bytes) -> int | None:
    """Read a chunk's first line with its line end; None for all but plain hexadecimal digits.

    RFC 9112 §7.1.1 allows extensions, which nobody needs and parsers end in different places.
    """
    return int(line, 16) if _CHUNK_SIZE.fullmatch(line) else None
