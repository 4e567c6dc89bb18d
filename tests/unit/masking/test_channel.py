import pytest

from gatekeeper.masking.channel import Channel, Found, json_escaped
from gatekeeper.masking.faults import UnreadableBody
from gatekeeper.masking.scanner import Work, default_scanner

WORK = Work(1 << 40)


def pushed(*texts: str, left: str = "") -> list[str]:
    channel = Channel(default_scanner(), left)
    pieces = [channel.push(text, WORK, final=False) for text in texts]
    pieces.append(channel.push("", WORK, final=True))
    assert not channel.holds
    return ["".join(f"<{p.source}>" if isinstance(p, Found) else p for p in piece) for piece in pieces]


@pytest.mark.parametrize(
    ("texts", "released"),
    [
        (("one ", "two"), ["one ", "", "two"]),
        (("a john@", "b.co", ", c"), ["a ", "", "<john@b.co>, ", "c"]),
        (("\ud835", "\udfd2111 1111 1111 1111", " x"), ["", "", "<𝟒111 1111 1111 1111> ", "x"]),
        (("lone \ud835", " half"), ["lone ", "\ud835 ", "half"]),
        (("end \ud835",), ["end ", "\ud835"]),
        (("x 1\u200b", "\u200b y "), ["x ", "1\u200b\u200b y ", ""]),
        (('{"a":"b\\', "u00", '40c.de"}'), ['{"a":"', "", '<b\\u0040c.de>"}', ""]),
        (('{"a":"b\\ud8', '35\\udfd2 "}'), ['{"a":"', 'b\\ud835\\udfd2 "}', ""]),
    ],
)
def test_what_is_settled_is_released_and_nothing_else_is_held(texts: tuple[str, ...], released: list[str]) -> None:
    found = pushed(*texts)

    assert "".join(found) == "".join(released)
    assert found == released


def test_the_words_to_the_left_are_context_and_no_text() -> None:
    assert pushed("536904399", left="customer ssn: ") == ["", "<536904399>"]
    assert pushed("536904399", left="order: ") == ["", "536904399"]


def test_places_count_from_the_beginning_of_the_text() -> None:
    channel = Channel(default_scanner())
    pieces = [*channel.push("see a@b.co, ", WORK, final=False), *channel.push("c@d.co", WORK, final=True)]

    assert [(p.start, p.end) for p in pieces if isinstance(p, Found)] == [(4, 10), (12, 18)]


def test_a_text_that_never_settles_is_refused() -> None:
    channel = Channel(default_scanner())
    with pytest.raises(UnreadableBody, match="released"):
        channel.push('{"' + "\\" * 20_000, WORK, final=False)


@pytest.mark.parametrize(("text", "escaped"), [('a"é', 'a\\"é'), ("\ud835", "\\ud835"), ("", "")])
def test_a_replacement_is_escaped_for_json(text: str, escaped: str) -> None:
    assert json_escaped(text) == escaped
