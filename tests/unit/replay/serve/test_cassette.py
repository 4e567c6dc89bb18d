"""A recording that answers."""

from gatekeeper.replay import Call
from gatekeeper.replay.serve import Cassette, Departure

URL = "https://api.example.com/v1/chat"
BODY = b'{"q":"hello"}'


def number(answer: Call | Departure) -> int | None:
    return answer.number if isinstance(answer, Call) else None


def test_calls_that_are_alike_are_answered_in_the_order_of_their_recording(told: list[Call]) -> None:
    cassette = Cassette.of(reversed(told))
    assert [number(cassette.answer("POST", URL, BODY)) for _ in range(4)] == [1, 2, 3, 4]
    assert cassette.left == []


def test_a_call_that_was_answered_as_often_as_recorded_departs(told: list[Call]) -> None:
    cassette = Cassette.of(told[:1])
    cassette.answer("POST", URL, BODY)
    answer = cassette.answer("POST", URL, BODY)
    assert isinstance(answer, Departure)
    assert answer.sentence == (
        "request 2 (POST https://api.example.com/v1/chat) is not in the recording; nearest is call 1 (entry 1): "
        "it was answered as often as it was recorded"
    )


def test_a_departure_names_the_nearest_call_and_what_differs(told: list[Call]) -> None:
    cassette = Cassette.of(told)
    answer = cassette.answer("POST", URL, b'{"q":"hello!"}')
    assert isinstance(answer, Departure)
    assert (answer.nearest, answer.differences) == (1, ("body.q: 'hello!' where 'hello' was recorded",))
    assert [call.number for call in cassette.left] == [1, 2, 3, 4]


def test_an_empty_recording_answers_nothing() -> None:
    answer = Cassette.of([]).answer("GET", URL, b"")
    assert isinstance(answer, Departure)
    assert answer.sentence == f"request 1 (GET {URL}) is not in the recording"
