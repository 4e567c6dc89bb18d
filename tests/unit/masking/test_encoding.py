import contextlib
import gzip
import tracemalloc
import zlib
from collections.abc import Callable

import brotli
import pytest
import zstandard
from hypothesis import given
from hypothesis import strategies as st

from gatekeeper.masking import BodyTooLarge, Decoding, UnknownEncoding, UnreadableBody, decode_body

TEXT = b'{"a": "text of some length, text of some length"}'


def raw_deflate(data: bytes) -> bytes:
    encoder = zlib.compressobj(wbits=-15)
    return encoder.compress(data) + encoder.flush()


ENCODERS: dict[str, Callable[[bytes], bytes]] = {
    "gzip": gzip.compress,
    "x-gzip": gzip.compress,
    "deflate": zlib.compress,
    "br": brotli.compress,
    "zstd": zstandard.compress,
    "identity": bytes,
    "": bytes,
}


@pytest.mark.parametrize("coding", ENCODERS)
def test_each_known_encoding_is_taken_off(coding: str) -> None:
    assert decode_body(ENCODERS[coding](TEXT), coding.upper(), 100) == TEXT


@pytest.mark.parametrize("coding", ENCODERS)
def test_a_large_body_is_decoded_whole(coding: str) -> None:
    large = bytes(range(256)) * 2_000

    assert decode_body(ENCODERS[coding](large), coding, len(large)) == large


def test_raw_deflate_is_taken_off_too() -> None:
    assert decode_body(raw_deflate(TEXT), "deflate", 100) == TEXT


@pytest.mark.parametrize("coding", ["gzip", "zstd"])
def test_all_members_are_decoded(coding: str) -> None:
    assert decode_body(ENCODERS[coding](TEXT) + ENCODERS[coding](b"second"), coding, 100) == TEXT + b"second"


def test_stacked_encodings_are_taken_off_last_first() -> None:
    assert decode_body(brotli.compress(gzip.compress(TEXT)), "gzip, identity, br", 100) == TEXT


@pytest.mark.parametrize("coding", ["gzip", "br", "", "gzip, br"])
def test_an_empty_body_stays_empty(coding: str) -> None:
    assert decode_body(b"", coding, 0) == b""


@pytest.mark.parametrize("coding", ["compress", "gzip, exi", "gzip gzip", "gzip, gzip, gzip, gzip"])
def test_an_unknown_encoding_is_refused(coding: str) -> None:
    with pytest.raises(UnknownEncoding):
        decode_body(TEXT, coding, 100)


@pytest.mark.parametrize("coding", ["gzip", "deflate", "br", "zstd"])
def test_what_is_cut_off_is_refused(coding: str) -> None:
    encoded = ENCODERS[coding](TEXT)
    for size in range(1, len(encoded)):
        with pytest.raises(UnreadableBody):
            decode_body(encoded[:size], coding, 100)


@pytest.mark.parametrize("coding", ["gzip", "deflate", "br", "zstd"])
def test_what_follows_the_end_is_refused(coding: str) -> None:
    with pytest.raises(UnreadableBody):
        decode_body(ENCODERS[coding](TEXT) + b"secret", coding, 100)


@pytest.mark.parametrize("coding", ["gzip", "deflate", "br", "zstd"])
def test_what_is_not_encoded_at_all_is_refused_in_our_own_words(coding: str) -> None:
    with pytest.raises(UnreadableBody, match=r"^(its content encoding is|something follows)"):
        decode_body(TEXT, coding, 100)


@pytest.mark.parametrize("coding", ["gzip", "deflate", "br", "zstd", ""])
def test_a_bomb_ends_at_the_limit(coding: str) -> None:
    bomb = ENCODERS[coding](bytes(64 << 20))

    tracemalloc.start()
    with pytest.raises(BodyTooLarge, match="larger than 1000 bytes"):
        decode_body(bomb, coding, 1000)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()

    assert peak < 24 << 20
    assert len(decode_body(ENCODERS[coding](bytes(1000)), coding, 1000)) == 1000


def test_a_bomb_in_a_bomb_ends_at_the_limit_too() -> None:
    with pytest.raises(BodyTooLarge):
        decode_body(gzip.compress(gzip.compress(bytes(64 << 20))), "gzip, gzip", 1000)


@given(st.binary(max_size=200), st.sampled_from(sorted(ENCODERS)))
def test_no_bytes_make_it_fail_in_another_way(data: bytes, coding: str) -> None:
    with contextlib.suppress(UnreadableBody, BodyTooLarge):
        decode_body(data, coding, 10_000)


@pytest.mark.parametrize("coding", [*ENCODERS, "gzip, br", "zstd, gzip"])
@pytest.mark.parametrize("size", [1, 2, 7, 1000])
def test_what_comes_in_pieces_is_decoded_as_it_comes(coding: str, size: int) -> None:
    encoded = TEXT * 5000
    for name in coding.split(", "):
        encoded = ENCODERS[name](encoded)
    decoding = Decoding(coding)

    decoded = b"".join(decoding.feed(encoded[at : at + size]) for at in range(0, len(encoded), size))
    decoding.finish()

    assert decoded == TEXT * 5000


@pytest.mark.parametrize("coding", ["gzip", "deflate", "br", "zstd"])
def test_each_event_of_an_encoded_stream_comes_out_once_it_is_in(coding: str) -> None:
    encoder = {
        "gzip": lambda: zlib.compressobj(wbits=31),
        "deflate": zlib.compressobj,
        "zstd": lambda: zstandard.ZstdCompressor().compressobj(),
        "br": brotli.Compressor,
    }[coding]()
    decoding = Decoding(coding)
    for event in (b"one", b"two"):
        encoded = encoder.process(event) if coding == "br" else encoder.compress(event)
        encoded += {
            "gzip": lambda: encoder.flush(zlib.Z_SYNC_FLUSH),
            "deflate": lambda: encoder.flush(zlib.Z_SYNC_FLUSH),
            "zstd": lambda: encoder.flush(zstandard.COMPRESSOBJ_FLUSH_BLOCK),
            "br": encoder.flush,
        }[coding]()
        assert decoding.feed(encoded) == event
    with pytest.raises(UnreadableBody):
        decoding.finish()


@pytest.mark.parametrize("coding", ["gzip", "deflate", "br", "zstd"])
def test_a_stream_that_grows_too_much_by_decoding_is_refused(coding: str) -> None:
    bomb = ENCODERS[coding](bytes(64 << 20))
    decoding = Decoding(coding)

    tracemalloc.start()
    with pytest.raises(BodyTooLarge, match="200 times"):
        decoding.feed(bomb)
    assert tracemalloc.get_traced_memory()[1] < 32 << 20
    tracemalloc.stop()
