import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gatekeeper.credentials.eraser import REMOVED, Eraser
from gatekeeper.credentials.spellings import spellings

SECRET = 'q7/no "known" shape+4f'


def through(scrubber: Eraser, *pieces: bytes) -> bytes:
    return b"".join([*(scrubber.feed(piece) for piece in pieces), scrubber.rest()])


@pytest.mark.parametrize(
    "form",
    [
        'q7/no "known" shape+4f',
        "q7%2Fno%20%22known%22%20shape%2B4f",
        "q7%2Fno+%22known%22+shape%2B4f",
        'q7/no \\"known\\" shape+4f',
        'q7\\/no \\"known\\" shape+4f',
        "cTcvbm8gImtub3duIiBzaGFwZSs0Zg==",
    ],
)
def test_a_secret_is_found_in_the_spellings_of_an_echo(form: str) -> None:
    echo = b"before " + form.encode() + b" after"
    clean = Eraser(spellings([SECRET])).whole(echo)
    assert clean.startswith(b"before " + REMOVED)
    assert clean.endswith(b" after")
    assert through(Eraser(spellings([SECRET])), *(echo[at : at + 1] for at in range(len(echo)))) == clean


TEXT = b"data: abcabcab\n\ndata: abcabcabcd, abcabcabc" + b"d"


@given(st.lists(st.integers(1, len(TEXT) - 1), unique=True))
def test_it_does_not_matter_how_the_bytes_are_split(cuts: list[int]) -> None:
    at = [0, *sorted(cuts), len(TEXT)]
    pieces = [TEXT[start:end] for start, end in itertools.pairwise(at)]
    whole = Eraser(spellings(["abcabcabcd"])).whole(TEXT)
    assert b"abcabcabcd" not in whole
    assert through(Eraser(spellings(["abcabcabcd"])), *pieces) == whole


@given(st.lists(st.binary(max_size=9)))
def test_what_holds_no_secret_is_left_as_it_is(pieces: list[bytes]) -> None:
    assert through(Eraser(spellings(["none of this is in it"])), *pieces) == b"".join(pieces)


def test_nothing_is_kept_back_but_what_could_be_a_beginning() -> None:
    scrubber = Eraser(spellings(["secret-one"]))
    assert scrubber.feed(b"some secre") == b"some "
    assert scrubber.feed(b"tion") == b"secretion"
    assert Eraser(spellings(())).feed(b"any") == b"any"
