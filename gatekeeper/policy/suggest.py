"""Proposes the smallest rules that would allow what a subject really did. Pure.

A host gets one rule for each set of methods that its paths were called with, so that a path which was only read
can't be written to. In paths, `*` stands for what is no word: ids, names, and what was masked.
"""

from collections import defaultdict
from collections.abc import Iterable
from typing import Final

import msgspec

from gatekeeper.config import Action
from gatekeeper.config.issuers import BETWEEN
from gatekeeper.exchange import Party
from gatekeeper.policy.denied import METHODS, USUAL_PORT, plain_path

COLUMNS: Final = 100
ANY: Final = "*"
"""What stands for any characters in a rule (`gatekeeper.exchange.globs`)."""


class Used(msgspec.Struct, frozen=True, kw_only=True):
    """One call that was let through: where it went, and what it asked for there."""

    subject: Party
    workflow: str | None
    host: str
    port: int
    method: str
    path: str
    model: str = ""
    tools: tuple[str, ...] = ()


class Suggestion(msgspec.Struct, frozen=True, kw_only=True):
    """A rule, and how many calls it stands for. `models` and `tools` are what was seen of them."""

    name: str
    host: str
    port: int
    methods: tuple[str, ...]
    paths: tuple[str, ...]
    subjects: tuple[str, ...]
    workflows: tuple[str, ...]
    models: tuple[str, ...]
    tools: tuple[str, ...]
    calls: int


def suggest(calls: Iterable[Used]) -> tuple[Suggestion, ...]:
    """Give the rules, in order of hosts; calls of all subjects given become rules for all of them.

    Raises ValueError for a subject that no rule can name: a `*` in it would be taken for any characters.
    """
    by_path: defaultdict[tuple[str, int, str], list[Used]] = defaultdict(list)
    for call in calls:
        if ANY in call.subject.sub:
            msg = f"no rule can name {call.subject.sub!r} alone: a {ANY} in it would stand for any characters"
            raise ValueError(msg)
        by_path[call.host, call.port, plain_path(call.path)].append(call)
    by_methods: defaultdict[tuple[str, int, tuple[str, ...]], dict[str, list[Used]]] = defaultdict(dict)
    for (host, port, path), found in by_path.items():
        methods = tuple(sorted({call.method for call in found if call.method in METHODS}))
        by_methods[host, port, methods][path] = found
    return tuple(
        _suggestion(host, port, methods, by_methods[host, port, methods]) for host, port, methods in sorted(by_methods)
    )


def write_rules(suggestions: Iterable[Suggestion], keys: Iterable[str]) -> str:
    """Write them as TOML to paste. `keys`: those that rules have; what has none becomes a comment."""
    known = frozenset(keys)
    return "\n".join("\n".join(_lines(one, known)) + "\n" for one in suggestions)


def _suggestion(host: str, port: int, methods: tuple[str, ...], paths: dict[str, list[Used]]) -> Suggestion:
    calls = [call for found in paths.values() for call in found]
    scoped = {call.workflow for call in calls}
    return Suggestion(
        name=f"{', '.join(methods) or 'any method'} on {host}" + ("" if port == USUAL_PORT else f":{port}"),
        host=host,
        port=port,
        methods=methods,
        paths=tuple(sorted(paths)),
        subjects=tuple(sorted({f"{call.subject.iss}{BETWEEN}{call.subject.sub}" for call in calls})),
        # A call without a workflow would not be covered by a rule that names those of the others.
        workflows=() if None in scoped else tuple(sorted(name for name in scoped if name is not None)),
        models=tuple(sorted({call.model for call in calls if call.model})),
        tools=tuple(sorted({tool for call in calls for tool in call.tools})),
        calls=len(calls),
    )


def _lines(one: Suggestion, known: frozenset[str]) -> list[str]:
    lines = [f"[[rules]]  # {one.calls} calls", f"name = {_toml(one.name)}", f"hosts = {_toml([one.host])}"]
    if one.port != USUAL_PORT:
        lines.append(f"ports = {_toml([one.port])}")
    for key, values in (
        ("methods", one.methods),
        ("paths", one.paths),
        ("subjects", one.subjects),
        ("workflows", one.workflows),
        ("models", one.models),
        ("tools", one.tools),
    ):
        if values:
            lines.append(_list(key, values) if key in known else f"# {key} seen: {', '.join(values)}")
    return [*lines, f"action = {_toml(Action.ALLOW.value)}"]


def _list(key: str, values: tuple[str, ...]) -> str:
    line = f"{key} = {_toml(list(values))}"
    if len(line) <= COLUMNS:
        return line
    return f"{key} = [\n" + "".join(f"    {_toml(value)},\n" for value in values) + "]"


def _toml(value: object) -> str:
    """Write as JSON, in ASCII: strings and lists of them are TOML too (TOML 1.0, "String")."""
    text = msgspec.json.encode(value).decode().replace("\x7f", "\\u007f")
    return "".join(letter if letter.isascii() else _escaped(letter) for letter in text)


def _escaped(letter: str) -> str:
    return f"\\u{ord(letter):04x}" if ord(letter) < 0x10000 else f"\\U{ord(letter):08x}"  # noqa: PLR2004 - TOML's two lengths
