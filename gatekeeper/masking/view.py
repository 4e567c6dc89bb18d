"""Views of a text: another text to look at, and for each of its characters where it came from.

Detection runs on a view; what is masked is the place in the original that the view's characters stand for.
"""

import bisect
import functools
import json
import re
import unicodedata
from collections.abc import Callable
from typing import Final, Self

import msgspec


class View(msgspec.Struct, frozen=True, gc=False):
    """`text`, whose character n stands for source[starts[n]:ends[n]]; no lists: each stands for itself."""

    text: str
    starts: list[int] | None = None
    ends: list[int] | None = None

    def source(self, start: int, end: int) -> tuple[int, int]:
        """Give the place in the source that text[start:end] stands for; `start` < `end`."""
        if self.starts is None or self.ends is None:
            return start, end
        return self.starts[start], self.ends[end - 1]

    def place(self, at: int) -> int:
        """Give the place in `text` of the first character that stands for what begins in the source from `at` on."""
        return min(at, len(self.text)) if self.starts is None else bisect.bisect_left(self.starts, at)

    def then(self, further: Self) -> "View":
        """Take `further`, a view of this text, as a view of this view's source."""
        if self.starts is None or self.ends is None or further.starts is None or further.ends is None:
            first = further if self.starts is None else self
            return View(further.text, first.starts, first.ends)
        starts = [self.starts[start] for start in further.starts]
        return View(further.text, starts, [self.ends[end - 1] for end in further.ends])


def rewritten(text: str, pattern: re.Pattern[str], meaning: Callable[[re.Match[str]], str]) -> View:
    """View a text with each match of `pattern` as what it means; linear."""
    pieces: list[str] = []
    starts: list[int] = []
    ends: list[int] = []
    at = 0
    for match in pattern.finditer(text):
        start, end = match.span()
        stands_for = meaning(match)
        pieces += (text[at:start], stands_for)
        starts += range(at, start)
        ends += range(at + 1, start + 1)
        starts += [start] * len(stands_for)
        ends += [end] * len(stands_for)
        at = end
    if not pieces:
        return View(text)
    pieces.append(text[at:])
    starts += range(at, len(text))
    ends += range(at + 1, len(text) + 1)
    return View("".join(pieces), starts, ends)


class _Folding(dict[str, str]):
    """What a character is looked at as; filled as characters come, which are finitely many."""

    def __missing__(self, char: str) -> str:
        # Twice, since some become a dash of another kind: what is looked at has no character that is folded.
        self[char] = instead = "".join(map(_fold_char, _fold_char(char)))
        return instead


_DASHES: Final = frozenset("‐‑‒–—―⁃−﹘﹣－")  # noqa: RUF100, RUF001 - dashes, not minus signs
_INVISIBLE: Final = frozenset("\u034f\u115f\u1160\u17b4\u17b5\u180b\u180c\u180d\u180f\u3164\uffa0")


def _fold_char(char: str) -> str:
    category = unicodedata.category(char)
    if category == "Cf" or char in _INVISIBLE or "\ufe00" <= char <= "\ufe0f":
        return ""
    if category == "Nd":
        return str(unicodedata.decimal(char))
    if char in _DASHES:
        return "-"
    return unicodedata.normalize("NFKC", char) or char


_FOLDING: Final = _Folding()


_FEW: Final = 32  # characters that are replaced one after the other sooner than looked up at each place


def _odd(text: str) -> dict[str, str]:
    """Give the characters of a text that are looked at as something else."""
    return {char: instead for char in set(text) if not char.isascii() and (instead := _FOLDING[char]) != char}


def _replaced(text: str, odd: dict[str, str]) -> str:
    if len(odd) > _FEW:
        return text.translate({ord(char): instead for char, instead in odd.items()})
    for char, instead in odd.items():
        text = text.replace(char, instead)
    return text


def folded(text: str) -> str:
    """Give the text of `fold` alone, in a tenth of the time."""
    return text if text.isascii() else _replaced(text, _odd(text))


def fold(text: str) -> View:
    """View a text in compatibility form (NFKC of each character), digits as ASCII, invisible characters left out."""
    if text.isascii() or not (odd := _odd(text)):
        return View(text)
    if all(len(instead) == 1 for instead in odd.values()):
        return View(_replaced(text, odd))
    pattern = re.compile(f"[{re.escape(''.join(odd))}]")
    return rewritten(text, pattern, lambda match: odd[match[0]])


_JSON_ESCAPE: Final = re.compile(r"\\u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}|\\u[0-9a-fA-F]{4}|\\.")


def json_string(literal: str) -> View:
    """View what stands between the quotes of a JSON string as what it means (RFC 8259 §7)."""
    if "\\" not in literal:
        return View(literal)
    return rewritten(literal, _JSON_ESCAPE, lambda match: _json_meaning(match[0]))


@functools.lru_cache(maxsize=4096)
def _json_meaning(escape: str) -> str:
    return str(json.loads(f'"{escape}"'))


# JSON in a string may hold JSON in a string: each level doubles the backslashes and adds one. The lookbehind
# has each run of backslashes tried once.
_RUN: Final = r"(?<!\\)\\+"
_DEEP_ESCAPE: Final = re.compile(
    rf"{_RUN}u([dD][89abAB][0-9a-fA-F]{{2}})\\+u([dD][c-fC-F][0-9a-fA-F]{{2}})"
    rf"|{_RUN}u([0-9a-fA-F]{{4}})|{_RUN}([\"/bfnrt])"
)
_LETTERS: Final = {"b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t", '"': '"', "/": "/"}


def json_text(text: str) -> View:
    """View text that holds JSON with its escapes, on any level, as what they mean.

    An escape is read without asking how deep it stands, so no level hides anything.
    """
    return rewritten(text, _DEEP_ESCAPE, _deep_meaning) if "\\" in text else View(text)


def json_meaning(text: str) -> str:
    """Give the text of `json_text` alone."""
    return _DEEP_ESCAPE.sub(_deep_meaning, text) if "\\" in text else text


def _deep_meaning(match: re.Match[str]) -> str:
    high, low, unit, letter = match.groups()
    if high is not None:
        return _json_meaning(f"\\u{high}\\u{low}")
    return chr(int(unit, 16)) if unit is not None else _LETTERS[letter]


_UNFINISHED: Final = re.compile(
    rf"{_RUN}(?:u[0-9a-fA-F]{{0,3}})?\Z"
    rf"|{_RUN}u[dD][89abAB][0-9a-fA-F]{{2}}(?:\\+(?:u(?:[dD](?:[c-fC-F][0-9a-fA-F]?)?)?)?)?\Z"
)


def unfinished_escape(text: str) -> int:
    """Find where an escape begins that the end of `text` cuts; its length where none does."""
    match = _UNFINISHED.search(text) if "\\" in text else None
    return match.start() if match else len(text)


_PERCENT: Final = re.compile(r"%[0-7][0-9a-fA-F]|(?:%[89a-fA-F][0-9a-fA-F])+")
_FORM: Final = re.compile(rf"\+|{_PERCENT.pattern}")


def percent_encoded(text: str) -> View:
    """View a part of a URL as what it means (RFC 3986 §2.1)."""
    return rewritten(text, _PERCENT, _percent_meaning) if "%" in text else View(text)


def form_encoded(text: str) -> View:
    """View a name or value of a form or query as what it means: `+` is a space in it."""
    return rewritten(text, _FORM, _percent_meaning) if "%" in text or "+" in text else View(text)


def _percent_meaning(match: re.Match[str]) -> str:
    encoded = match[0]
    return " " if encoded == "+" else bytes.fromhex(encoded.replace("%", "")).decode("utf-8", "replace")
