"""Takes content encodings off a body (RFC 9110 §8.4), within a limit that holds while decoding."""

import zlib
from collections.abc import Callable, Generator, Iterator
from typing import Final

import brotli
import zstandard

from gatekeeper.masking.faults import BodyTooLarge, UnknownEncoding, UnreadableBody

MAX_CODINGS: Final = 3
"""Stacked codings beyond this many serve nobody but an attacker."""

_STEP: Final = 1 << 16
_ZSTD_WINDOW: Final = 8 << 20  # RFC 9659: what a decoder of content encodings must support, and no more
_ZSTD_STEP: Final = 256  # input bytes; a four-byte block can stand for 128 KiB, so a step gives 8 MiB at most


def decode_body(data: bytes, content_encoding: str, limit: int) -> bytes:
    """Take all content encodings off; `limit` is in bytes and holds after each of them.

    Raises UnknownEncoding, BodyTooLarge, or UnreadableBody for data that is cut off or has a tail.
    """
    codings = [name for part in content_encoding.lower().split(",") if (name := part.strip()) not in {"", "identity"}]
    if len(codings) > MAX_CODINGS:
        msg = f"more than {MAX_CODINGS} content encodings are stacked"
        raise UnknownEncoding(msg)
    for coding in reversed(codings):
        if (decoder := _DECODERS.get(coding)) is None:
            msg = "its content encoding is none of gzip, deflate, br, zstd"
            raise UnknownEncoding(msg)
        data = _bounded(decoder(data), limit) if data else data
    if len(data) > limit:
        raise BodyTooLarge(_too_large(limit))
    return data


def _bounded(pieces: Iterator[bytes], limit: int) -> bytes:
    whole = bytearray()
    try:
        for piece in pieces:
            whole += piece
            if len(whole) > limit:
                raise BodyTooLarge(_too_large(limit))
    except (zlib.error, brotli.error, zstandard.ZstdError) as error:
        msg = "its content encoding is broken"
        raise UnreadableBody(msg) from error
    return bytes(whole)


def _too_large(limit: int) -> str:
    return f"it is larger than {limit} bytes once decoded"


def _cut_off() -> UnreadableBody:
    return UnreadableBody("its content encoding is cut off")


def _tail() -> UnreadableBody:
    return UnreadableBody("something follows the end of its content encoding")


def _inflate(data: bytes, window: int) -> Generator[bytes, None, bytes]:
    """Give what one zlib stream holds, then, as the generator's value, what follows it."""
    decoder = zlib.decompressobj(window)
    while not decoder.eof:
        piece = decoder.decompress(data, _STEP)
        yield piece
        if decoder.unconsumed_tail == data and not piece:
            break
        data = decoder.unconsumed_tail
    if not decoder.eof:
        raise _cut_off()
    return decoder.unused_data


def _gzip(data: bytes) -> Iterator[bytes]:
    """Read all members (RFC 1952 §2.2): a decoder that stops at the first lets the rest pass unread."""
    while data:
        data = yield from _inflate(data, 16 + zlib.MAX_WBITS)


def _deflate(data: bytes) -> Iterator[bytes]:
    """Read the zlib format (RFC 9110 §8.4.1.2), or the raw one that some servers send instead."""
    header = int.from_bytes(data[:2])
    zlib_format = data[0] & 0x0F == zlib.DEFLATED and header % 31 == 0  # RFC 1950 §2.2
    if (yield from _inflate(data, zlib.MAX_WBITS if zlib_format else -zlib.MAX_WBITS)):
        raise _tail()


def _brotli(data: bytes) -> Iterator[bytes]:
    decoder = brotli.Decompressor()
    yield decoder.process(data, output_buffer_limit=_STEP)
    while not decoder.is_finished():
        piece = decoder.process(b"", output_buffer_limit=_STEP)
        if not piece and not decoder.is_finished() and decoder.can_accept_more_data():
            raise _cut_off()
        yield piece


def _zstd(data: bytes) -> Iterator[bytes]:
    while data:
        decoder = zstandard.ZstdDecompressor(max_window_size=_ZSTD_WINDOW).decompressobj()
        at = 0
        while not decoder.eof:
            if at >= len(data):
                raise _cut_off()
            yield decoder.decompress(data[at : at + _ZSTD_STEP])
            at += _ZSTD_STEP
        data = decoder.unused_data + data[at:]


_DECODERS: Final[dict[str, Callable[[bytes], Iterator[bytes]]]] = {
    "gzip": _gzip,
    "x-gzip": _gzip,
    "deflate": _deflate,
    "br": _brotli,
    "zstd": _zstd,
}
