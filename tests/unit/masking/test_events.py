import json

import pytest

from gatekeeper.config import MaskingConfig
from gatekeeper.exchange import Message
from gatekeeper.masking import Masker
from gatekeeper.masking.events import Payload, read_events

MASKER = Masker(MaskingConfig(), b"a key for tests")


def masked(body: str, media: str = "text/event-stream") -> str:
    answer = Message(status=200, headers=(("content-type", media),), body=body.encode())
    return MASKER.inspect(answer).to_client().body.decode()


def event(data: object, name: str = "") -> str:
    return (f"event: {name}\n" if name else "") + f"data: {json.dumps(data)}\n\n"


@pytest.mark.parametrize(
    ("text", "payloads", "others"),
    [
        ("data: a\n\n", [("", ["a"])], []),
        ("data:a\ndata: b\r\n\r\ndata\r\r", [("", ["a", "b"]), ("", [""])], []),
        ("\ufeffevent: x\ndata: a\n\ndata: b", [("x", ["a"]), ("", ["b"])], ["event: x"]),
        (": note\nid: 7\nretry: 5\nodd\n\n", [], [": note", "id: 7", "retry: 5", "odd"]),
        ("event: lost\n\ndata: a\n\n", [("", ["a"])], ["event: lost"]),
        ("", [], []),
    ],
)
def test_a_stream_is_taken_apart_as_clients_do(
    text: str, payloads: list[tuple[str, list[str]]], others: list[str]
) -> None:
    found, rest = read_events(text)

    assert [(payload.name, [text[a:b] for a, b in payload.lines]) for payload in found] == payloads
    assert [text[a:b] for a, b in rest] == others


def test_a_place_in_the_data_is_a_place_in_the_body() -> None:
    text = "data: ab\ndata: cd\n\n"
    ((payload,), _) = read_events(text)

    assert payload.text(text) == "ab\ncd"
    assert [text[payload.place(n)] for n in (0, 1, 3, 4)] == ["a", "b", "c", "d"]
    with pytest.raises(IndexError):
        Payload("", ((0, 2),)).place(3)


def test_a_value_that_runs_over_several_events_stands_in_the_first() -> None:
    def delta(piece: str) -> str:
        return event({"type": "content_block_delta", "index": 0, "delta": {"text": piece}}, "content_block_delta")

    body = delta("to john@") + ": ping\n\n" + delta("exam") + delta("ple.com.")

    assert masked(body) == delta("to <EMAIL_ADDRESS>") + ": ping\n\n" + delta("") + delta(".")


def test_texts_with_another_index_are_other_texts() -> None:
    def delta(index: int, piece: str) -> str:
        return event({"type": "delta", "index": index, "delta": {"text": piece}})

    body = delta(0, "4111 1111 ") + delta(1, "1111 1111") + delta(0, "0000 0000")
    split = delta(0, "4111 1111 ") + delta(1, "a john@") + delta(0, "1111 1111") + delta(1, "example.com")

    assert masked(body) == body
    assert masked(split) == delta(0, "<CREDIT_CARD>") + delta(1, "a <EMAIL_ADDRESS>") + delta(0, "") + delta(1, "")


@pytest.mark.parametrize(
    ("first", "second"),
    [
        (
            {"type": "start", "index": 0, "block": {"text": "@1"}},
            {"type": "delta", "index": 0, "delta": {"text": "@2"}},
        ),
        ({"id": "a", "delta": "@1"}, {"id": "b", "delta": "@2"}),
        ({"id": "a", "delta": "@1"}, {"delta": "@2"}),
        ({"list": [{"index": 3, "text": "@1"}]}, {"list": [{"index": 9, "text": "-"}, {"index": 3, "text": "@2"}]}),
        ({"event": "x", "anything": ["@1"]}, {"event": "x", "anything": ["@2"]}),
        (
            {"candidates": [{"content": {"parts": [{"text": "@1"}]}}]},
            {"candidates": [{"content": {"parts": [{"text": "@2"}]}}]},
        ),
    ],
)
def test_a_value_is_found_whatever_joins_its_pieces(first: object, second: object) -> None:
    body = (event(first) + event(second)).replace("@1", "to john@exa").replace("@2", "mple.com")

    result = masked(body)

    assert "<EMAIL_ADDRESS>" in result
    assert "exa" not in result.replace("example", "")
    assert "mple.com" not in result


def test_the_event_that_repeats_the_whole_text_is_masked_alike() -> None:
    body = event({"type": "delta", "delta": "john@exa"}) + event({"type": "delta", "delta": "mple.com"})
    body += event({"type": "done", "text": "john@example.com"})

    assert masked(body).count("<EMAIL_ADDRESS>") == 2
    assert "example.com" not in masked(body)


def test_json_pieces_of_arguments_stay_json_when_joined() -> None:
    arguments = '{"card":4111111111111111,"to":"a\\u0040b.co"}'
    pieces = [arguments[:12], arguments[12:20], arguments[20:34], arguments[34:]]
    body = "".join(event({"type": "d", "index": 1, "delta": {"partial_json": piece}}) for piece in pieces)

    lines = masked(body).split("\n\n")[:-1]

    joined = "".join(json.loads(line.removeprefix("data: "))["delta"]["partial_json"] for line in lines)
    assert json.loads(joined) == {"card": "<CREDIT_CARD>", "to": "<EMAIL_ADDRESS>"}


def test_numbers_and_token_lists_are_masked_in_each_event() -> None:
    body = event({"n": 4111111111111111, "logprobs": {"content": [{"token": "a@"}, {"token": "b.co"}]}})

    assert masked(body) == event({"n": "<CREDIT_CARD>", "logprobs": None})


def test_plain_data_and_what_only_looks_like_json_is_text() -> None:
    assert masked("data: john@exa\n\ndata: mple.com\n\ndata: [DONE]\n\n") == (
        "data: <EMAIL_ADDRESS>\n\ndata: \n\ndata: [DONE]\n\n"
    )
    assert masked("data: [john@example.com]\n\n") == "data: [<EMAIL_ADDRESS>]\n\n"
    assert masked(": john@example.com\n\n") == ": <EMAIL_ADDRESS>\n\n"


def test_records_in_lines_are_masked_each_although_they_are_joined_too() -> None:
    lines = "\n".join(json.dumps({"to": to}) for to in ("john@example.com", "mary@example.org", "4111111111111111"))

    result = masked(lines, "application/x-ndjson")

    assert not {"john", "mary", "4111"} & set(result.replace('"', " ").replace("@", " ").split())
    assert [list(json.loads(line)) for line in result.split("\n")] == [["to"]] * 3


def test_a_list_of_chunks_is_a_stream() -> None:
    chunks = [{"candidates": [{"content": {"parts": [{"text": piece}]}}]} for piece in ("a john@", "example.com b")]

    result = json.loads(masked(json.dumps(chunks, indent=1), "application/json"))

    texts = [chunk["candidates"][0]["content"]["parts"][0]["text"] for chunk in result]
    assert texts == ["a <EMAIL_ADDRESS>", " b"]
    assert json.loads(masked('["candidates", "a@b.co"]', "application/json")) == ["candidates", "<EMAIL_ADDRESS>"]
