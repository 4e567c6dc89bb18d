"""The opening handshake of a WebSocket (RFC 6455 §4), judged on both sides, so that no tunnel opens by mistake. Pure.

An upstream that answers 101 to what was no handshake, or whose 101 does not belong to it, would leave a proxy
with a pipe that nothing inspects.
"""

import base64
import binascii
import hashlib
from typing import Final

from gatekeeper.exchange import Headers

GUID: Final = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"  # RFC 6455 §1.3
VERSION: Final = "13"
KEY_BYTES: Final = 16
KEPT: Final = frozenset({"connection", "upgrade"})
"""Hop-by-hop fields that a handshake needs."""


def asks_for_websocket(headers: Headers) -> bool:
    """Tell whether a request means to upgrade to WebSocket, well-formed or not."""
    return any("websocket" in value.lower() for value in _all(headers, "upgrade")) or any(
        name.lower().startswith("sec-websocket-") for name, _ in headers
    )


def handshake_problem(method: str, version: str, headers: Headers, *, has_body: bool) -> str | None:
    """Say what is wrong with a client's handshake, or None (RFC 6455 §4.2.1)."""
    keys = _all(headers, "sec-websocket-key")
    if method != "GET" or version != "HTTP/1.1" or has_body:
        return "a WebSocket opens with GET in HTTP/1.1 and without a body"
    if [value.strip().lower() for value in _all(headers, "upgrade")] != ["websocket"]:
        return "a WebSocket opens with Upgrade: websocket and nothing else"
    if "upgrade" not in _tokens(headers, "connection"):
        return "a WebSocket opens with Connection: Upgrade"
    if _all(headers, "sec-websocket-version") != [VERSION]:
        return f"the only WebSocket version taken is {VERSION}"
    if len(keys) != 1 or not _is_key(keys[0]):
        return "a WebSocket opens with one Sec-WebSocket-Key of 16 bytes"
    return None


def acceptance_problem(asked: Headers, answered: Headers) -> str | None:
    """Say what is wrong with an upstream's 101, given the headers that were sent to it, or None (§4.1)."""
    keys = _all(asked, "sec-websocket-key")
    chosen = _all(answered, "sec-websocket-protocol")
    offered = _tokens(asked, "sec-websocket-protocol")
    wrong = {
        "protocols are switched though nobody asked": len(keys) != 1 or not asks_for_websocket(asked),
        "protocols are switched to another": [value.lower() for value in _all(answered, "upgrade")] != ["websocket"],
        "the handshake lacks Connection: Upgrade": "upgrade" not in _tokens(answered, "connection"),
        "the accepted key is another's": _all(answered, "sec-websocket-accept") != [accept_of(key) for key in keys],
        "an extension is agreed on though none was offered": bool(_all(answered, "sec-websocket-extensions")),
        "a subprotocol is agreed on though it was not offered": len(chosen) > 1
        or any(value.lower() not in offered for value in chosen),
        "a handshake has no body": bool(_all(answered, "content-length") or _all(answered, "transfer-encoding")),
    }
    return next((problem for problem, is_so in wrong.items() if is_so), None)


def accept_of(key: str) -> str:
    """Compute Sec-WebSocket-Accept for a key (§4.2.2)."""
    return base64.b64encode(hashlib.sha1(key.encode("latin-1") + GUID, usedforsecurity=False).digest()).decode()


def _is_key(value: str) -> bool:
    try:
        return len(base64.b64decode(value, validate=True)) == KEY_BYTES
    except (binascii.Error, ValueError):
        return False


def _all(headers: Headers, wanted: str) -> list[str]:
    return [value for name, value in headers if name.lower() == wanted]


def _tokens(headers: Headers, wanted: str) -> set[str]:
    return {token.strip().lower() for value in _all(headers, wanted) for token in value.split(",")}
