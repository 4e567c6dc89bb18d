import pytest
from hypothesis import given
from hypothesis import strategies as st

from gatekeeper.config import ByteSize, Seconds, SecretTemplate


@pytest.mark.parametrize(
    ("text", "size"), [("512", 512), ("512B", 512), ("32KiB", 32768), (" 1 MiB ", 1 << 20), ("2GiB", 2 << 30)]
)
def test_sizes_are_read(text: str, size: int) -> None:
    assert ByteSize.parse(text) == size


@pytest.mark.parametrize("text", ["", "32MB", "1.5MiB", "-1", "MiB", "1 MiB!"])
def test_what_is_no_size_is_refused_with_an_example(text: str) -> None:
    with pytest.raises(ValueError, match="32MiB"):
        ByteSize.parse(text)


@given(st.integers(min_value=0, max_value=1 << 50))
def test_a_size_prints_as_it_can_be_read_again(size: int) -> None:
    assert ByteSize.parse(str(ByteSize(size))) == size


@pytest.mark.parametrize(
    ("text", "seconds"), [("250ms", 0.25), ("10s", 10), ("1.5m", 90), ("9 m", 540), ("1h", 3600), ("7d", 604800)]
)
def test_durations_are_read(text: str, seconds: float) -> None:
    assert Seconds.parse(text) == pytest.approx(seconds)


@pytest.mark.parametrize("text", ["", "10", "-1s", "1w", "s"])
def test_what_is_no_duration_is_refused_with_an_example(text: str) -> None:
    with pytest.raises(ValueError, match="10s, 9m or 1h"):
        Seconds.parse(text)


@given(st.integers(min_value=0, max_value=10**9))
def test_a_duration_prints_as_it_can_be_read_again(milliseconds: int) -> None:
    assert Seconds.parse(str(Seconds(milliseconds / 1000))) == pytest.approx(milliseconds / 1000)


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("sk-live-1234", "‹secret›"),
        ("Bearer ${env:KEY}", "Bearer ${env:KEY}"),
        ("Bearer sk-live-1234", "‹secret›"),
        ("${file:/run/key}tail", "${file:/run/key}‹secret›"),
        ("user ${env:A}:${env:B}", "‹secret›${env:A}‹secret›${env:B}"),
        ("", ""),
    ],
)
def test_of_a_template_only_references_and_a_scheme_word_are_shown(text: str, shown: str) -> None:
    assert SecretTemplate(text).shown() == shown
    assert SecretTemplate(text).reveal() == text


def test_a_template_never_prints_its_secret() -> None:
    template = SecretTemplate("sk-live-1234")
    assert "sk-live" not in f"{template} {template!r}"


def test_templates_are_equal_by_what_they_hold() -> None:
    assert SecretTemplate("a") == SecretTemplate("a")
    assert hash(SecretTemplate("a")) == hash(SecretTemplate("a"))
    assert SecretTemplate("a") != SecretTemplate("b")
    assert SecretTemplate("a") != "a"
