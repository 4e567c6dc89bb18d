import pytest
import regex
from hypothesis import given, settings
from hypothesis import strategies as st

from gatekeeper.masking import gate
from gatekeeper.masking.catalogue import DETECTORS
from gatekeeper.masking.gate import NumberGate, formal, gate_bytes, spaced

NUMERIC = [(number, row) for number, row in enumerate(DETECTORS) if row.numeric or row.coded]
SSN = next(number for number, row in NUMERIC if row.entity == "US_SSN")
GATE = NumberGate(DETECTORS)
ALL = (1 << len(DETECTORS)) - 1

pieces = st.sampled_from(
    (*"0123456789", *"00112345", " ", "-", ".", "/", "(", ")", "+", ":", ",", "A", "Z", "B", "S", "x", "_", "\n")
)
texts = st.lists(
    pieces
    | st.sampled_from(("4111", "555-0132", "192.168.", "1EG4", "0171 ", "001", "12345678", "AB12", "ABCPE", "DE89")),
    max_size=24,
)


@given(texts.map("".join), st.integers(0, 3))
@settings(max_examples=400, deadline=None)
def test_a_number_is_looked_up_wherever_a_numeric_detector_matches(text: str, start: int) -> None:
    looked_at = dict(GATE.starts(gate_bytes(text), start, ALL))

    for number, row in NUMERIC:
        for match in regex.finditer(row.pattern, text, overlapped=True, pos=start):
            valid = row.validate is None or row.validate(match[0])
            assert not valid or looked_at.get(match.start(), 0) >> number & 1


@pytest.mark.parametrize(
    ("shape", "form"),
    [
        (r"\b\d{3}-\d{2}", r"\b0{3}-0{2}"),
        (r"[1-9][AC-HJ]{2}[0-9AC-H]", "[0]A{2}".replace("A", "[A]") + "[0A]"),
        (r"\(?\+\d[- ]00", r"\(?\+0[ -]00"),
    ],
)
def test_a_shape_is_written_as_it_is_found_in_forms(shape: str, form: str) -> None:
    assert formal(shape) == form


@pytest.mark.parametrize(
    ("words", "also"), [("date of birth", "date_of_birth"), ("tax id", "tax-id"), ("a[ -]?b c", "a b_c")]
)
def test_a_space_in_words_may_be_a_dash_or_an_underscore(words: str, also: str) -> None:
    assert regex.fullmatch(spaced(words), also)


def test_what_has_no_room_to_be_remembered_is_looked_up_all_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    texts = [f"{prefix} 536-90-4399, 4111 1111 1111 {suffix}" for prefix in ("a", "1") for suffix in ("1111", "111")]
    known = [list(NumberGate(DETECTORS).starts(gate_bytes(text), 0, ALL)) for text in texts]
    monkeypatch.setattr(gate, "_BEGUN", 1)
    monkeypatch.setattr(gate, "_REMEMBERED", 1)
    monkeypatch.setattr(gate, "_FORGOTTEN_AFTER", 3)
    forgetful = NumberGate(DETECTORS)

    for text, starts in zip(texts * 3, known * 3, strict=True):
        found = dict(forgetful.starts(gate_bytes(text), 0, ALL))
        assert all(found.get(at, 0) & ~could == 0 for at, could in starts)
        assert found[text.index("536")] >> SSN & 1
