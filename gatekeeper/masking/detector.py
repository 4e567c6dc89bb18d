"""What a detector is, and what it finds."""

from collections.abc import Callable

import msgspec

type Validator = Callable[[str], int]
"""Gives how much of a match counts, from its start; 0 where it is nothing."""


class Span(msgspec.Struct, frozen=True, gc=False):
    """Where something was found: code points of the text, end exclusive."""

    start: int
    end: int
    entity: str


class Detector(msgspec.Struct, frozen=True, kw_only=True):
    """One row of the table of detectors; an entity may have several, a strict one and one that asks for context.

    `form` tells people which row it is. `pattern` (`regex` syntax) has its boundaries in it, repeats nothing
    without a bound, and looks at most two characters past its end. `spaced`: its matches may hold white space;
    they begin with a digit, a bracket, + or -, or two capitals, unless `letters` says: with any letter.

    `gate` (RE2 syntax; it reads ASCII, with `?` for any other character) is found wherever `pattern` is.
    `shape`, or `gate` where it is empty, begins where `pattern` does or up to `lead` characters before.
    `numeric`: a match begins with a digit that stands in no word and after no decimal point, or with one + or (
    before it, and holds six digits, an IPv4 address, or a capital among its first characters. What its shape asks of
    digits it asks of the first three. Where it has no `shape`, its `gate` is where a number begins.
    `coded`: a match begins so, or with one to five capitals in no word, and a digit next, or after a space or a dash.

    `context`: one of these words must stand to the left, at most `within` characters before the match.
    `against`: none of these may stand there, nearer than that word; without `context`, near the match.
    Both are alternatives in syntax that RE2 and `regex` share, without case.

    `named`: what must match the name that its word is a part of (`last_*_at` in `lastCallAt`, see context.name_around).

    `linked`: where more stands between its word and a match of digits alone, the last of it must be one of these words,
    or a name.

    `validate` says how much of a match counts, `validator` is its name. `cost`: what one validation costs, in
    units of Work. `default`: whether it is on unless the configuration says otherwise.
    """

    entity: str
    form: str
    pattern: str
    gate: str
    validate: Validator | None = None
    validator: str = ""
    context: str = ""
    within: int = 64
    lead: int = 0
    against: str = ""
    named: str = ""
    linked: str = ""
    priority: int = 0
    cost: int = 100
    spaced: bool = False
    letters: bool = False
    numeric: bool = False
    coded: bool = False
    shape: str = ""
    default: bool = True
