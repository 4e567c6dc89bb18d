"""Patterns with `*`, which stands for any characters, `/` among them; everything else means itself. Pure."""

import msgspec


class Glob(msgspec.Struct, frozen=True):
    """A compiled pattern: the pieces between its stars.

    It takes each piece at its first place, which is enough where `*` is the only wildcard, and so needs
    no backtracking: a path is the sender's choice.
    """

    pieces: tuple[str, ...]

    @classmethod
    def of(cls, pattern: str) -> "Glob":
        """Compile a pattern."""
        return cls(tuple(pattern.split("*")))

    def matches(self, text: str) -> bool:
        """Tell whether the pattern describes the whole text; case counts."""
        first, *between = self.pieces
        if not between:
            return text == first
        last = between.pop()
        start, end = len(first), len(text) - len(last)
        if start > end or not text.startswith(first) or not text.endswith(last):
            return False
        for piece in between:
            found = text.find(piece, start, end)
            if found < 0:
                return False
            start = found + len(piece)
        return True
