"""Why something was found in a text, or wasn't: the detector, what its validator said, and the words around it."""

from collections.abc import Iterator

import msgspec

from gatekeeper.masking.gate import gate_bytes
from gatekeeper.masking.scanner import Candidate, Outcome, Scanner, Work
from gatekeeper.masking.strand import Reading
from gatekeeper.masking.view import View


class Explanation(msgspec.Struct, frozen=True):
    """A place that a detector's pattern matched (code points, end exclusive), and what became of it.

    `word` is the one that spoke for it or against it, as it stands in the text.
    """

    start: int
    end: int
    entity: str
    form: str
    outcome: str
    validator: str
    word: str
    asks_for_word: bool


def explain(scanner: Scanner, text: str, work: Work) -> Iterator[Explanation]:
    """Give each place that matched, from left to right; of what was found only what stands in the end."""
    view = Reading(scanner, text).view()
    candidates = sorted(scanner.candidates(view.text, gate_bytes(view.text), 0, work), key=lambda found: found.order)
    at = 0
    for candidate in candidates:
        if candidate.outcome is not Outcome.FOUND:
            yield _explained(view, text, candidate, candidate.outcome.value)
        elif candidate.end > at:
            yield _explained(view, text, candidate, candidate.outcome.value)
            at = candidate.end
        else:
            yield _explained(view, text, candidate, "another detector's match goes before")


def _explained(view: View, text: str, candidate: Candidate, outcome: str) -> Explanation:
    start, end = view.source(candidate.start, candidate.end)
    word = slice(*view.source(*candidate.word)) if candidate.word else slice(0)
    detector = candidate.detector
    return Explanation(
        start, end, detector.entity, detector.form, outcome, detector.validator, text[word], bool(detector.context)
    )
