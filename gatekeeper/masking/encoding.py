"""Takes content encodings off a body (RFC 9110 §8.4), whole or as it comes, within limits that hold while decoding."""

import zlib
from collections.abc import Callable, Generator, Iterable, Iterator
from typing import Final, Protocol, override

import brotli
import zstandard

from gatekeeper.masking.faults import BodyTooLarge, UnknownEncoding, UnreadableBody

MAX_CODINGS: Final = 3
"""Stacked codings beyond this many serve nobody but an attacker."""

MAX_RATIO: Final = 200
"""How many times larger a body over `FREE_OF_RATIO` may become by decoding; texts become 3 to 20 times larger."""

FREE_OF_RATIO: Final = 1 << 20

_STEP: Final = 1 << 16
_ZSTD_WINDOW: Final = 8 << 20  # RFC 9659: what a decoder of content encodings must support, and no more
_ZSTD_STEP: Final = 256  # input bytes; a four-byte block can stand for 128 KiB, so a step gives 8 MiB at most


def decode_body(data: bytes, content_encoding: str, limit: int) -> bytes:
    """Take all content encodings off; `limit` is in bytes and holds after each of them.

    Raises UnknownEncoding, BodyTooLarge, or UnreadableBody for data that is cut off or has a tail.
    """
    decoding = Decoding(content_encoding, limit)
    whole = decoding.feed(data)
    decoding.finish()
    return whole


def acceptable(accept_encoding: str) -> str:
    """Leave of an Accept-Encoding field (RFC 9110 §12.5.3) what can be taken off here."""
    codings = [part.strip() for part in accept_encoding.split(",")]
    known = {*_DECODERS, "identity"}
    return ", ".join(coding for coding in codings if coding.partition(";")[0].strip().lower() in known) or "identity"


class Decoding:
    """Takes the content encodings off a body that comes in pieces. Without a `limit` only the ratio is bounded.

    Raises UnknownEncoding at once; BodyTooLarge and UnreadableBody while it decodes.
    """

    __slots__ = ("_limit", "_sizes", "_stages")

    def __init__(self, content_encoding: str, limit: int | None = None) -> None:
        names = (part.strip() for part in content_encoding.lower().split(","))
        codings = [name for name in names if name not in {"", "identity"}]
        if len(codings) > MAX_CODINGS:
            msg = f"more than {MAX_CODINGS} content encodings are stacked"
            raise UnknownEncoding(msg)
        if not _DECODERS.keys() >= set(codings):
            msg = "its content encoding is none of gzip, deflate, br, zstd"
            raise UnknownEncoding(msg)
        self._stages = [_DECODERS[coding]() for coding in reversed(codings)]
        self._sizes = [0] * (len(codings) + 1)
        self._limit = limit

    @property
    def plain(self) -> bool:
        """Whether there is nothing to take off."""
        return not self._stages

    def feed(self, data: bytes) -> bytes:
        """Give what the next bytes stand for."""
        self._count(0, data)
        if self.plain:
            return data
        pieces: Iterable[bytes] = (data,)
        for number, stage in enumerate(self._stages):
            pieces = self._decoded(number, stage, pieces)
        try:
            return b"".join(pieces)
        except (zlib.error, brotli.error, zstandard.ZstdError) as error:
            msg = "its content encoding is broken"
            raise UnreadableBody(msg) from error

    def finish(self) -> None:
        """Check that nothing is missing."""
        if self._sizes[0] and not all(stage.ended for stage in self._stages):
            msg = "its content encoding is cut off"
            raise UnreadableBody(msg)

    def _decoded(self, number: int, stage: "_Decoder", pieces: Iterable[bytes]) -> Iterator[bytes]:
        for piece in pieces:
            for decoded in stage.feed(piece):
                self._count(number + 1, decoded)
                yield decoded

    def _count(self, stage: int, piece: bytes) -> None:
        self._sizes[stage] += len(piece)
        size = self._sizes[stage]
        if self._limit is not None and size > self._limit and (stage or self.plain):
            msg = f"it is larger than {self._limit} bytes once decoded"
            raise BodyTooLarge(msg)
        if size > FREE_OF_RATIO and size > MAX_RATIO * self._sizes[0]:
            msg = f"it becomes more than {MAX_RATIO} times larger by decoding"
            raise BodyTooLarge(msg)


class _Decoder(Protocol):
    """One coding. `ended`: what came so far is complete."""

    ended: bool

    def feed(self, data: bytes) -> Iterator[bytes]:
        """Give what the next bytes stand for, in steps of bounded size."""
        ...


def _tail() -> UnreadableBody:
    return UnreadableBody("something follows the end of its content encoding")


class _Zlib:
    """The formats of zlib: one stream, or the members of a gzip file (RFC 1952 §2.2), all of them.

    A decoder that stops at the first member lets the rest pass unread.
    """

    def __init__(self, window: int, *, members: bool = False) -> None:
        self.ended = False
        self._window, self._members = window, members
        self._decoder = zlib.decompressobj(window)

    def feed(self, data: bytes) -> Iterator[bytes]:
        while data:
            if self.ended:
                if not self._members:
                    raise _tail()
                self._decoder, self.ended = zlib.decompressobj(self._window), False
            data = yield from self._inflated(data)

    def _inflated(self, data: bytes) -> Generator[bytes, None, bytes]:
        """Give what one stream holds, then, as the generator's value, what follows its end."""
        decoder = self._decoder
        while True:
            piece = decoder.decompress(data, _STEP)
            yield piece
            if decoder.eof:
                self.ended = True
                return decoder.unused_data
            data = decoder.unconsumed_tail
            if not data and len(piece) < _STEP:
                return b""


def _gzip() -> _Zlib:
    return _Zlib(16 + zlib.MAX_WBITS, members=True)


class _Deflate(_Zlib):
    """The zlib format (RFC 9110 §8.4.1.2), or the raw one that some servers send instead: the first bytes tell."""

    def __init__(self) -> None:
        super().__init__(zlib.MAX_WBITS)
        self._head: bytes | None = b""

    @override
    def feed(self, data: bytes) -> Iterator[bytes]:
        if self._head is not None:
            data = self._head + data
            if len(data) < _HEADER:
                self._head = data
                return
            self._head = None
            zlib_format = data[0] & 0x0F == zlib.DEFLATED and int.from_bytes(data[:2]) % 31 == 0  # RFC 1950 §2.2
            if not zlib_format:
                self._decoder = zlib.decompressobj(-zlib.MAX_WBITS)
        yield from super().feed(data)


_HEADER: Final = 2


class _Brotli:
    def __init__(self) -> None:
        self.ended = False
        self._decoder = brotli.Decompressor()

    def feed(self, data: bytes) -> Iterator[bytes]:
        if self.ended and data:
            raise _tail()
        piece = self._decoder.process(data, output_buffer_limit=_STEP)
        while piece:
            yield piece
            piece = b"" if self._decoder.is_finished() else self._decoder.process(b"", output_buffer_limit=_STEP)
        self.ended = self._decoder.is_finished()


class _Zstd:
    """All frames (RFC 8878 §3)."""

    def __init__(self) -> None:
        self.ended = False
        self._decoder = self._new()

    @staticmethod
    def _new() -> "zstandard.ZstdDecompressionObj":
        return zstandard.ZstdDecompressor(max_window_size=_ZSTD_WINDOW).decompressobj()

    def feed(self, data: bytes) -> Iterator[bytes]:
        at = 0
        while at < len(data):
            if self.ended:
                self._decoder, self.ended = self._new(), False
            step = data[at : at + _ZSTD_STEP]
            yield self._decoder.decompress(step)
            at += len(step)
            if self._decoder.eof:
                self.ended = True
                at -= len(self._decoder.unused_data)


_DECODERS: Final[dict[str, Callable[[], _Decoder]]] = {
    "gzip": _gzip,
    "x-gzip": _gzip,
    "deflate": _Deflate,
    "br": _Brotli,
    "zstd": _Zstd,
}
