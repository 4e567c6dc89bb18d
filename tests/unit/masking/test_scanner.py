import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gatekeeper.masking import UnreadableBody
from gatekeeper.masking.body import read_body
from gatekeeper.masking.detector import Detector, Span
from gatekeeper.masking.scanner import Scan, Scanner, Work, default_scanner

LIMIT = 1 << 40


def scan(text: str, *detectors: Detector, start: int = 0, floor: int = 0, final: bool = True) -> Scan:
    return Scanner(detectors).scan(text, start, floor, Work(LIMIT), final=final)


def detector(entity: str, pattern: str, priority: int = 0) -> Detector:
    return Detector(entity=entity, form="as it is", pattern=pattern, gate=pattern, priority=priority)


A = detector("A", "abcdef")
B = detector("B", "defghi")


@pytest.mark.parametrize(
    ("detectors", "text", "spans"),
    [
        ((A,), "xabcdefx", [(1, 7, "A")]),
        ((B, A), "abcdefghi", [(0, 6, "A"), (6, 9, "B")]),
        ((detector("S", "abcdef"), detector("L", "abcdefgh")), "abcdefgh", [(0, 8, "L")]),
        ((detector("P", "abcdef"), detector("Q", "abcdef", 1)), "abcdef", [(0, 6, "Q")]),
        ((detector("P", "abcdefgh"), detector("Q", "bcdefg", 9)), "abcdefgh", [(0, 8, "P")]),
        ((A,), "abcdefabcdef", [(0, 6, "A"), (6, 12, "A")]),
        ((A,), "abcde", []),
    ],
)
def test_overlaps_are_leftmost_longest_then_priority_and_the_rest_is_masked_too(
    detectors: tuple[Detector, ...], text: str, spans: list[tuple[int, int, str]]
) -> None:
    assert scan(text, *detectors).spans == tuple(Span(*span) for span in spans)


def test_a_span_begins_at_the_floor_where_its_candidate_began_before() -> None:
    assert scan("abcdefghi", A, B, start=2, floor=6).spans == (Span(6, 9, "B"),)
    assert scan("abcdef", A, floor=6).spans == ()


@pytest.mark.parametrize(
    ("text", "settled"),
    [
        ("plain words ", 12),
        ("plain words", 6),
        ("at 12:30, 4111", 10),
        ("see (", 4),
        ("4111 1111 1111 1111, x", 21),
        ("4111 1111 1111 1111,", 0),
        ("4111 1111 1111 1111 1", 0),
        ("IBAN GB", 5),
        ("key sk-ant-abc_", 4),
        ("a@b.co", 0),
        ("«quoted»", 8),
    ],
)
def test_a_text_is_settled_up_to_what_could_still_grow(text: str, settled: int) -> None:
    assert default_scanner().scan(text, 0, 0, Work(LIMIT), final=False).settled == settled


@given(st.text(alphabet="aB@. 41-+()sk_GB82\n", max_size=60), st.data())
@settings(max_examples=400, deadline=None)
def test_what_is_settled_stays_whatever_follows(text: str, data: st.DataObject) -> None:
    cut = data.draw(st.integers(0, len(text)))
    early = default_scanner().scan(text[:cut], 0, 0, Work(LIMIT), final=False)
    whole = default_scanner().scan(text, 0, 0, Work(LIMIT), final=True)

    assert [span for span in whole.spans if span.start < early.settled] == list(early.spans)


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("ssn 536904399", True),
        ("SSN: 536904399", True),
        ("user_ssn=536904399", True),
        ("lesson 536904399", False),
        ("ssn" + " " * 60 + "536904399", True),
        ("ssn" + " " * 62 + "536904399", False),
        ("536904399 ssn", False),
        ('"ssn": "x", "id": "536904399"', False),
        ('\\"ssn\\": 5, \\"id\\": \\"536904399\\"', False),
        ('"id": "x", "ssn": "536904399"', True),
    ],
)
def test_context_stands_to_the_left_near_and_in_the_same_field(text: str, found: bool) -> None:  # noqa: FBT001
    spans = default_scanner().scan(text, 0, 0, Work(LIMIT), final=True).spans

    assert [span.entity for span in spans] == (["US_SSN"] if found else [])


WORST = (
    "a" * 64,
    "a.",
    "a@",
    "a@a.",
    "a@aaaaaaaa.a.",
    "4",
    "4 ",
    "4111 1111 ",
    "4-",
    "GB82 ",
    "GB",
    "+1 ",
    "(4",
    "phone 1 2 3 ",
    "ssn 536 90 ",
    "sk-",
    "sk-a1-",
    "xox",
    "\\",
    '\\"',
    '{"',
    "\\u00",
    "％",
    "４ ",
    "\u200b",
    '"a":1,',
    "data: {}\n\n",
    "data: a\n",
    "%34",
)


def work_of(body: str, media: str) -> int:
    work = Work(LIMIT)
    try:
        read_body(default_scanner(), body.encode(), media, work)
    except UnreadableBody:
        assert body
    return LIMIT - work.left


@pytest.mark.parametrize("media", ["text/plain", "application/x-www-form-urlencoded", "text/event-stream"])
@pytest.mark.parametrize("worst", WORST)
def test_twice_the_text_is_about_twice_the_work(worst: str, media: str) -> None:
    one, two = (work_of(worst * (size // len(worst)), media) for size in (2_000, 4_000))

    assert two <= 2.5 * one + 200_000


def seconds(text: str) -> float:
    runs = []
    for _ in range(2):
        start = time.thread_time()
        read_body(default_scanner(), text.encode(), "text/plain", Work(LIMIT))
        runs.append(time.thread_time() - start)
    return min(runs)


@pytest.mark.parametrize("around", ["{}", "call 1 ssn nhs {} a@b.co AKIAIOSFODNN7EXAMPLE 4111 1111 1111 1111"])
@pytest.mark.parametrize("worst", WORST)
def test_eight_times_the_text_takes_far_less_than_sixty_four_times_as_long(worst: str, around: str) -> None:
    one, eight = (around.replace("{}", worst * (size // len(worst))) for size in (1_000, 8_000))

    assert seconds(eight) < 30 * seconds(one) + 0.01


@pytest.mark.parametrize("text", ["john@example.com " * 50, "phone 4155550132 " * 50])
def test_more_work_than_is_allowed_is_refused(text: str) -> None:
    with pytest.raises(UnreadableBody, match="more work"):
        read_body(default_scanner(), text.encode(), "text/plain", Work(1_500))
    with pytest.raises(UnreadableBody, match="more work"):
        read_body(default_scanner(), f'{{"a": "a@b.co {text}"'.encode(), "text/plain", Work(1_500))


def test_an_empty_text_takes_no_work() -> None:
    assert default_scanner().scan("", 0, 0, Work(0), final=False) == Scan((), 0)
