"""Scores: characters found or not, whatever the type; values found with their type; texts with a false alarm."""

from collections import Counter
from collections.abc import Callable, Iterable, Sequence

import msgspec
from corpus import Place, Text

type Finder = Callable[[str], Sequence[Place]]


class Score(msgspec.Struct):
    """True and false positives and false negatives."""

    true: int = 0
    extra: int = 0
    missed: int = 0

    @property
    def f1(self) -> float:
        """The harmonic mean of precision and recall."""
        return 2 * self.true / (2 * self.true + self.extra + self.missed) if self.true else 0.0

    @property
    def recall(self) -> float:
        """The share of what is there that was found."""
        return self.true / (self.true + self.missed) if self.true else 0.0

    @property
    def precision(self) -> float:
        """The share of what was found that is there."""
        return self.true / (self.true + self.extra) if self.true else 0.0


def by_character(texts: Iterable[Text], find: Finder) -> Score:
    """Compare characters: found or not."""
    score = Score()
    for text in texts:
        there = _characters(text.places)
        found = _characters(find(text.text))
        score.true += len(there & found)
        score.extra += len(found - there)
        score.missed += len(there - found)
    return score


def by_type(texts: Iterable[Text], find: Finder) -> dict[str, Score]:
    """Compare values by entity: one is found where a span of its type covers most of it and little else."""
    scores: Counter[tuple[str, str]] = Counter()
    names: set[str] = set()
    for text in texts:
        left = list(find(text.text))
        for start, end, entity in text.places:
            names.add(entity)
            match = next((span for span in left if span[2] == entity and _overlap(span, (start, end)) >= 0.5), None)  # noqa: PLR2004
            scores[entity, "true" if match else "missed"] += 1
            if match:
                left.remove(match)
        for span in left:
            names.add(span[2])
            scores[span[2], "extra"] += 1
    return {name: Score(*(scores[name, kind] for kind in ("true", "extra", "missed"))) for name in sorted(names)}


def total(scores: Iterable[Score]) -> Score:
    """Add up."""
    whole = Score()
    for score in scores:
        whole.true += score.true
        whole.extra += score.extra
        whole.missed += score.missed
    return whole


def alarms(texts: Iterable[str], find: Finder) -> list[tuple[str, Sequence[Place]]]:
    """Give the texts in which something was found."""
    return [(text, found) for text in texts if (found := find(text))]


def _characters(places: Iterable[Place]) -> set[int]:
    return {at for start, end, _ in places for at in range(start, end)}


def _overlap(span: Place, place: tuple[int, int]) -> float:
    shared = min(span[1], place[1]) - max(span[0], place[0])
    joined = max(span[1], place[1]) - min(span[0], place[0])
    return max(0, shared) / joined
