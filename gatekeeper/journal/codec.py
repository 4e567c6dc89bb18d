"""Compression of bodies: zstd, for small ones with a dictionary of what calls to models look like.

The dictionary was made once from invented calls (benchmarks/journal_dictionary.py) and never from recorded ones: else
what a session's erased key was to destroy could live on in it.
"""

from collections.abc import Sequence
from importlib import resources
from typing import Final

import zstandard

LEVEL: Final = 3
SMALL: Final = 16 << 10
"""Bytes of a body up to which the dictionary is used: a longer one teaches zstd enough by itself."""

DICTIONARY: Final = "dictionary-1"
"""The name of the shipped dictionary among the secrets of `keys.db`."""


def shipped_dictionary() -> bytes:
    """Give the dictionary that a new store begins with."""
    return resources.files("gatekeeper.journal").joinpath("bodies.zdict").read_bytes()


class Codec:
    """Compresses with the first of its dictionaries, and reads frames of all. For one thread at a time."""

    def __init__(self, dictionaries: Sequence[bytes]) -> None:
        known = [zstandard.ZstdCompressionDict(one) for one in dictionaries]
        self._plain = zstandard.ZstdCompressor(level=LEVEL)
        self._small = zstandard.ZstdCompressor(level=LEVEL, dict_data=known[0]) if known else self._plain
        self._readers = {one.dict_id(): zstandard.ZstdDecompressor(dict_data=one) for one in known}
        self._readers.setdefault(0, zstandard.ZstdDecompressor())

    def compress(self, data: bytes) -> bytes:
        """Give one frame."""
        return (self._small if len(data) <= SMALL else self._plain).compress(data)

    def decompress(self, frame: bytes, limit: int) -> bytes:
        """Read a frame of at most `limit` bytes; raises ZstdError, or LookupError where its dictionary is not known."""
        reader = self._readers[zstandard.get_frame_parameters(frame).dict_id]
        return reader.decompress(frame, max_output_size=limit)
