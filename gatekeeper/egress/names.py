"""One name: what CONNECT, SNI, Host and the request itself call the far side, in one spelling. Pure."""

import functools
import ipaddress
import re
from collections.abc import Sequence
from typing import Final

import idna

from gatekeeper.exchange import Reason, Scheme, Target

HOST_LIMIT: Final = 253  # RFC 1035 §2.3.4, without the root's dot
HIGHEST_PORT: Final = 65535

# RFC 1123 §2.1, with the underscore that real names have.
_LABEL: Final = re.compile(r"[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?")
_NUMBER: Final = re.compile(r"[0-9]+|0x[0-9a-f]*")
_AUTHORITY: Final = re.compile(r"(?P<host>\[[^\[\]]*\]|[^:\[\]]*)(?::(?P<port>[1-9][0-9]{0,4}))?")
_DEFAULT_PORTS: Final = {Scheme.HTTP: 80, Scheme.HTTPS: 443}


class TargetError(ValueError):
    """Where a request wants to go can't be told for sure. The text is for people and quotes nothing."""

    def __init__(self, reason: Reason, text: str) -> None:
        super().__init__(text)
        self.reason = reason


@functools.lru_cache(maxsize=256)  # each request asks three times for the same name
def normalise_host(host: str) -> str:
    """Give the one spelling of a host: lower case, A-labels, no trailing dot; addresses without brackets.

    Raises TargetError for all that is neither a host name nor an address as RFC 3986 §3.2.2 writes it:
    zone ids, user info, escapes, and the short, octal and hexadecimal forms of IPv4.
    """
    if host.startswith("[") or ":" in host:
        return _ipv6(host)
    name = (host if host.isascii() else _ascii(host)).lower()
    if (address := _ipv4(name)) is not None and host.isascii():
        return address
    name = name.removesuffix(".")
    labels = name.split(".")
    if len(name) > HOST_LIMIT or not all(_LABEL.fullmatch(label) for label in labels):
        raise _malformed()
    if _NUMBER.fullmatch(labels[-1]):
        # What ends in a number is read as an IPv4 address by some (WHATWG URL §3.5) and as a name by others.
        raise TargetError(Reason.MALFORMED, "an IPv4 address is written as four decimal numbers")
    for label in labels:
        _check_punycode(label)
    return name


def read_authority(authority: str) -> tuple[str, int | None]:
    """Split `host`, `host:port` or `[address]:port`, and normalise the host; raises TargetError."""
    found = _AUTHORITY.fullmatch(authority)
    if found is None:
        raise _malformed()
    port = int(found["port"]) if found["port"] else None
    if port is not None and port > HIGHEST_PORT:
        raise TargetError(Reason.MALFORMED, f"a port is a number from 1 to {HIGHEST_PORT}")
    return normalise_host(found["host"]), port


def check_names(
    connect: tuple[str, int] | None,
    sni: str | None,
    host_headers: Sequence[str],
    scheme: Scheme,
    request_host: str,
    request_port: int,
) -> Target:
    """Give the one target that every name of a request means; raises TargetError.

    `connect` is what CONNECT named, None for plain HTTP; `host_headers` the values of all Host fields,
    or the `:authority` of HTTP/2; `request_host` and `request_port` what the request itself is for. A
    client that sends no SNI has named nothing there, so nothing differs.
    """
    if len(host_headers) != 1:
        raise TargetError(Reason.MALFORMED, "a request has exactly one Host header")  # RFC 9112 §3.2
    if connect is None and scheme is Scheme.HTTPS:
        raise TargetError(Reason.MALFORMED, "https goes through CONNECT, not as a request to the proxy")
    host, port = normalise_host(request_host), request_port
    if not 0 < port <= HIGHEST_PORT:
        raise TargetError(Reason.MALFORMED, f"a port is a number from 1 to {HIGHEST_PORT}")
    if connect is not None and (normalise_host(connect[0]), connect[1]) != (host, port):
        raise TargetError(Reason.NAMES_DIFFER, "the request names another host or port than CONNECT")
    if sni is not None and normalise_host(sni) != host:
        raise TargetError(Reason.NAMES_DIFFER, "the TLS server name (SNI) is another than the request's")
    named, named_port = read_authority(host_headers[0])
    if named != host:
        raise TargetError(Reason.NAMES_DIFFER, "the Host header names another host than the connection")
    if (named_port or _DEFAULT_PORTS[scheme]) != port:
        raise TargetError(Reason.NAMES_DIFFER, "the Host header names another port than the connection")
    return Target(scheme, host, port)


def _malformed() -> TargetError:
    return TargetError(Reason.MALFORMED, "expected a host name such as api.example.com, or an IP address")


def _ipv6(host: str) -> str:
    bare = host[1:-1] if host.startswith("[") and host.endswith("]") else host
    try:
        address = ipaddress.IPv6Address(bare)
    except ValueError as error:
        raise _malformed() from error
    if address.scope_id is not None:
        raise TargetError(Reason.MALFORMED, "an address with a zone has no meaning beyond this machine")
    return str(address)


def _ipv4(name: str) -> str | None:
    try:
        return str(ipaddress.IPv4Address(name))
    except ValueError:
        return None


def _ascii(host: str) -> str:
    """Encode a name as clients and registries do (UTS #46, nontransitional)."""
    try:
        return idna.encode(host, uts46=True, transitional=False).decode("ascii")
    except (idna.IDNAError, UnicodeError) as error:
        raise _malformed() from error


def _check_punycode(label: str) -> None:
    """Refuse an A-label that stands for no U-label (RFC 5891 §5.4)."""
    if label.startswith("xn--"):
        try:
            idna.ulabel(label)
        except (idna.IDNAError, UnicodeError) as error:
            raise _malformed() from error
