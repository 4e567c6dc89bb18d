"""Text in, masked text out; or what was found, line by line."""

import json
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import Result

type Run = Callable[..., Result]

CARD = "4111 1111 1111 1111"
TEXT = f"café: jane.doe@example.com paid with {CARD}"


def test_text_is_masked(run: Run) -> None:
    result = run("mask", input=TEXT)
    assert (result.exit_code, result.stderr) == (0, "")
    assert result.stdout == "café: <EMAIL_ADDRESS> paid with <CREDIT_CARD>"


@pytest.mark.parametrize("text", ["", "nothing to see\n", "two\nlines\r\nand no end"])
def test_the_rest_stays_as_it_is(run: Run, text: str) -> None:
    assert run("mask", input=text.encode()).stdout_bytes == text.encode()


def test_the_configurations_operators_are_used_and_what_they_keep_is_masked_all_the_same(
    run: Run, folder: Path
) -> None:
    config = folder / "config.toml"
    config.write_text(
        config.read_text()
        + '[masking.response]\nCREDIT_CARD = { operator = "mask", keep_last = 4 }\ndefault = "keep"\n'
    )
    output = run("mask", input=TEXT).stdout
    assert output.endswith("1111")
    assert CARD not in output
    assert "<EMAIL_ADDRESS>" in output


def test_what_is_no_text_is_said_to_be_so(run: Run) -> None:
    result = run("mask", input=b"ab\xff")
    assert (result.exit_code, result.stdout) == (2, "")
    assert result.stderr == "gatekeeper: standard input: byte 2 is not UTF-8\n"


def test_each_line_has_its_answer_in_order_with_places_in_characters(run: Run) -> None:
    texts = [TEXT, "nothing", "😀 a@b.example"]
    result = run("mask", "--spans", input="".join(json.dumps({"text": text}) + "\n" for text in texts))
    answers = [json.loads(line)["spans"] for line in result.stdout.splitlines()]
    assert [
        [(span["entity"], texts[n][span["start"] : span["end"]]) for span in spans] for n, spans in enumerate(answers)
    ] == [
        [("EMAIL_ADDRESS", "jane.doe@example.com"), ("CREDIT_CARD", CARD)],
        [],
        [("EMAIL_ADDRESS", "a@b.example")],
    ]
    assert result.stdout.startswith('{"spans":[{"start":6,"end":26,"entity":"EMAIL_ADDRESS"}')


def test_a_last_line_needs_no_end_and_other_keys_are_let_be(run: Run) -> None:
    assert run("mask", "--spans", input='{"id": 7, "text": "x"}').stdout == '{"spans":[]}\n'


@pytest.mark.parametrize("bad", ["nonsense", "", '{"text": 1}', '{"spans": []}', '["text"]', '{"text": "\\ud800"}'])
def test_a_bad_line_is_named_by_its_number_after_the_answers_before_it(run: Run, bad: str) -> None:
    result = run("mask", "--spans", input=f'{{"text": "x"}}\n{bad}\n{{"text": "y"}}\n')
    assert (result.exit_code, result.stdout) == (2, '{"spans":[]}\n')
    assert result.stderr.startswith("gatekeeper: standard input, line 2: expected a JSON object")
    assert result.stderr.count("\n") == 1


def test_who_waits_for_an_answer_before_the_next_line_gets_it(folder: Path) -> None:
    process = subprocess.Popen(
        [sys.executable, "-c", "from gatekeeper.cli import main; main()", "mask", "--spans"],
        cwd=folder,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    assert process.stdin is not None
    assert process.stdout is not None
    for text in ("x", "a@b.example"):
        process.stdin.write(json.dumps({"text": text}).encode() + b"\n")
        process.stdin.flush()
        assert process.stdout.readline().startswith(b'{"spans":[')
    process.stdin.close()
    assert process.wait(30) == 0
    process.stdout.close()


def test_spans_need_no_configuration_but_one_that_is_named_must_be_there(run: Run, folder: Path) -> None:
    (folder / "config.toml").unlink()

    assert run("mask", "--spans", input='{"text": "x"}').exit_code == 0
    assert run("--config", "nowhere", "mask", "--spans", input='{"text": "x"}').exit_code == 2


def test_spans_are_those_of_the_configurations_detectors(run: Run) -> None:
    off = ("--set", 'masking.disable=["EMAIL_ADDRESS"]')

    assert run("mask", "--spans", *off, input='{"text": "a@b.example"}').stdout == '{"spans":[]}\n'


def test_explain_says_which_detector_validator_and_word_decided_and_never_the_value(run: Run) -> None:
    text = f"card {CARD}\nssn 536904399, order 415-555-0132, id 4111111111111112, a 123456789"

    said = run("mask", "--explain", input=text).stdout
    as_json = json.loads(run("mask", "--explain", "--json", input=text).stdout)

    assert re.search(r" 1:6 .* CREDIT_CARD +found\n +form: digits in groups or not; validator card says yes\n", said)
    assert re.search(r" 2:5 .* US_SSN +found\n +form: after its words; word: 'ssn'\n", said)
    assert re.search(r" 2:22 .* PHONE_NUMBER +not found: a word speaks against it\n.*; word: 'order'\n", said)
    assert re.search(r"CREDIT_CARD +not found: its validator says no\n.*validator card says no\n", said)
    assert "536904399" not in said
    assert {"start": 5, "entity": "CREDIT_CARD", "outcome": "found", "validator": "card"}.items() <= as_json[0].items()


def test_explain_of_nothing_says_so_and_goes_not_with_spans(run: Run) -> None:
    assert run("mask", "--explain", input="plain words").stdout.startswith("nothing in it has the form")
    assert run("mask", "--explain", "--spans", input="").exit_code == 2


def test_a_long_line_in_many_pieces_is_one_line(run: Run) -> None:
    text = "word " * 500_000 + "a@b.example"
    (span,) = json.loads(run("mask", "--spans", input=json.dumps({"text": text})).stdout)["spans"]
    assert (span["entity"], span["end"]) == ("EMAIL_ADDRESS", len(text))
