"""Reads a chunked body (RFC 9112 §7.1) by the letter: digits, CR LF, data, CR LF, and no trailers."""

from typing import Final, NoReturn

import h11
from h11._receivebuffer import ReceiveBuffer

from gatekeeper.egress.heads import chunk_size

LINE_LIMIT: Final = 20
"""Bytes of a chunk's first line: 16 digits, CR LF, and some."""

CR_LF: Final = b"\r\n"


class StrictChunks:
    """A body reader in h11's shape, in whose place it stands: h11's takes extensions, bare LF and trailers."""

    def __init__(self) -> None:
        self._left = 0
        self._end = b""
        self._last = False

    def __call__(self, buffer: ReceiveBuffer) -> h11.Data | h11.EndOfMessage | None:
        """Give the next piece, the end, or None where more must come; raises h11.RemoteProtocolError."""
        if self._end and not self._take_end(buffer):
            return None
        if self._last:
            return h11.EndOfMessage()
        if not self._left and not self._take_size(buffer):
            return None
        if self._last:
            return self(buffer)
        data = buffer.maybe_extract_at_most(self._left)
        if data is None:
            return None
        self._left -= len(data)
        self._end = b"" if self._left else CR_LF
        return h11.Data(data=bytes(data))

    def read_eof(self) -> NoReturn:
        """Raise h11.RemoteProtocolError: a chunked body says itself where it ends."""
        msg = "the connection ended inside a chunked body"
        raise h11.RemoteProtocolError(msg)

    def _take_size(self, buffer: ReceiveBuffer) -> bool:
        line = buffer.maybe_extract_next_line()
        if line is None:
            if len(buffer) > LINE_LIMIT or b"\n" in bytes(buffer):
                msg = "a chunk begins with no size"
                raise h11.RemoteProtocolError(msg)
            return False
        size = chunk_size(bytes(line))
        if size is None:
            msg = "a chunk's size is not plain hexadecimal digits"
            raise h11.RemoteProtocolError(msg)
        self._left, self._last = size, not size
        self._end = b"" if size else CR_LF
        return True

    def _take_end(self, buffer: ReceiveBuffer) -> bool:
        """Take CR LF; where trailers are meant to follow the last chunk, they are refused here."""
        taken = bytes(buffer.maybe_extract_at_most(len(self._end)) or b"")
        if not self._end.startswith(taken):
            msg = "a chunk does not end with CR LF, or trailers follow"
            raise h11.RemoteProtocolError(msg)
        self._end = self._end[len(taken) :]
        return not self._end
