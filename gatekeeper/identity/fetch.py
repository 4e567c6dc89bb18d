"""Fetches an issuer's documents: https only, no redirects, bounded in size and time, nothing cached elsewhere."""

import asyncio
import json
import re
import ssl
from collections.abc import Awaitable, Callable
from typing import Final
from urllib.parse import urlsplit

import certifi
import httpx
import msgspec

from gatekeeper.identity.keys import JWKS_LIMIT
from gatekeeper.identity.token import read_object

TIME_LIMIT: Final = 3.0
"""Seconds for one document, from the name's resolution to its last byte."""

PIECES_LIMIT: Final = 512
"""A document of the largest size comes in half as many segments; one that drips would cost others the processor."""

WELL_KNOWN: Final = "/.well-known/openid-configuration"
"""OpenID Connect Discovery §4."""

_OK: Final = 200
_MAX_AGE: Final = re.compile(r"(?:^|[\s,])max-age=(\d{1,9})(?:[\s,]|$)", re.IGNORECASE)


class Document(msgspec.Struct, frozen=True):
    """What came: the bytes, and for how many seconds they are said to be good."""

    data: bytes
    max_age: int | None


type Fetch = Callable[[str], Awaitable[Document]]
"""Gives a document; raises ValueError with what was wrong, in a few words of our own."""


def trusted_roots(upstream_ca: str) -> ssl.SSLContext:
    """Give the roots that issuers are verified against: the public ones, and `proxy.upstream_ca`; raises OSError."""
    context = ssl.create_default_context(cafile=certifi.where())
    # As upstreams are verified: many a private CA, such as a cluster's, lacks an extension that RFC 5280 wants.
    context.verify_flags &= ~ssl.VERIFY_X509_STRICT
    if upstream_ca:
        context.load_verify_locations(cafile=upstream_ca)
    return context


def https_fetch(roots: Callable[[], ssl.SSLContext], time_limit: float = TIME_LIMIT) -> Fetch:
    """Make the fetcher. `roots` is asked once, with the first document: many configurations need none."""
    contexts: list[ssl.SSLContext] = []

    async def fetch(url: str) -> Document:
        check_address(url)
        try:
            if not contexts:
                contexts.append(await asyncio.to_thread(roots))
            async with asyncio.timeout(time_limit):
                return await _get(url, contexts[0])
        except TimeoutError as error:
            msg = f"gave no answer within {time_limit:g}s"
            raise ValueError(msg) from error
        except (httpx.HTTPError, httpx.InvalidURL, httpx.StreamError, OSError, UnicodeError) as error:
            # `from None` and no text of it: an error of a library quotes what came.
            msg = f"can't be fetched ({type(error).__name__})"
            raise ValueError(msg) from None

    return fetch


def check_address(url: str) -> None:
    """Refuse an address that is not plain https; raises ValueError."""
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError as error:
        msg = "is no URL"
        raise ValueError(msg) from error
    if parts.scheme != "https" or not parts.hostname or "@" in parts.netloc or parts.fragment or port == 0:
        msg = "is no https URL without user and fragment"
        raise ValueError(msg)
    if not url.isascii() or not url.isprintable() or " " in url:
        msg = "holds characters that no URL has"
        raise ValueError(msg)


def read_discovery(data: bytes, issuer: str) -> str:
    """Give the `jwks_uri` of a discovery document that is exactly `issuer`'s (Discovery §4.3); raises ValueError."""
    try:
        document = read_object(data)
    except ValueError as error:
        msg = "is no JSON object, or has a key twice"
        raise ValueError(msg) from error
    if document.get("issuer") != issuer:
        msg = "is of another issuer than the one that was asked"
        raise ValueError(msg)
    uri = document.get("jwks_uri")
    if not isinstance(uri, str):
        msg = "names no jwks_uri"
        raise ValueError(msg)  # noqa: TRY004 - wrong input, not a wrong type in the program
    return uri


async def _get(url: str, roots: ssl.SSLContext) -> Document:
    # A client for each: connections that idle for half an hour are of no use, and one less thing to close.
    async with (
        httpx.AsyncClient(verify=roots, follow_redirects=False, trust_env=False, timeout=None) as client,  # noqa: S113 - bounded as a whole
        client.stream("GET", url, headers={"Accept": "application/json", "Accept-Encoding": "identity"}) as answer,
    ):
        if answer.status_code != _OK:
            msg = f"answered with status {answer.status_code}"
            raise ValueError(msg)
        if "content-encoding" in answer.headers:
            msg = "is encoded, which was not asked for"
            raise ValueError(msg)
        data, pieces = b"", 0
        async for piece in answer.aiter_raw():
            data, pieces = data + piece, pieces + 1
            if pieces > PIECES_LIMIT:
                msg = f"comes in more than {PIECES_LIMIT} pieces"
                raise ValueError(msg)
            if len(data) > JWKS_LIMIT:
                msg = f"is longer than {JWKS_LIMIT} bytes"
                raise ValueError(msg)
        found = _MAX_AGE.search(answer.headers.get("cache-control", ""))
        return Document(data, int(found[1]) if found else None)


def shown(url: str) -> str:
    """Give a URL as it may be shown: an issuer chose it."""
    return json.dumps(url)[1:-1] if len(url) <= 300 else json.dumps(url[:300])[1:-1] + "…"  # noqa: PLR2004 - a line
