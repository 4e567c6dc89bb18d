"""The keys that a container sends itself: where they stand in a request, and the request without them. Pure."""

import functools
import re
import urllib.parse
from collections.abc import Iterator
from typing import Final, override

import msgspec

from gatekeeper.exchange import Headers

# Headers that providers take keys from.
CREDENTIAL_HEADERS: Final = frozenset(
    {"authorization", "x-api-key", "api-key", "apikey", "x-goog-api-key", "x-auth-token", "x-access-token",
     "private-token", "x-gitlab-token", "x-vault-token", "x-functions-key", "ocp-apim-subscription-key",
     "x-amz-security-token", "x-goog-iam-authorization-token"}
)  # fmt: skip
COOKIE: Final = "cookie"
SUBPROTOCOL: Final = "sec-websocket-protocol"
PARAMETERS: Final = frozenset(
    {"key", "api_key", "api-key", "apikey", "access_token", "auth_token", "subscription-key", "x-amz-signature",
     "x-amz-security-token", "x-amz-credential", "x-goog-signature"}
)  # fmt: skip
SHORTEST_PARAMETER: Final = 16
"""Characters; a `key` in a query that is shorter is as a rule the name of something."""

# What content networks set and clients send back by themselves.
_HARMLESS_COOKIES: Final = re.compile(r"__cf_bm|_cfuvid|__cflb|cf_clearance|AWSALB\w*|ARRAffinity\w*|_ga\w*|GCLB")
_KEY_SUBPROTOCOL: Final = re.compile(r"openai-insecure-api-key\.|base64url\.bearer\.|bearer[.-]", re.IGNORECASE)
# What programs are given where a client library insists on some key. No provider ever gave out one of these.
_PLACEHOLDER: Final = re.compile(
    r"(?:sk-|ant-|key-)*(?:none|null|nil|empty|dummy|fake|test|example|placeholder|gatekeeper|unused|not-needed"
    r"|notneeded|no-key|nokey|changeme|redacted|your-api-key|x+|\*+|\.+)?",
    re.IGNORECASE,
)
_SCHEME: Final = re.compile(r"(?i)\s*(?:bearer|basic|token|apikey)(?:\s+|$)")


class Key(msgspec.Struct, frozen=True):
    """A key and its place: `header NAME`, `query NAME` or `cookie`."""

    place: str
    value: str

    @override
    def __repr__(self) -> str:
        return f"Key({self.place!r}, ‹secret›)"


def keys_of(headers: Headers, path: str, bearing: frozenset[str]) -> Iterator[Key]:
    """Find the keys of a request: in the usual headers and those that `bearing` names, in its query, in cookies."""
    for name, value in headers:
        field = spelling(name)
        if field == COOKIE:
            yield from (Key(COOKIE, value) for value in _cookies(value))
        elif field == SUBPROTOCOL:
            yield from (Key(f"header {SUBPROTOCOL}", item) for item in _items(value) if _KEY_SUBPROTOCOL.match(item))
        elif (field in CREDENTIAL_HEADERS or field in bearing) and not _PLACEHOLDER.fullmatch(key := bare(value)):
            yield Key(f"header {field}", key)
    for name, value in _parameters(path):
        if name in PARAMETERS and len(value) >= SHORTEST_PARAMETER and not _PLACEHOLDER.fullmatch(value):
            yield Key(f"query {name}", value)


def without_keys(headers: Headers, bearing: frozenset[str], *, cookies: bool) -> Headers:
    """Leave out all fields that may bear keys, placeholders included, and `cookies` where asked."""
    kept = []
    for name, value in headers:
        field = spelling(name)
        if field == SUBPROTOCOL:
            value = ", ".join(item for item in _items(value) if not _KEY_SUBPROTOCOL.match(item))  # noqa: PLW2901
            if not value:
                continue
        elif field in CREDENTIAL_HEADERS or field in bearing or (cookies and field == COOKIE):
            continue
        kept.append((name, value))
    return tuple(kept)


def without_parameters(path: str, bearing: frozenset[str]) -> str:
    """Leave out the parameters of a query that may bear keys; the others stay as they are, byte for byte."""
    before, mark, query = path.partition("?")
    kept = [
        pair
        for pair in query.split("&")
        if (name := _decoded(pair.partition("=")[0])) not in PARAMETERS and name not in bearing
    ]
    return before + ("?" + "&".join(kept) if mark and any(kept) else mark if mark and query == "" else "")


def bare(value: str) -> str:
    """Give a key without its scheme word."""
    return _SCHEME.sub("", value, count=1).strip()


@functools.lru_cache(maxsize=1024)
def spelling(name: str) -> str:
    """Compare header names as lenient servers do, to which `X_Api_Key` is `x-api-key`."""
    return name.strip().lower().replace("_", "-")


def _parameters(path: str) -> Iterator[tuple[str, str]]:
    query = path.partition("?")[2]
    for pair in query.split("&") if query else ():
        name, _, value = pair.partition("=")
        yield _decoded(name), urllib.parse.unquote_plus(value) if "%" in value or "+" in value else value


def _decoded(name: str) -> str:
    return (urllib.parse.unquote_plus(name) if "%" in name or "+" in name else name).lower()


def _cookies(value: str) -> Iterator[str]:
    for pair in value.split(";"):
        name, _, content = pair.strip().partition("=")
        if content and not _HARMLESS_COOKIES.fullmatch(name):
            yield content


def _items(value: str) -> list[str]:
    return [item.strip() for item in value.split(",") if item.strip()]
