"""`gatekeeper mask`: text in, masked text out; or what was found, and where."""

import io
import os
import sys
from collections.abc import Iterator
from typing import Final, cast

import click
import msgspec

from gatekeeper.cli.options import load_settings, settings_option
from gatekeeper.cli.problem import Problem

PIECE: Final = 1 << 20
HASH_KEY_SIZE: Final = 32


class Line(msgspec.Struct, frozen=True):
    """A line in."""

    text: str


class Answer[Span](msgspec.Struct, frozen=True):
    """A line out: what was found and where, in characters from 0, the end exclusive."""

    spans: list[Span]


@click.command()
@click.option("--spans", is_flag=True, help='JSON lines {"text"} in, {"spans": [{start, end, entity}]} out.')
@settings_option
def mask(*, spans: bool) -> None:
    """Mask text from standard input, as the journal would record it in an answer.

    The operator `hash` takes a new key for each run.
    """
    if spans:
        _print_spans()
        return
    from gatekeeper.masking import Masker, UnreadableBody, mask_text

    masker = Masker(load_settings().masking, os.urandom(HASH_KEY_SIZE))
    try:
        text = sys.stdin.buffer.read().decode()
    except UnicodeDecodeError as error:
        msg = f"standard input: byte {error.start} is not UTF-8"
        raise Problem(msg) from error
    try:
        masked = mask_text(masker, text)
    except UnreadableBody as error:
        msg = f"standard input: {error}"
        raise Problem(msg) from error
    sys.stdout.buffer.write(masked.encode())
    sys.stdout.buffer.flush()


def _print_spans() -> None:
    from gatekeeper.masking import UnreadableBody, find_spans

    decoder, encoder = msgspec.json.Decoder(Line), msgspec.json.Encoder()
    number = 0
    for lines in _pieces():
        answers = bytearray()
        try:
            for line in lines:
                number += 1
                found = find_spans(decoder.decode(line).text)
                answers += encoder.encode(Answer(found)) + b"\n"
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
