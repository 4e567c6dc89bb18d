"""Ways past the gateway, tried from where a workload runs. What gets through is wrong, and has its mend."""

import os
import socket
import struct
from collections.abc import Iterator, Mapping
from typing import Final

import msgspec

from gatekeeper.cli.doctor.outcome import Outcome, note, ok, wrong

CLOSE: Final = "put the container on an internal network that only the gateway shares (docs/deploy/README.md)"
PATIENCE: Final = 3.0
"""Seconds for an answer; silence is a closed way."""

LOCAL: Final = frozenset({"localhost", "127.0.0.1", "::1", "127.0.0.0/8", "[::1]", "0.0.0.0", ".localhost"})  # noqa: S104 - an entry of NO_PROXY

type Address = tuple[str, int]


class Targets(msgspec.Struct, frozen=True, kw_only=True):
    """What is tried. The defaults are on the internet; tests name their own."""

    tcp: tuple[Address, ...] = (("1.1.1.1", 443), ("2606:4700:4700::1111", 443), ("8.8.8.8", 80))
    udp: tuple[Address, ...] = (("1.1.1.1", 443), ("8.8.8.8", 443))
    dns: tuple[Address, ...] = (("1.1.1.1", 53), ("8.8.8.8", 53))
    names: tuple[str, ...] = ("example.com", "one.one.one.one")
    metadata: tuple[Address, ...] = (("169.254.169.254", 80), ("169.254.170.2", 80), ("fd00:ec2::254", 80))


def ways_out(targets: Targets, environment: Mapping[str, str], patience: float = PATIENCE) -> Iterator[Outcome]:
    """Try each way."""
    yield from (_tcp("direct TCP", address, CLOSE, patience) for address in targets.tcp)
    yield from (_udp(address, patience) for address in targets.udp)
    yield from (_dns(address, patience) for address in targets.dns)
    yield from (_name(name) for name in targets.names)
    mend = "block 169.254.0.0/16, fd00:ec2::/32 and fe80::/10 for the container; on AWS set IMDSv2 and a hop limit of 1"
    yield from (_tcp("metadata service", address, mend, patience) for address in targets.metadata)
    yield from proxy_variables(environment)
    yield from _unproxied(environment, patience)


def _tcp(check: str, address: Address, mend: str, patience: float) -> Outcome:
    check = f"{check} to {_shown(address)}"
    try:
        socket.create_connection(address, timeout=patience).close()
    except OSError as error:
        return ok(check, f"closed ({_why(error)})")
    return wrong(check, "a connection was made, past the gateway", mend)


# A long header of a version that nobody speaks: every QUIC server answers it (RFC 9000 §6).
_QUIC: Final = b"\xc0\x0a\x0a\x0a\x0a\x08doctor01\x08doctor02".ljust(1200, b"\0")
# A query for example.com's address, recursion desired (RFC 1035 §4.1).
_QUERY: Final = struct.pack(">6H", 0xD0C, 0x0100, 1, 0, 0, 0) + b"\x07example\x03com\0\0\x01\0\x01"


def _udp(address: Address, patience: float) -> Outcome:
    return _datagram(f"QUIC (UDP) to {_shown(address)}", address, _QUIC, patience)


def _dns(address: Address, patience: float) -> Outcome:
    return _datagram(f"DNS straight to {_shown(address)}", address, _QUERY, patience)


def _datagram(check: str, address: Address, payload: bytes, patience: float) -> Outcome:
    try:
        family, kind, protocol, _, place = socket.getaddrinfo(*address, type=socket.SOCK_DGRAM)[0]
        with socket.socket(family, kind, protocol) as sender:
            sender.settimeout(patience)
            sender.connect(place)
            sender.send(payload)
            sender.recv(2048)
    except OSError as error:
        return ok(check, f"closed ({_why(error)})")
    return wrong(check, "an answer came back, past the gateway", CLOSE)


def _name(name: str) -> Outcome:
    check = f"resolving {name}"
    try:
        socket.getaddrinfo(name, 443)
    except OSError as error:
        return ok(check, f"not resolved ({_why(error)})")
    mend = (
        "names can carry data out, and the gateway resolves for the container: give it a resolver that knows inner "
        "names only (compose: `dns: 127.0.0.1`; Kubernetes: dnsPolicy None)"
    )
    return wrong(check, "the container's resolver asks the outside", mend)


def proxy_variables(environment: Mapping[str, str]) -> Iterator[Outcome]:
    """Look at what client libraries go by. Some read upper case only, some lower case only."""
    for name in ("HTTPS_PROXY", "HTTP_PROXY"):
        values = {environment.get(name, ""), environment.get(name.lower(), "")}
        if len(values) == 1 and "" not in values:
            yield ok(name, "set, in both cases")
        elif values == {""}:
            yield wrong(name, "is not set: programs go straight out, or nowhere", 'eval "$(gatekeeper env)"')
        else:
            yield wrong(name, f"differs from {name.lower()}, and programs read one or the other", "set both alike")
    for entry in _exceptions(environment):
        check = f"NO_PROXY entry {entry}"
        if entry == "*":
            yield wrong(check, "sends everything past the gateway", "take it out")
        elif entry.lower() not in LOCAL and "." not in entry.strip(".") and ":" not in entry:
            yield wrong(check, "is a whole domain, or a name that a search domain completes", "name hosts in full")


def _unproxied(environment: Mapping[str, str], patience: float) -> Iterator[Outcome]:
    """Try to reach what programs are told to reach without the gateway."""
    for entry in _exceptions(environment):
        host, _, port = entry.strip("[]").rpartition(":") if entry.count(":") == 1 else (entry.strip("[]"), "", "")
        if entry.lower() in LOCAL or entry == "*" or "/" in entry:
            continue
        for number in (int(port),) if port.isdecimal() else (443, 80):
            address = host.lstrip("."), number
            try:
                socket.create_connection(address, timeout=patience).close()
            except OSError:
                continue
            yield wrong(
                f"NO_PROXY entry {entry}",
                f"{_shown(address)} is reached past the gateway, unseen and unrecorded",
                "take it out of NO_PROXY, and give it a rule and egress.private_networks instead",
            )
            break
        else:
            yield note(f"NO_PROXY entry {entry}", "is not reached without the gateway, so it only breaks calls")


def _exceptions(environment: Mapping[str, str]) -> list[str]:
    text = ",".join(environment.get(name, "") for name in ("NO_PROXY", "no_proxy"))
    return [*dict.fromkeys(entry.strip() for entry in text.split(",") if entry.strip())]


def _why(error: OSError) -> str:
    if isinstance(error, TimeoutError):
        return "no answer"
    return (os.strerror(error.errno) if error.errno and error.errno > 0 else "no such name").lower()


def _shown(address: Address) -> str:
    host, port = address
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
