"""Which rules a host could match: a dictionary of names, one of suffixes, one of addresses. Pure.

A name matches a rule that names it, that names a suffix of it with `*.`, or that names no host. An address
matches only a rule that names it: nobody who writes a rule without hosts thinks of addresses.
"""

import ipaddress
from collections import defaultdict
from collections.abc import Iterator, Sequence
from typing import Final

from gatekeeper.config import ConfigError

WILDCARD: Final = "*."

type Candidates = tuple[tuple[int, str], ...]
"""Number of a rule, and the pattern of it that matches (empty where it names no host); in the rules' order."""


class HostIndex:
    """Compiled once from the `hosts` of all rules; raises ConfigError, which names the key."""

    def __init__(self, rules: Sequence[tuple[str, ...]]) -> None:
        names: defaultdict[str, dict[int, str]] = defaultdict(dict)
        suffixes: defaultdict[str, dict[int, str]] = defaultdict(dict)
        addresses: defaultdict[str, dict[int, str]] = defaultdict(dict)
        anywhere = {rule: "" for rule, hosts in enumerate(rules) if not hosts}
        for rule, hosts in enumerate(rules):
            for number, written in enumerate(hosts):
                pattern = plain_name(written)
                if (address := address_of(pattern)) is not None:
                    addresses[address].setdefault(rule, pattern)
                elif "*" in pattern.removeprefix(WILDCARD) or not pattern:
                    msg = f"rules[{rule}].hosts[{number}]: {written!r}: a `*` may only lead, as in *.example.com"
                    raise ConfigError(msg)
                else:
                    table = suffixes if pattern.startswith(WILDCARD) else names
                    table[pattern.removeprefix(WILDCARD)].setdefault(rule, pattern)
        self._anywhere = _in_order(anywhere)
        self._addresses = {address: _in_order(found) for address, found in addresses.items()}
        self._suffixes = {
            suffix: _in_order(
                *(suffixes[parent] for parent in (suffix, *_parents(suffix)) if parent in suffixes), anywhere
            )
            for suffix in tuple(suffixes)
        }
        self._names = {
            name: _in_order(found, *(suffixes[parent] for parent in _parents(name) if parent in suffixes), anywhere)
            for name, found in names.items()
        }

    def candidates(self, host: str) -> Candidates:
        """Give the rules that a target's host matches."""
        name = plain_name(host)
        if (known := self._names.get(name)) is not None:
            return known
        if (address := address_of(name)) is not None:
            return self._addresses.get(address, ())
        for parent in _parents(name):
            if (below := self._suffixes.get(parent)) is not None:
                return below
        return self._anywhere


def plain_name(host: str) -> str:
    """Give a host in lower case, without the dot at its end: neither says anything."""
    return host.lower().removesuffix(".")


def address_of(host: str) -> str | None:
    """Give the one spelling of an IP address; None for a name.

    What ends in a number is no name (WHATWG URL §3.5), also where it is no proper address: `127.1`.
    """
    bare = host.removeprefix("[").removesuffix("]")
    last = bare.rpartition(".")[2]
    if ":" not in bare and not last.isdigit() and not last.startswith("0x"):
        return None
    try:
        return str(ipaddress.ip_address(bare))
    except ValueError:
        return bare


def _parents(name: str) -> Iterator[str]:
    """Give the names above, nearest first: of a.b.c, b.c and c."""
    _, dot, parent = name.partition(".")
    while dot:
        yield parent
        _, dot, parent = parent.partition(".")


def _in_order(*sources: dict[int, str]) -> Candidates:
    """Join what matches by different patterns; the closest pattern, which comes first, is the one named."""
    joined: dict[int, str] = {}
    for source in reversed(sources):
        joined |= source
    return tuple(sorted(joined.items()))
