"""One path: the normal form that rules are matched against. Pure.

What two servers could read in two ways has no normal form and is refused, since a rule that denies or
holds one reading would let the other through.
"""

import re
import unicodedata
from typing import Final

from gatekeeper.egress.names import TargetError
from gatekeeper.exchange import Reason

_TARGET: Final = re.compile(r"/[\x21-\x7e]*")  # visible ASCII only (RFC 9112 §3.2.1)
_ESCAPE: Final = re.compile(r"%([0-9A-Fa-f]{2})")
_BROKEN_ESCAPE: Final = re.compile(r"%(?![0-9A-Fa-f]{2})")
_DOUBLE_ESCAPE: Final = re.compile(r"%25[0-9A-Fa-f]{2}")
_UNRESERVED: Final = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~")  # RFC 3986 §2.3
# Sub-delims, ':' and '@' stand in a segment as they are (RFC 3986 §3.3).
_PLAIN: Final = _UNRESERVED | frozenset("!$&'()*+,=:@")
_PLAIN_SEGMENT: Final = re.compile(r"[A-Za-z0-9._~!$&'()*+,=:@-]*")
_SEPARATORS: Final = "/\\;"
_TWO_WAYS: Final = "the path can be read in two ways: it has "


def normal_path(target: str) -> str:
    """Give the path of a request target in origin form (RFC 9112 §3.2.1), without query, in normal form.

    Dot segments are resolved (RFC 3986 §5.2.4), unreserved escapes decoded, other escapes in upper case, and what
    should have been escaped is. Raises TargetError: MALFORMED for what is no path at all, AMBIGUOUS_PATH
    for `%2f`, `%5c`, backslash, `;`, empty segments (`//`), control characters, double encoding, escapes
    that are no UTF-8, and letters that become a separator or a dot segment when they are simplified.
    """
    if not target.startswith("/") or "#" in target:
        raise TargetError(Reason.MALFORMED, "expected a path that begins with /, without a fragment")
    if not _TARGET.fullmatch(target):
        raise TargetError(
            Reason.AMBIGUOUS_PATH, _TWO_WAYS + "a space, a control character or a letter that is not ASCII; escape it"
        )
    path = target.partition("?")[0]
    if "//" in path:
        # Many servers merge the slashes, others don't: a rule on /v1/refunds must not be passed by //v1/refunds.
        raise TargetError(Reason.AMBIGUOUS_PATH, _TWO_WAYS + "two slashes in a row; write one")
    if _BROKEN_ESCAPE.search(path):
        raise TargetError(Reason.AMBIGUOUS_PATH, _TWO_WAYS + "a % without two hexadecimal digits; write %25")
    return "/" + "/".join(_resolve([_segment(raw) for raw in path[1:].split("/")]))


def _segment(raw: str) -> str:
    """Bring one segment into normal form."""
    if _PLAIN_SEGMENT.fullmatch(raw):
        return raw
    normal = _ESCAPE.sub(_decode_unreserved, raw)
    if _DOUBLE_ESCAPE.search(normal):
        raise TargetError(Reason.AMBIGUOUS_PATH, _TWO_WAYS + "an escape that is escaped again")
    try:
        text = _ESCAPE.sub(lambda found: chr(int(found[1], 16)), normal).encode("latin-1").decode("utf-8")
    except UnicodeDecodeError as error:
        raise TargetError(Reason.AMBIGUOUS_PATH, _TWO_WAYS + "escapes that are not UTF-8") from error
    _check_text(text)
    return "".join(letter if letter in _PLAIN or letter == "%" else f"%{ord(letter):02X}" for letter in normal)


def _decode_unreserved(found: re.Match[str]) -> str:
    letter = chr(int(found[1], 16))
    return letter if letter in _UNRESERVED else found[0].upper()


def _check_text(text: str) -> None:
    """Refuse a decoded segment that a server could split, strip or simplify into something else."""
    if any(unicodedata.category(letter) == "Cc" for letter in text):
        raise TargetError(Reason.AMBIGUOUS_PATH, _TWO_WAYS + "an escaped control character")
    if any(separator in text for separator in _SEPARATORS):
        raise TargetError(
            Reason.AMBIGUOUS_PATH, _TWO_WAYS + "an escaped slash, a backslash or a semicolon in a segment"
        )
    # Compatibility forms: some servers read a full-width solidus as a solidus (UTR #36 §3.3).
    simple = unicodedata.normalize("NFKC", text)
    if simple != text and (simple in {".", ".."} or any(simple.count(mark) > text.count(mark) for mark in "/\\;%")):
        raise TargetError(Reason.AMBIGUOUS_PATH, _TWO_WAYS + "letters that look like a slash, dots or an escape")


def _resolve(segments: list[str]) -> list[str]:
    """Remove dot segments (RFC 3986 §5.2.4); above the root there is the root."""
    resolved: list[str] = []
    for segment in segments:
        if segment == "..":
            del resolved[-1:]
        elif segment != ".":
            resolved.append(segment)
    if segments[-1] in {".", ".."}:
        resolved.append("")  # what a directory's own name stands for ends with its slash
    return resolved
