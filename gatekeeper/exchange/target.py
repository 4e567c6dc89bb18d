"""Where a call goes, and the message that goes there."""

import enum

import msgspec

type Headers = tuple[tuple[str, str], ...]
"""Header fields in order, as received; bytes read as ISO-8859-1."""


class Scheme(enum.Enum):
    """The protocol spoken upstream."""

    HTTP = "http"
    HTTPS = "https"


class Target(msgspec.Struct, frozen=True):
    """One name, normalised (lower case, A-labels, no trailing dot), or an IP literal without brackets."""

    scheme: Scheme
    host: str
    port: int


class Message(msgspec.Struct, frozen=True, kw_only=True):
    """A request or an answer as parts above mitmproxy see it.

    `url` is empty for an answer; `path` is the request path in normal form, without query; `body` is
    what remains once content encodings are taken off.
    """

    method: str = ""
    url: str = ""
    path: str = ""
    status: int = 0
    headers: Headers = ()
    body: bytes = b""

    def header(self, name: str) -> str:
        """Give the first field of that name, or an empty string."""
        wanted = name.lower()
        return next((value for field, value in self.headers if field.lower() == wanted), "")
