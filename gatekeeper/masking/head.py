"""URL and header fields: what is in them, and what of them is never recorded."""

import re
from collections.abc import Iterator
from typing import Final
from urllib.parse import quote_plus

import msgspec

from gatekeeper.exchange import Finding, Message
from gatekeeper.masking.document import replacements, rewrite
from gatekeeper.masking.form import form_strands, path_strand
from gatekeeper.masking.json_source import key_words
from gatekeeper.masking.operators import Operators
from gatekeeper.masking.scanner import Scanner, Work
from gatekeeper.masking.strand import Hit, Leaf, Strand, could_hit, hits
from gatekeeper.masking.view import View, form_encoded

REMOVED: Final = "‹removed›"

SECRET_FIELDS: Final = frozenset(
    {"authorization", "proxy-authorization", "x-api-key", "api-key", "apikey", "x-goog-api-key", "cookie",
     "set-cookie", "x-gatekeeper-identity", "x-amz-security-token", "x-auth-token", "x-access-token", "x-csrf-token",
     "x-xsrf-token", "private-token", "x-gitlab-token", "x-vault-token", "x-functions-key",
     "ocp-apim-subscription-key", "x-goog-iam-authorization-token", "authentication-info"}
)  # fmt: skip
SECRET_PARAMETERS: Final = frozenset(
    {"key", "api_key", "api-key", "apikey", "access_token", "id_token", "refresh_token", "token", "auth", "auth_token",
     "sig", "signature", "secret", "client_secret", "password", "passwd", "pwd", "subscription-key", "code",
     "x-amz-signature", "x-amz-credential", "x-amz-security-token", "x-goog-signature", "x-goog-credential"}
)  # fmt: skip
# They say how to read the message; a change would make it another one.
_STRUCTURAL: Final = frozenset({"host", "content-type", "content-length", "date", "transfer-encoding", "connection"})
_SET_COOKIE: Final = "set-cookie"
_COOKIE: Final = re.compile(r"([^=;]*)=([^;]*)")
_CREDENTIALS: Final = frozenset({"API_KEY", "JWT", "PRIVATE_KEY"})  # a session's own; masked, no one could log in
_URLS: Final = frozenset({"location", "content-location", "referer", "refresh"})
_AUTHORITY: Final = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://(?:[^/?#@]*@)?[^/?#]*")
_PARAMETER: Final = re.compile(r"([?&;#])([^=&;#?]*)=[^&;#]*")
_USER: Final = re.compile(r"(?<=://)[^/?#@]+@")


_URL: Final = -1
_PATH: Final = -2


class Place(msgspec.Struct, frozen=True):
    """A header field by its number, the URL, or the path (the URL's, in normal form), with what is in it."""

    number: int
    name: str
    text: str
    hits: tuple[Hit, ...]


def read_head(scanner: Scanner, message: Message, work: Work) -> tuple[Place, ...]:
    """Find what is in URL and header fields, those left out that carry credentials. One gate for all."""
    fields = [
        (number, name, value)
        for number, (name, value) in enumerate(message.headers)
        if (lower := name.lower()) == _SET_COOKIE or (lower not in SECRET_FIELDS and lower not in _STRUCTURAL)
    ]
    if not _could_hit(scanner, "\n".join([message.url, *(f"{name}: {value}" for _, name, value in fields)])):
        return ()
    places = [
        Place(_URL, "url", message.url, hits(scanner, _url_strands(message.url), work)),
        Place(_PATH, "", message.path, hits(scanner, _url_strands(message.path), work)),
    ]
    for number, name, value in fields:
        places.append(Place(number, f"header {name.lower()}", value, _in_field(scanner, name, value, work)))
    return tuple(place for place in places if place.hits)


def head_findings(places: tuple[Place, ...]) -> Iterator[Finding]:
    """Give a finding for each hit; the path's are the URL's."""
    return (Finding(hit.entity, place.name) for place in places if place.number != _PATH for hit in place.hits)


def _could_hit(scanner: Scanner, text: str) -> bool:
    return could_hit(scanner, text) or ("%" in text and could_hit(scanner, form_encoded(text).text))


def _in_field(scanner: Scanner, name: str, value: str, work: Work) -> tuple[Hit, ...]:
    if name.lower() in _URLS:
        return hits(scanner, _url_strands(value), work)
    if name.lower() == _SET_COOKIE:
        found = hits(scanner, _cookie_strands(value), work)
        return tuple(hit for hit in found if hit.entity not in _CREDENTIALS)
    return hits(scanner, [Strand((Leaf(View(value), 0),), key_words((name,)))], work)


def _cookie_strands(cookie: str) -> Iterator[Strand]:
    """Give a cookie's value with its name to the left; its attributes say where it goes (RFC 6265 §4.1)."""
    if match := _COOKIE.match(cookie):
        yield Strand(
            (Leaf(form_encoded(match[2]), match.start(2), quote_plus),), key_words((match[1].strip(),)) or "= "
        )


def _url_strands(url: str) -> Iterator[Strand]:
    """Give path, query and fragment; never the authority, which says where the call goes."""
    authority = _AUTHORITY.match(url)
    start = authority.end() if authority else 0
    query = min((at for mark in "?#" if (at := url.find(mark, start)) >= 0), default=len(url))
    if start < query:
        yield path_strand(url[start:query], start)
    if query < len(url):
        yield from form_strands(url, query + 1, SECRET_PARAMETERS)


def masked_head(message: Message, places: tuple[Place, ...], operators: Operators) -> Message:
    """Apply operators to URL and fields; the same object where nothing changes."""
    headers = list(message.headers)
    lines = {_URL: message.url, _PATH: message.path}
    changed = False
    for place in places:
        if not (changes := replacements(place.hits, operators)):
            continue
        changed = True
        text = rewrite(place.text, changes)
        if place.number in lines:
            lines[place.number] = text
        else:
            headers[place.number] = (headers[place.number][0], text)
    if not changed:
        return message
    return msgspec.structs.replace(message, url=lines[_URL], path=lines[_PATH], headers=tuple(headers))


def without_secrets(message: Message) -> Message:
    """Take out the values that carry credentials: of header fields, and of URLs."""
    headers = tuple((name, _without_secret(name.lower(), value)) for name, value in message.headers)
    return msgspec.structs.replace(message, headers=headers, url=_url_without_secrets(message.url))


def _without_secret(name: str, value: str) -> str:
    if name in SECRET_FIELDS:
        return REMOVED
    return _url_without_secrets(value) if name in _URLS else value


def _url_without_secrets(url: str) -> str:
    if "@" in url:
        url = _USER.sub(f"{REMOVED}@", url)
    return _PARAMETER.sub(_parameter, url) if "=" in url else url


def _parameter(match: re.Match[str]) -> str:
    name = form_encoded(match[2]).text.lower()
    return f"{match[1]}{match[2]}={REMOVED}" if name in SECRET_PARAMETERS else match[0]
