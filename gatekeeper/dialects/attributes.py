"""Values as the journal keeps them: bounded, without floats, under the OpenTelemetry GenAI names.

Names are those of the OpenTelemetry GenAI semantic conventions (registry `gen_ai.*`). All values come from a
client or an upstream: nothing here trusts their types or sizes.
"""

from collections.abc import Iterable
from typing import Final

import msgspec

TEXT_LIMIT: Final = 256  # characters of a model name, an id, a tool's name
LIST_LIMIT: Final = 16  # items; with TEXT_LIMIT it keeps a leaf far below its 64 KiB (JOURNAL.md, "Leaf")
LARGEST_INTEGER: Final = 2**53 - 1  # what every JSON reader gives back as it was (RFC 8785 §3.2.2.3)
EXACT_DIGITS: Final = 15  # always below LARGEST_INTEGER
_NUMBER_STARTS: Final = frozenset(bytes([byte]) for byte in b"-0123456789")  # RFC 8259 §6
ABSENT: Final = msgspec.Raw()

type Attributes = dict[str, str | int | list[str]]


def short(value: object) -> str:
    """Give a text, cut; anything else is an empty one."""
    return value[:TEXT_LIMIT] if isinstance(value, str) else ""


def count(value: object) -> int | None:
    """Give a number of things, such as tokens; None for what is none."""
    return value if type(value) is int and 0 <= value <= LARGEST_INTEGER else None


def position(value: object) -> int:
    """Give an index; what is none counts as the first, as clients take it."""
    return int(value) if isinstance(value, int | float) else 0


def number(raw: msgspec.Raw) -> int | str | None:
    """Give a JSON number: an integer, or its lexeme where it is none or too long; None for other JSON."""
    lexeme = bytes(raw)
    if lexeme[:1] not in _NUMBER_STARTS:
        return None
    if lexeme.removeprefix(b"-").isdigit() and len(lexeme) <= EXACT_DIGITS:
        return int(lexeme)
    return lexeme[:TEXT_LIMIT].decode("ascii", "replace")


def numbers(body: msgspec.Struct, names: Iterable[tuple[str, str]]) -> Attributes:
    """Read the fields of `body` that hold numbers: pairs of field and attribute name."""
    found: Attributes = {}
    for field, attribute in names:
        raw = getattr(body, field)
        if raw is not ABSENT and (value := number(raw)) is not None:
            found[attribute] = value
    return found
