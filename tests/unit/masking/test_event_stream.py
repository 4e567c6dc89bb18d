import base64
import json
from collections.abc import Mapping

import pytest

from gatekeeper.config import MaskingConfig, OperatorConfig, OperatorName
from gatekeeper.exchange import Finding
from gatekeeper.masking import Masker, StreamMasker, UnreadableBody, stream_masker
from gatekeeper.masking.splitter import EVENT_LIMIT

MASKER = Masker(MaskingConfig(), b"a key for tests")
MEDIA = "text/event-stream; charset=utf-8"
DONE = b"data: [DONE]\n\n"


def stream(response: Mapping[str, str | OperatorConfig] | None = None) -> StreamMasker:
    masker = Masker(MaskingConfig(response=dict(response)), b"a key for tests") if response else MASKER
    made = stream_masker(masker, MEDIA)
    assert made is not None
    return made


def chunk(delta: object, index: int = 0, finish: str | None = None, logprobs: object = None) -> bytes:
    choice = {"index": index, "delta": delta, "logprobs": logprobs, "finish_reason": finish}
    payload = {"id": "chatcmpl-1", "object": "chat.completion.chunk", "created": 1718000000, "choices": [choice]}
    return b"data: " + json.dumps(payload, separators=(",", ":")).encode() + b"\n\n"


def text(value: str, index: int = 0) -> bytes:
    return chunk({"content": value}, index)


def stop(index: int = 0) -> bytes:
    return chunk({}, index, "stop")


def run(masker: StreamMasker, *pieces: bytes) -> bytes:
    sent = [piece for data in pieces for piece in masker.feed(data)]
    return b"".join([*sent, *masker.finish()])


def payloads(body: bytes) -> list[dict[str, object]]:
    lines = body.decode().split("\n")
    return [json.loads(line.removeprefix("data: ")) for line in lines if line.startswith("data: {")]


def choices(body: bytes) -> list[dict[str, object]]:
    return [choice for payload in payloads(body) for choice in payload["choices"]]  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("media", "asked", "known"),
    [
        ("text/event-stream", False, True),
        ("Text/Event-Stream;charset=utf-8", False, True),
        ("application/vnd.amazon.eventstream", False, True),
        ("application/x-ndjson", False, True),
        ("application/jsonl; charset=utf-8", False, True),
        ("application/json", True, True),
        ("application/json", False, False),
        ("text/plain", True, False),
        ("", True, False),
    ],
)
def test_streams_of_known_framings_are_masked_as_they_come(media: str, asked: bool, known: bool) -> None:  # noqa: FBT001
    assert (stream_masker(MASKER, media, asked=asked) is not None) == known


def test_text_without_findings_goes_on_at_once_but_for_its_last_word() -> None:
    masker = stream()

    assert choices(masker.feed(text("One two "))[0])[0]["delta"] == {"content": "One two "}
    assert choices(masker.feed(text("three, four"))[0])[0]["delta"] == {"content": "three, "}
    assert choices(masker.feed(text(" five!"))[0])[0]["delta"] == {"content": "four five!"}


def test_an_event_in_which_nothing_changes_keeps_its_bytes() -> None:
    event = b'event: x\r\nid: 7\r\ndata: {"choices" : [ {"delta":{"content":"done. "}} ],"n":1.0}\r\n\r\n'

    assert run(stream(), event, DONE) == event + DONE


def test_a_value_split_over_deltas_is_replaced_where_it_begins() -> None:
    body = run(stream(), text("to john@exa"), text("mple.com"), text(", then"), stop(), DONE)

    deltas = [choice["delta"] for choice in choices(body)]
    assert deltas == [
        {"content": "to "},
        {"content": ""},
        {"content": "<EMAIL_ADDRESS>, "},
        {"content": "then"},
        {},
    ]
    assert body.endswith(DONE)


def test_the_rest_goes_out_before_the_event_that_closes_and_looks_like_the_others() -> None:
    body = run(stream(), text("call "), text("4111 1111 1111 1111"), stop(), DONE)

    *_, rest, closing = payloads(body)
    assert rest["choices"] == [
        {"index": 0, "delta": {"content": "<CREDIT_CARD>"}, "logprobs": None, "finish_reason": None}
    ]
    assert {key: rest[key] for key in ("id", "object", "created")} == {
        "id": "chatcmpl-1",
        "object": "chat.completion.chunk",
        "created": 1718000000,
    }
    assert closing["choices"][0]["finish_reason"] == "stop"  # type: ignore[index]


@pytest.mark.parametrize("ending", [b"", DONE, b"data: [DONE]", b"\n"])
def test_the_rest_goes_out_where_no_event_closes_the_choice(ending: bytes) -> None:
    body = run(stream(), text("john@example.com"), ending)

    assert choices(body)[-1]["delta"] == {"content": "<EMAIL_ADDRESS>"}
    assert body.rstrip().endswith(ending.strip())


def test_text_in_the_closing_event_stays_in_it() -> None:
    body = run(stream(), text("john@"), chunk({"content": "example.com"}, finish="stop"), DONE)

    assert [choice["delta"] for choice in choices(body)] == [{"content": ""}, {"content": "<EMAIL_ADDRESS>"}]


def tool(arguments: str, index: int = 0) -> dict[str, object]:
    return {"index": index, "function": {"arguments": arguments}}


def test_each_choice_and_each_kind_of_text_has_a_channel_of_its_own() -> None:
    body = run(
        stream(),
        text("john@", 0),
        text("4111 1111 ", 1),
        chunk({"refusal": "a@"}),
        chunk({"reasoning_content": "536-90-"}),
        chunk({"tool_calls": [tool('{"x":"b@', 0), tool('{"y":41111111', 1)]}),
        chunk({"tool_calls": [tool("11111111}", 1), tool('c.de"}', 0)]}),
        chunk({"function_call": {"arguments": '{"z":"john@'}}),
        chunk({"function_call": {"arguments": 'example.com"}'}}),
        chunk({"reasoning_content": "4399"}),
        chunk({"refusal": "b.co"}),
        text("1111 1111", 1),
        text("example.com", 0),
        stop(1),
        stop(0),
        DONE,
    )

    read: dict[tuple[object, ...], str] = {}
    for choice in choices(body):
        delta = choice["delta"]
        assert isinstance(delta, dict)
        for key in ("content", "refusal", "reasoning_content"):
            read[choice["index"], key] = read.get((choice["index"], key), "") + delta.get(key, "")
        for call in delta.get("tool_calls", ()):
            read["tool", call["index"]] = read.get(("tool", call["index"]), "") + call["function"]["arguments"]
        read["function"] = read.get("function", "") + delta.get("function_call", {}).get("arguments", "")  # type: ignore[index]
    assert read == {
        (0, "content"): "<EMAIL_ADDRESS>",
        (1, "content"): "<CREDIT_CARD>",
        (0, "refusal"): "<EMAIL_ADDRESS>",
        (1, "refusal"): "",
        (0, "reasoning_content"): "<US_SSN>",
        (1, "reasoning_content"): "",
        ("tool", 0): '{"x":"<EMAIL_ADDRESS>"}',
        ("tool", 1): '{"y":"<CREDIT_CARD>"}',
        "function": '{"z":"<EMAIL_ADDRESS>"}',
    }


def test_content_in_parts_and_completions_are_masked_too() -> None:
    parts = [chunk({"content": [{"type": "text", "text": piece}]}) for piece in ("a john@exam", "ple.com ", "b")]
    old = [b'data: {"choices":[{"index":0,"text":"john@"}]}\n\n', b'data: {"choices":[{"index":0,"text":"b.co"}]}\n\n']

    assert b"example" not in run(stream(), *parts, DONE)
    assert [choice["text"] for choice in choices(run(stream(), *old, DONE))] == ["", "", "<EMAIL_ADDRESS>"]


@pytest.mark.parametrize(
    "event",
    [
        b'data: {"choices":[{"index":0,"delta":{"content":"a@b.co, "},"x":{"content":"c"}}]}\n\n',
        b'data: {"choices":[{"index":0,"delta":{"cont\\u0065nt":"a@b.co, "},"x":{"content":"a@b.co, "}}]}\n\n',
        b'data: {"choices":[{"index":0,"delta":{"content":"a@b.co, ","refusal":"a@b.co, "}}]}\n\n',
        b'data: {"choices":[{"index":0,"delta":{"content":"a@b.co, ","refusal":null}}]}\n\n',
        b'data: {"choices":[{"index":0,"delta":{"x":"\\"content\\":\\"","content":"a@b.co, "}}]}\n\n',
    ],
)
def test_the_text_that_is_replaced_is_the_one_that_was_read(event: bytes) -> None:
    assert run(stream(), event, DONE) == event.replace(b"a@b.co", b"<EMAIL_ADDRESS>") + DONE


def test_the_same_text_twice_in_one_chunk_is_one_text() -> None:
    body = run(stream(), chunk({"tool_calls": [tool("john@"), tool("example.com")]}, finish="stop"), DONE)

    calls = choices(body)[0]["delta"]["tool_calls"]  # type: ignore[index,call-overload]
    assert [call["function"]["arguments"] for call in calls] == ["", "<EMAIL_ADDRESS>"]


def test_what_stands_outside_of_texts_is_masked_where_it_stands() -> None:
    event = b': to a@b.co\nevent: c@d.co\ndata: {"choices":[{"delta":{"role":"e@f.co"}}],"n":4111111111111111}\n\n'
    masker = stream()

    body = run(masker, event, DONE)

    assert body.startswith(
        b": to <EMAIL_ADDRESS>\nevent: <EMAIL_ADDRESS>\n"
        b'data: {"choices":[{"delta":{"role":"<EMAIL_ADDRESS>"}}],"n":"<CREDIT_CARD>"}\n\n'
    )
    assert len(masker.findings) == 4


def test_a_comment_keeps_the_connection_alive_although_text_is_held_back() -> None:
    masker = stream()
    masker.feed(text("4111"))

    assert masker.feed(b": keep-alive\n\n") == (b": keep-alive\n\n",)
    assert masker.feed(b"\n") == ()


def test_data_over_several_lines_is_one_payload() -> None:
    event = b'data: {"choices":[{"index":0,\ndata: "delta":{"content":"john@example.com, "}}]}\n\n'

    assert run(stream(), event, DONE) == event.replace(b"john@example.com", b"<EMAIL_ADDRESS>") + DONE


def test_an_envelope_is_masked_where_it_is_repeated() -> None:
    first = b'data: {"id":"a@b.co","model":"m","choices":[{"index":0,"delta":{"content":"john"}}]}\n\n'

    assert payloads(run(stream(), first, DONE))[-1] == {
        "id": "<EMAIL_ADDRESS>",
        "model": "m",
        "choices": [{"index": 0, "delta": {"content": "john"}, "logprobs": None, "finish_reason": None}],
    }


TOKENS = {"content": [{"token": "john@example.com", "logprob": -0.1}], "refusal": None}


@pytest.mark.parametrize(
    ("content", "logprobs", "kept"),
    [
        ("plain. ", {"content": [{"token": "plain. ", "logprob": -0.1}]}, True),
        ("john@example.com", TOKENS, False),
        ("", TOKENS, False),
        ("held", {"content": [{"token": "held"}]}, False),
        ("plain. ", {"content": None}, False),
        ("plain. ", {"tokens": ["plain. "]}, False),
        ("plain. ", {"content": ["plain. "]}, False),
    ],
)
def test_token_lists_go_unless_they_repeat_what_is_sent(content: str, logprobs: object, kept: bool) -> None:  # noqa: FBT001
    body = run(stream(), chunk({"content": content}, logprobs=logprobs), DONE)

    assert (choices(body)[0]["logprobs"] == logprobs) == kept
    assert (choices(body)[0]["logprobs"] is None) != kept
    assert b"john@" not in body


@pytest.mark.parametrize(
    "data",
    [
        b'data: {"choices": [\n\n',
        b'data: {"choices":[],"choices":[]}\n\n',
        b"data: \xff\n\n",
        b"x" * (EVENT_LIMIT + 1),
        chunk({}, finish="stop") + text("more"),
        chunk({"content": '{"' + "\\" * 20_000}),
    ],
)
def test_what_can_not_be_read_ends_the_stream_in_our_own_words(data: bytes) -> None:
    masker = stream()
    masker.feed(text(""))

    with pytest.raises(UnreadableBody) as error:
        masker.feed(data)
    assert "\n" not in str(error.value)
    assert error.value.__cause__ is None


def test_a_stream_that_is_cut_off_within_an_event_is_refused() -> None:
    masker = stream()
    masker.feed(text("a "))
    masker.feed(b'data: {"choices":[{"ind')

    with pytest.raises(UnreadableBody):
        masker.finish()


def test_an_error_in_mid_stream_is_passed_on_masked() -> None:
    error = b'data: {"error": {"message": "no such user john@example.com"}}\n\n'

    assert run(stream(), text("a "), error).endswith(
        b'data: {"error": {"message": "no such user <EMAIL_ADDRESS>"}}\n\n'
    )


def test_an_empty_stream_gives_nothing() -> None:
    masker = stream()

    assert masker.feed(b"") == ()
    assert masker.finish() == ()


@pytest.mark.parametrize(
    "data",
    [
        b'data: {"other": "to a@b.co"}\n\n',
        b'data: {"choices": "to a@b.co"}\n\n',
        b'data: {"choices": ["to a@b.co"]}\n\n',
        b"data: plain text to a@b.co\n\n",
        b"data: plain text\ndata: to a@b.co\n\n",
    ],
)
def test_what_is_no_chunk_is_masked_where_it_stands(data: bytes) -> None:
    assert run(stream(), text("x. "), data, DONE) == text("x. ") + data.replace(b"a@b.co", b"<EMAIL_ADDRESS>") + DONE


def test_events_are_given_as_they_came_and_once() -> None:
    masker = stream()
    first = text("john@example.com")
    masker.feed(first + b": comment\n\n" + DONE)

    assert masker.take_events() == (first.removeprefix(b"data: ").strip(),)
    assert masker.take_events() == ()
    assert masker.findings == (Finding("EMAIL_ADDRESS", "body"),)


@pytest.mark.parametrize(
    ("table", "client", "journal"),
    [
        ({"default": "keep"}, "a john@example.com b", "a <EMAIL_ADDRESS> b"),
        ({"default": "redact"}, "a  b", "a  b"),
        (
            {"EMAIL_ADDRESS": OperatorConfig(operator=OperatorName.MASK, keep_first=1, character='"')},
            'a j""""""""""""""" b',
            'a j""""""""""""""" b',
        ),
    ],
)
def test_the_record_is_what_was_sent_but_for_what_is_kept(
    table: dict[str, str | OperatorConfig], client: str, journal: str
) -> None:
    masker = stream(table)
    body = run(masker, text("a john@exam"), text("ple.com"), text(" b"), stop(), DONE)
    recorded = masker.take_recorded()

    def read(data: bytes) -> str:
        return "".join(str(choice["delta"].get("content", "")) for choice in choices(data))  # type: ignore[attr-defined]

    assert (read(body), read(recorded)) == (client, journal)
    assert masker.take_recorded() == b""


PNG = base64.b64encode(b"\x89PNG\r\n\x1a\n" + bytes(100)).decode()


def test_what_stands_encoded_outside_of_texts_is_masked() -> None:
    encoded, masked = (base64.b64encode(said).decode() for said in (b"to a@b.com, now", b"to <EMAIL_ADDRESS>, now"))
    event = f'data: {{"choices":[],"x":"{encoded}"}}\n\n'.encode()
    masker = stream()

    assert run(masker, event, DONE) == event.replace(encoded.encode(), masked.encode()) + DONE
    assert masker.findings == (Finding("EMAIL_ADDRESS", "body"),)


def test_a_picture_in_a_stream_passes_where_a_rule_says_so_and_is_not_recorded() -> None:
    event = f'data: {{"choices":[],"x":"{PNG}"}}\n\n'.encode()
    with pytest.raises(UnreadableBody, match="image"):
        stream().feed(event)
    masker = stream_masker(MASKER, MEDIA, unread=True)
    assert masker is not None

    assert run(masker, event, DONE) == event + DONE
    assert "‹uninspected: image, 108 bytes›" in masker.take_recorded().decode()
    assert masker.uninspected == "a part of the body is not text: 1 encoded in it are image"


def test_a_value_split_over_strings_of_an_unknown_key_ends_the_stream() -> None:
    def event(said: str) -> bytes:
        return b"data: " + json.dumps({"w": said, "id": "7", "time": "12:30"}).encode() + b"\n\n"

    whole = stream()
    assert run(whole, event("a@b.co "), event("c@d.co")) == event("<EMAIL_ADDRESS> ") + event("<EMAIL_ADDRESS>")
    split = stream()
    split.feed(event("it is john.smith@exa"))
    with pytest.raises(UnreadableBody, match="split over"):
        split.feed(event("mple.com, yes"))


def test_labels_of_events_are_not_taken_for_text() -> None:
    events = [
        b"data: " + json.dumps({"id": "4111111", "ts": f"1718{n:04}", "price": "10.25", "n": str(n)}).encode() + b"\n\n"
        for n in range(200)
    ]

    assert run(stream(), *events) == b"".join(events)
