"""Two recordings of one program, side by side: what was asked alike, what differs, what only one has. Pure."""

import difflib
import enum
from collections.abc import Iterator, Sequence

import msgspec

from gatekeeper.replay.calls import Call
from gatekeeper.replay.difference import body_differences, likeness_differences
from gatekeeper.replay.likeness import Likeness, likeness


class Relation(enum.Enum):
    """How a row's two calls stand to each other."""

    SAME = "same"
    CHANGED = "changed"
    ONLY_A = "only-a"
    ONLY_B = "only-b"


class Row(msgspec.Struct, frozen=True):
    """One line of a comparison; `differences` say what of B is not as in A."""

    relation: Relation
    a: Call | None
    b: Call | None
    differences: tuple[str, ...] = ()


def compare(a: Sequence[Call], b: Sequence[Call]) -> Iterator[Row]:
    """Lay the calls of B beside those of A, both in the order of their requests."""
    left, right = [_likeness(call) for call in a], [_likeness(call) for call in b]
    matcher = difflib.SequenceMatcher(None, left, right, autojunk=False)
    for tag, a0, a1, b0, b1 in matcher.get_opcodes():
        if tag == "equal":
            yield from (_pair(one, other) for one, other in zip(a[a0:a1], b[b0:b1], strict=True))
        else:
            yield from _unlike(a[a0:a1], b[b0:b1])


def _unlike(a: Sequence[Call], b: Sequence[Call]) -> Iterator[Row]:
    """Pair calls that go to the same place, in order; the rest stands alone."""
    left = [call.request.method + _likeness(call).address for call in a]
    right = [call.request.method + _likeness(call).address for call in b]
    for tag, a0, a1, b0, b1 in difflib.SequenceMatcher(None, left, right, autojunk=False).get_opcodes():
        if tag == "equal":
            yield from (_pair(one, other) for one, other in zip(a[a0:a1], b[b0:b1], strict=True))
        else:
            yield from (Row(Relation.ONLY_A, call, None) for call in a[a0:a1])
            yield from (Row(Relation.ONLY_B, None, call) for call in b[b0:b1])


def _pair(a: Call, b: Call) -> Row:
    told = (*_asked(a, b), *_judged(a, b), *_answered(a, b))
    return Row(Relation.CHANGED if told else Relation.SAME, a, b, told)


def _asked(a: Call, b: Call) -> tuple[str, ...]:
    left, right = _likeness(a), _likeness(b)
    return likeness_differences(right, left) if left != right else ()


def _judged(a: Call, b: Call) -> Iterator[str]:
    before, after = a.request.verdict, b.request.verdict
    if (before.action, before.rule) != (after.action, after.rule):
        yield f"verdict: {after.action} by {after.rule!r} where {before.action} by {before.rule!r} was recorded"
    if a.request.findings != b.request.findings:
        yield f"findings: {b.request.findings} where {a.request.findings} was recorded"


def _answered(a: Call, b: Call) -> Iterator[str]:
    before, after = _end(a), _end(b)
    if before != after:
        yield f"end: {after} where {before} was recorded"
    elif a.answered is not None and b.answered is not None:
        yield from body_differences(b.answered.data, a.answered.data, "answer")


def _end(call: Call) -> str:
    if call.response is not None:
        return f"{call.response.status} by the {call.response.by}"
    return getattr(call.end, "reason", "no end")


def _likeness(call: Call) -> Likeness:
    return likeness(call.request.method, call.request.url, call.asked.data if call.asked is not None else b"")
