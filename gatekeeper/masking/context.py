"""The words to the left of a value that say what it is. A JSON key counts, as do camelCase and snake_case."""

import functools
import re
from typing import Final

CONTEXT: Final = 64
"""Characters to the left of a match in which context words are looked for."""

AGAINST: Final = 18
"""Characters to the left of a match in which a word may speak against it where no word speaks for it."""

# A value and the next key: what stands left of it belongs to another field.
_FIELD_END: Final = re.compile(r"\"\s*,|,\s*\\*\"")

# Words end where letters and digits do, or where camelCase goes on: `user_ssn` and `userSsn`, but not `lessness`.
_LEFT: Final = r"(?:(?<![A-Za-z0-9])|(?<=(?-i:[a-z0-9]))(?=(?-i:[A-Z])))"
_RIGHT: Final = r"(?:(?![A-Za-z0-9])|(?<=(?-i:[a-z]))(?=(?-i:[A-Z])))"

type Place = tuple[int, int]


def nearest_word(words: str, text: str, at: int, within: int) -> Place | None:
    """Find the last of these words left of a place, in the same field."""
    start = max(0, at - within)
    for field_end in _FIELD_END.finditer(text, start, at):
        start = field_end.end()
    last: Place | None = None
    for match in _compiled(words).finditer(text, start, at):
        last = match.span()
    return last


@functools.cache
def _compiled(words: str) -> re.Pattern[str]:
    return re.compile(rf"(?i){_LEFT}(?:{words}){_RIGHT}")
