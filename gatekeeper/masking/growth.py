"""Where in a text that may go on a match could still grow: what comes from there on is held back, and nothing else."""

import functools
import re
from collections.abc import Iterator, Sequence
from typing import Final

import re2
import regex  # type: ignore[import-untyped]  # its types are a package of their own

from gatekeeper.masking.detector import Detector
from gatekeeper.masking.detectors.unspaced import apart
from gatekeeper.masking.gate import compiled_set, words_gate

_NEVER: Final = "\uffff"  # a noncharacter: no text that means something has it
_SPACED_START: Final = re.compile(r"[\d(+-]|[A-Z](?:[A-Z]|\Z)")
_SPACED_FIRST: Final = r"(?=[\d(+A-Z-])"
# `regex` takes combining marks for parts of words, as the patterns do; `re` does not.
_PLAIN_WORD: Final = regex.compile(apart(r"\w[\w.+%'-]{0,63}"))
_NO_PART: Final = regex.compile(apart(r"[^\w.+%'@:/=~-]"))  # of what is found without white space in it


class Growth:
    """The patterns of a table of detectors, as far as they matter where a text ends for the time being."""

    def __init__(self, detectors: Sequence[Detector]) -> None:
        self._detectors = tuple(detectors)
        by_words: dict[str, list[str]] = {}
        for detector in detectors:
            if detector.spaced and detector.context:
                by_words.setdefault(words_gate(detector.context), []).append(detector.pattern)
        self._words: re2.Set | None = compiled_set(tuple(by_words)) if by_words else None
        self._after_words = tuple(tuple(patterns) for patterns in by_words.values())
        free = [detector for detector in detectors if detector.spaced and not detector.context]
        self._lettered = tuple(detector.pattern for detector in free if detector.letters)
        self._numbered = tuple(detector.pattern for detector in free if not detector.letters)

    def settled(self, text: str, data: bytes, start: int) -> int:
        """Find the first place, not before `start`, from which on a match could still grow."""
        settled = self._unspaced_settled(text, start)
        for pattern in self._spaced(text, data, start):
            if match := pattern.search(text, start, partial=True):
                settled = min(settled, match.start())
        return settled

    def _spaced(self, text: str, data: bytes, start: int) -> Iterator[regex.Pattern[str]]:
        """Give what could reach over white space: what could begin here, and what a word asks for."""
        if self._numbered and _SPACED_START.search(text, start):
            yield _reaching_the_end(self._numbered, _SPACED_FIRST)
        if self._lettered:
            yield _reaching_the_end(self._lettered)
        for number in self._words.Match(data) or () if self._words else ():
            yield _reaching_the_end(self._after_words[number])

    def _unspaced_settled(self, text: str, start: int) -> int:
        word = _last_word(text[start:])
        if "://" not in word and (outside := list(_NO_PART.finditer(word))):
            word = word[outside[-1].end() :]
        if not word:
            return len(text)
        begin = len(text) - len(word)
        if _PLAIN_WORD.fullmatch(word):  # it could become an address, and nothing begins before it
            return begin
        match = self._unspaced.search(text, begin, partial=True)
        return match.start() if match else len(text)

    @functools.cached_property
    def _unspaced(self) -> regex.Pattern[str]:
        return _reaching_the_end(tuple(detector.pattern for detector in self._detectors if not detector.spaced))


def _last_word(text: str) -> str:
    return "" if not text or text[-1].isspace() else text.rsplit(None, 1)[-1]


@functools.cache
def _reaching_the_end(patterns: tuple[str, ...], first: str = "") -> regex.Pattern[str]:
    """Match, partially, from the first place from which any of the patterns reaches the end of the text."""
    return regex.compile(f"{first}(?:{'|'.join(f'(?:{pattern})' for pattern in dict.fromkeys(patterns))}){_NEVER}")
