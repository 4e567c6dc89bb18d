import re

import msgspec
import pytest
import re2
import regex
from detector_examples import FOUND, NOT_FOUND, ORDINARY
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from gatekeeper.masking import find_spans
from gatekeeper.masking.catalogue import DEFAULT_DETECTORS, DETECTORS, catalogue_digest
from gatekeeper.masking.context import nearest_word
from gatekeeper.masking.detector import Detector
from gatekeeper.masking.gate import Gate, gate_bytes, gate_of, words_gate
from gatekeeper.masking.scanner import Scanner, Work
from gatekeeper.masking.view import fold

IDS = [f"{detector.entity}-{number}" for number, detector in enumerate(DETECTORS)]


@pytest.mark.parametrize(("entity", "text"), [(entity, text) for entity, texts in FOUND.items() for text in texts])
def test_a_value_is_found_once_and_as_what_it_is(entity: str, text: str) -> None:
    assert [span.entity for span in find_spans(text)] == [entity]


@pytest.mark.parametrize(("entity", "text"), [(entity, text) for entity, texts in NOT_FOUND.items() for text in texts])
def test_what_only_looks_like_a_value_is_left_alone(entity: str, text: str) -> None:
    assert entity not in [span.entity for span in find_spans(text)]


@pytest.mark.parametrize("text", ORDINARY)
def test_ordinary_text_is_left_alone(text: str) -> None:
    assert find_spans(text) == []


@pytest.mark.parametrize(
    ("text", "masked"),
    [
        ("to john@example.com, now", "john@example.com"),
        ("card 4111 1111 1111 1111 123", "4111 1111 1111 1111"),
        ("GB82 WEST 1234 5698 7654 32 IS MY ACCOUNT", "GB82 WEST 1234 5698 7654 32"),
        ("(415) 555-0132 or", "(415) 555-0132"),
        ("x ４１１１ 1111\u200b 1111 1111 y", "４１１１ 1111\u200b 1111 1111"),
        ("\u200b+14155550132\u200b", "+14155550132"),
        ("key sk-proj-Zx81kfPq0sNf81mWqPz0aa.", "sk-proj-Zx81kfPq0sNf81mWqPz0aa"),
    ],
)
def test_the_span_is_the_value_in_the_original_text(text: str, masked: str) -> None:
    (span,) = find_spans(text)

    assert text[span.start : span.end] == masked


def test_there_are_examples_each_way_for_each_detector_that_is_on() -> None:
    assert set(FOUND) == set(NOT_FOUND) == {detector.entity for detector in DEFAULT_DETECTORS}
    assert all(len(texts) >= 3 for texts in (*FOUND.values(), *NOT_FOUND.values()))


@pytest.mark.parametrize(
    ("entity", "text", "value"),
    [
        ("UUID", "id 550e8400-e29b-41d4-a716-446655440000.", "550e8400-e29b-41d4-a716-446655440000"),
        ("URL", "see https://example.com/a?b=c.", "https://example.com/a?b=c"),
        ("URL", "on www.example.com now", "www.example.com"),
        ("URL", "on example.com/shop now", "example.com/shop"),
        ("DATE_TIME", "at 2024-05-17T10:00:00Z sharp", "2024-05-17T10:00:00Z"),
        ("DATE_TIME", "on May 17, 2024.", "May 17, 2024"),
        ("DATE_TIME", "am 17. März 2024", "17. März 2024"),
    ],
)
def test_what_is_off_is_found_once_it_is_asked_for(entity: str, text: str, value: str) -> None:
    scanner = Scanner([detector for detector in DETECTORS if detector.entity == entity])
    (span,) = scanner.scan(text, 0, 0, Work(1 << 40), final=True).spans

    assert (span.entity, text[span.start : span.end]) == (entity, value)
    assert find_spans(text) == []


@pytest.mark.parametrize("detector", DETECTORS, ids=IDS)
def test_patterns_repeat_nothing_without_a_bound(detector: Detector) -> None:
    atoms = regex.sub(r"\\.|\[[^\]]*\]", "c", detector.pattern)

    assert not regex.search(r"\*|c\+|\)\+|,\}", atoms)


_LOOK_AROUND = regex.compile(
    r"\(\?<?[=!](?:[^()\[\\]|\\.|\[(?:[^\]\\]|\\.)*\]|(\((?:[^()\[\\]|\\.|\[(?:[^\]\\]|\\.)*\]|(?1))*\)))*\)"
)
_LONG = re.compile(r"\{(\d+),(\d{2,})\}")


def shorter(bounds: re.Match[str]) -> str:
    least, most = map(int, bounds.groups())
    return f"{{{least},{min(most, least + 4)}}}"


@pytest.mark.parametrize("detector", DETECTORS, ids=IDS)
@given(data=st.data())
@settings(max_examples=6, deadline=None, suppress_health_check=list(HealthCheck))
def test_the_gate_opens_for_all_that_a_detector_can_find(detector: Detector, data: st.DataObject) -> None:
    bare = _LONG.sub(shorter, _LOOK_AROUND.sub("", detector.pattern))
    value = data.draw(st.from_regex(re.compile(bare, re.ASCII), fullmatch=True))
    before, after = data.draw(st.sampled_from(((" ", " "), ("a=", " "), ("a://", "@h"), (": ", "."))))
    text = fold(before + value + after).text
    match = regex.search(detector.pattern, text)
    assume(match)
    read = gate_bytes(text).decode()

    opens = re2.search(gate_of(detector), read)
    located = re2.search(detector.shape or detector.gate, read) and match.start() in starts(detector, text)

    assert (opens and located) or (detector.validate is not None and not detector.validate(match[0]))


def starts(detector: Detector, text: str) -> set[int]:
    alone = msgspec.structs.replace(detector, context="", against="")
    return {found.start for found in Scanner([alone]).candidates(text, gate_bytes(text), 0, Work(1 << 40))}


@pytest.mark.parametrize("words", sorted({detector.context for detector in DETECTORS if detector.context}))
@given(data=st.data())
@settings(max_examples=20, deadline=None)
def test_the_gate_knows_all_words_of_a_detector(words: str, data: st.DataObject) -> None:
    word = data.draw(st.from_regex(re.compile(words, re.ASCII), fullmatch=True))

    assert re2.search(words_gate(words), gate_bytes(word).decode())
    assert not word.isascii() or re2.search(words_gate(words), word.upper())


@pytest.mark.parametrize("words", sorted({detector.context for detector in DETECTORS if detector.context}))
@given(
    data=st.data(), left=st.sampled_from(("", " ", "_", "user", "x5")), right=st.sampled_from(("", " ", "1", "_", ": "))
)
@settings(max_examples=20, deadline=None)
def test_the_gate_knows_each_word_that_counts(words: str, data: st.DataObject, left: str, right: str) -> None:
    word = data.draw(st.from_regex(re.compile(words, re.ASCII), fullmatch=True))
    assume(right != "1" or not word[-1].isalnum())  # no value begins within a word
    text = f"{left}{word.title() if left.isalnum() else word}{right}"
    read, at = gate_bytes(text), len(text) - (len(right) if right == "1" else 0)
    row = next(detector for detector in DETECTORS if detector.context == words)

    found = nearest_word(words, text, read, at, 0)

    assert found is None or Gate([row]).told(read) & 1


def test_the_digest_names_what_the_table_finds() -> None:
    first, *rest = DETECTORS
    digest = catalogue_digest()
    assert digest == catalogue_digest(DETECTORS)
    assert digest != catalogue_digest(rest)
    assert digest != catalogue_digest([msgspec.structs.replace(first, pattern=first.pattern + "x"), *rest])


@pytest.mark.parametrize("words", sorted({words for row in DETECTORS for words in (row.context, row.against) if words}))
def test_words_are_written_in_small_letters(words: str) -> None:
    assert re.sub(r"\\.", "", words) == re.sub(r"\\.", "", words).lower()
