import itertools

import h11
import pytest
from h11._receivebuffer import ReceiveBuffer
from hypothesis import given
from hypothesis import strategies as st

from gatekeeper.gateway.chunks import StrictChunks


def read(*pieces: bytes) -> tuple[bytes, bool, bytes]:
    """Give the body so far, whether it has ended, and what is left in the buffer."""
    reader, buffer, body = StrictChunks(), ReceiveBuffer(), b""
    for piece in pieces:
        buffer += piece
        while (event := reader(buffer)) is not None:
            if isinstance(event, h11.EndOfMessage):
                return body, True, bytes(buffer)
            body += bytes(event.data)
    return body, False, bytes(buffer)


def test_a_body_is_read_and_what_follows_is_left() -> None:
    assert read(b"3\r\nabc\r\nA\r\n0123456789\r\n0\r\n\r\nGET /") == (b"abc0123456789", True, b"GET /")


BODY = b"3\r\nabc\r\n0a\r\n0123456789\r\n000\r\n\r\n"


@given(st.lists(st.integers(1, len(BODY) - 1), unique=True))
def test_it_does_not_matter_how_it_is_split(cuts: list[int]) -> None:
    at = [0, *sorted(cuts), len(BODY)]
    pieces = [BODY[start:end] for start, end in itertools.pairwise(at)]
    assert read(*pieces) == (b"abc0123456789", True, b"")


@pytest.mark.parametrize(
    "body",
    [
        b"3\nabc\n0\n\n",
        b"3\r\nabcd\r\n",
        b"3\r\nabc\n",
        b"3;x=y\r\nabc\r\n",
        b"3;" + b"x" * 50,
        b"-3\r\nabc\r\n",
        b"0x3\r\nabc\r\n",
        b"3 \r\nabc\r\n",
        b"\r\n",
        b"zz\r\n",
        b"f" * 21,
        b"0\r\nTrailer: x\r\n\r\n",
        b"0\r\n\n",
        b"0\n",
    ],
)
def test_what_could_end_in_two_places_is_refused(body: bytes) -> None:
    with pytest.raises(h11.RemoteProtocolError):
        read(body)
    with pytest.raises(h11.RemoteProtocolError):
        read(*(body[at : at + 1] for at in range(len(body))))


def test_it_does_not_end_with_its_connection() -> None:
    with pytest.raises(h11.RemoteProtocolError):
        StrictChunks().read_eof()


@given(st.binary(max_size=200))
def test_any_bytes_are_read_or_refused(data: bytes) -> None:
    try:
        body, _, rest = read(data)
    except h11.RemoteProtocolError:
        return
    assert len(body) + len(rest) <= len(data)
