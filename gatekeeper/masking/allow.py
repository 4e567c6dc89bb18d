"""What is let be although a detector finds it: exact values, domains, and fields of JSON by path."""

import functools
import re
from collections.abc import Iterable
from typing import Final

import msgspec

from gatekeeper.masking.view import fold

_HOST: Final = re.compile(r"(?:@|://(?:[^/?#@]*@)?)([\w.-]+)")
_STEP: Final = re.compile(r"\.?(\*\*|\*|[^.\[\]*]+)|\[(\*|\d+|\"[^\"]+\")\]")


class Allowed(msgspec.Struct, frozen=True):
    """The allow-lists. `values` are folded; `domains` are in lower case, and allow what is below them."""

    values: frozenset[str] = frozenset()
    domains: frozenset[str] = frozenset()
    fields: tuple["FieldPath", ...] = ()

    @classmethod
    def of(cls, values: Iterable[str], domains: Iterable[str], fields: Iterable[str]) -> "Allowed":
        """Make them from the configuration; raises ValueError for a path that can't be read."""
        return cls(
            frozenset(fold(value).text for value in values),
            frozenset(domain.lower().strip(".") for domain in domains),
            tuple(FieldPath.parse(path) for path in fields),
        )

    def value(self, value: str) -> bool:
        """Tell whether a value, folded, is let be: it is listed, or its domain is."""
        if value in self.values:
            return True
        return bool(self.domains) and (host := _HOST.search(value)) is not None and self._domain(host[1].lower())

    def _domain(self, host: str) -> bool:
        labels = host.strip(".").split(".")
        return any(".".join(labels[start:]) in self.domains for start in range(len(labels)))

    def field(self, path: tuple[str | int, ...]) -> bool:
        """Tell whether the field at this path of a JSON document is let be, with all that is in it."""
        return any(field.matches(path) for field in self.fields)


NOTHING: Final = Allowed()


class FieldPath(msgspec.Struct, frozen=True):
    """A path into JSON: `usage.id`, `$.items[*].sku`, `**.trace_id` (`**`: any number of steps)."""

    steps: tuple[str, ...]

    @classmethod
    def parse(cls, path: str) -> "FieldPath":
        """Read a path; raises ValueError."""
        rest = path.removeprefix("$")
        steps: list[str] = []
        at = 0
        while at < len(rest):
            if (step := _STEP.match(rest, at)) is None:
                break
            steps.append(step[1] or step[2].strip('"'))
            at = step.end()
        if not steps or at < len(rest):
            msg = f"{path!r}: expected a JSON path such as usage.id, items[*].sku or **.trace_id"
            raise ValueError(msg)
        return cls(tuple(steps))

    def matches(self, path: tuple[str | int, ...]) -> bool:
        """Tell whether the path, or one that leads to it, is meant."""
        return _reaches(self.steps, tuple(map(str, path)))


@functools.lru_cache(maxsize=4096)
def _reaches(steps: tuple[str, ...], path: tuple[str, ...]) -> bool:
    if not steps:
        return True
    if steps[0] == "**":
        return any(_reaches(steps[1:], path[skip:]) for skip in range(len(path) + 1))
    return bool(path) and steps[0] in {"*", path[0]} and _reaches(steps[1:], path[1:])
