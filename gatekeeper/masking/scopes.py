"""Which operators hold for a call: those of its rule go before those of its host, and these before `[masking]`."""

from collections.abc import Mapping
from typing import Final

from gatekeeper.config import MaskingConfig, OperatorTables
from gatekeeper.masking.operators import Table

NO_RULES: Final[Mapping[str, OperatorTables]] = {}

type Scope = tuple[str, str]
"""A host, or a pattern for hosts, and a rule; each empty where it has no operators of its own."""

EVERYWHERE: Final[Scope] = ("", "")


class Scopes:
    """The tables of operators of a configuration."""

    __slots__ = ("_hosts", "_rules", "_tables")

    def __init__(self, config: MaskingConfig, rules: Mapping[str, OperatorTables]) -> None:
        upstream = config.request.upstream
        self._tables = ({"default": upstream} if isinstance(upstream, str) else dict(upstream), dict(config.response))
        self._hosts = {host.lower().rstrip("."): tables for host, tables in config.hosts.items() if _says(tables)}
        self._rules = {rule: tables for rule, tables in rules.items() if _says(tables)}

    def of(self, host: str, rule: str | None) -> Scope:
        """Find what of a call has operators of its own."""
        return self._host(host.lower().rstrip(".")) if self._hosts else "", rule if rule in self._rules else ""

    def tables(self, scope: Scope) -> tuple[Table, Table]:
        """Give the operators for requests and those for answers."""
        request, response = dict(self._tables[0]), dict(self._tables[1])
        host, rule = scope
        for tables in (self._hosts.get(host), self._rules.get(rule)):
            if tables is not None:
                request |= tables.request
                response |= tables.response
        return request, response

    def named(self) -> Mapping[str, Table]:
        """Give each table by the path of its key."""
        tables: dict[str, Table] = {
            "masking.request.upstream": self._tables[0],
            "masking.response": self._tables[1],
        }
        places = {f"masking.hosts.{host}": own for host, own in self._hosts.items()}
        places |= {f"rule {rule!r}: masking": own for rule, own in self._rules.items()}
        for place, own in places.items():
            tables |= {f"{place}.request": own.request, f"{place}.response": own.response}
        return tables

    def _host(self, host: str) -> str:
        if host in self._hosts:
            return host
        labels = host.split(".")
        below = (f"*.{'.'.join(labels[start:])}" for start in range(1, len(labels)))
        return next((pattern for pattern in below if pattern in self._hosts), "")


def _says(tables: OperatorTables) -> bool:
    return bool(tables.request or tables.response)
