"""What a detector is, and what it finds."""

from collections.abc import Callable

import msgspec


class Span(msgspec.Struct, frozen=True):
    """Where something was found: code points of the text, end exclusive."""

    start: int
    end: int
    entity: str


class Detector(msgspec.Struct, frozen=True, kw_only=True):
    """One row of the table of detectors; an entity may have several, a strict one and one that asks for context.

    `pattern` (`regex` syntax) has its boundaries in it, repeats nothing without a bound, and looks at most
    two characters past its end. `spaced`: its matches may hold white space; they begin with a digit, a bracket,
    + or two capitals. `prefilter` (RE2 syntax) matches wherever `pattern` can: it is the gate.
    `validate` gives how much of the match counts, from its start; 0 for none. `context`: one of these words
    (`regex` syntax) must stand to the left. `cost`: what one validation costs, in characters of one run.
    """

    entity: str
    pattern: str
    prefilter: str
    validate: Callable[[str], int] | None = None
    context: str = ""
    priority: int = 0
    cost: int = 50
    spaced: bool = False
