"""`gatekeeper mask`: text in, masked text out; or what was found, and where; or why."""

import functools
import io
import os
import sys
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Final, cast

import click
import msgspec

from gatekeeper.cli.options import json_option, load_settings, settings_option
from gatekeeper.cli.problem import Problem

if TYPE_CHECKING:
    from gatekeeper.config import MaskingConfig
    from gatekeeper.masking import Explanation, Span

PIECE: Final = 1 << 20
HASH_KEY_SIZE: Final = 32
_FOUND: Final = "found"


class Line(msgspec.Struct, frozen=True):
    """A line in."""

    text: str


class Answer[Span](msgspec.Struct, frozen=True):
    """A line out: what was found and where, in characters from 0, the end exclusive."""

    spans: list[Span]


@click.command()
@click.option("--spans", is_flag=True, help='JSON lines {"text"} in, {"spans": [{start, end, entity}]} out.')
@click.option("--explain", is_flag=True, help="Say which detector, validator and word decided, and on what not.")
@json_option
@settings_option
def mask(*, spans: bool, explain: bool, as_json: bool) -> None:
    """Mask text from standard input, as the journal would record it in an answer.

    The operator `hash` takes a new key for each run.
    """
    if spans and explain:
        msg = "--spans and --explain: choose one"
        raise Problem(msg)
    if spans:
        _print_spans(_settings())
    elif explain:
        _print_explained(_settings(), as_json=as_json)
    else:
        _print_masked(load_settings().masking)


def _settings() -> "MaskingConfig":
    """Give the configuration that the options lead to; its defaults where there is no file at all."""
    from gatekeeper.cli.options import config_file
    from gatekeeper.config import MaskingConfig

    try:
        config_file()
    except Problem:
        return MaskingConfig()
    return load_settings().masking


def _print_masked(config: "MaskingConfig") -> None:
    from gatekeeper.masking import Masker, UnreadableBody, mask_text

    masker = Masker(config, os.urandom(HASH_KEY_SIZE))
    text = _text()
    try:
        masked = mask_text(masker, text)
    except UnreadableBody as error:
        msg = f"standard input: {error}"
        raise Problem(msg) from error
    sys.stdout.buffer.write(masked.encode())
    sys.stdout.buffer.flush()


def _text() -> str:
    try:
        return sys.stdin.buffer.read().decode()
    except UnicodeDecodeError as error:
        msg = f"standard input: byte {error.start} is not UTF-8"
        raise Problem(msg) from error


def _print_explained(config: "MaskingConfig", *, as_json: bool) -> None:
    from gatekeeper.masking import UnreadableBody, explanations

    text = _text()
    try:
        explained = explanations(config, text)
    except UnreadableBody as error:
        msg = f"standard input: {error}"
        raise Problem(msg) from error
    if as_json:
        print(msgspec.json.encode(explained).decode())
        return
    for explanation in explained:
        print(_line(explanation, text))
    if not explained:
        print("nothing in it has the form of anything that detectors know")


def _line(why: "Explanation", text: str) -> str:
    """Say it in a line; the value itself is left out, so that the line can go anywhere."""
    row = text.count("\n", 0, why.start) + 1
    column = why.start - text.rfind("\n", 0, why.start)
    place = f"{row}:{column}"
    reasons = [f"form: {why.form}"]
    if why.validator:
        passed = "says no" if why.outcome == "its validator says no" else "says yes"
        reasons.append(
            f"validator {why.validator} {passed}" if _was_asked(why) else f"validator {why.validator} not asked"
        )
    if why.word:
        reasons.append(f"word: {why.word!r}")
    elif why.asks_for_word:
        reasons.append("asks for a word to the left")
    verdict = "found" if why.outcome == _FOUND else f"not found: {why.outcome}"
    return (
        f"{place:>8}  {why.end - why.start:>4} characters  {why.entity:<20} {verdict}\n          {'; '.join(reasons)}"
    )


def _was_asked(why: "Explanation") -> bool:
    return why.outcome not in {"no context word", "a word speaks against it"}


def _print_spans(config: "MaskingConfig") -> None:
    from gatekeeper.masking import UnreadableBody, find_spans, scanner_of

    find: Callable[[str], list[Span]] = functools.partial(find_spans, scanner=scanner_of(config))
    decoder, encoder = msgspec.json.Decoder(Line), msgspec.json.Encoder()
    number = 0
    for lines in _pieces():
        answers = bytearray()
        try:
            for line in lines:
                number += 1
                answers += encoder.encode(Answer(find(decoder.decode(line).text))) + b"\n"
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            msg = f'standard input, line {number}: expected a JSON object {{"text": "…"}}: {error}'
            raise Problem(msg) from error
        except UnreadableBody as error:
            msg = f"standard input, line {number}: {error}"
            raise Problem(msg) from error
        finally:
            sys.stdout.buffer.write(answers)
            sys.stdout.buffer.flush()


def _pieces() -> Iterator[list[bytearray]]:
    """Give whole lines as they come in, so that who writes one line and waits for its answer gets it."""
    source = cast(io.BufferedReader, sys.stdin.buffer)
    rest = bytearray()
    while piece := source.read1(PIECE):
        rest += piece
        if b"\n" in piece:
            *lines, rest = rest.split(b"\n")
            yield lines
    if rest:
        yield [rest]
