import os
import traceback
from pathlib import Path

import pytest

from gatekeeper.config import SecretTemplate, VaultConfig
from gatekeeper.credentials import CredentialUnavailable
from gatekeeper.credentials.secret import SECRET_LIMIT, Secret, Sources
from gatekeeper.exchange import Reason


def secret(text: str, **environment: str) -> Secret:
    return Secret("a.example", SecretTemplate(text), Sources(environment, VaultConfig()), 60)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("plain", "plain"),
        ("Bearer ${env:KEY}", "Bearer s3cret"),
        ("${env:KEY}", "s3cret"),
        ("${env:KEY}:${env:KEY}", "s3cret:s3cret"),
        ("$ {env:KEY}", "$ {env:KEY}"),
    ],
)
def test_puts_variables_in(text: str, value: str) -> None:
    assert secret(text, KEY="s3cret").resolve() == value


@pytest.mark.parametrize("environment", [{}, {"KEY": ""}, {"key": "s3cret"}])
def test_a_missing_variable_is_named_at_use(environment: dict[str, str]) -> None:
    prepared = secret("Bearer ${env:KEY}", **environment)
    with pytest.raises(CredentialUnavailable, match=r"^credentials\.a\.example.*\$\{env:KEY\} is not set") as caught:
        prepared.resolve()
    assert caught.value.reason is Reason.CREDENTIAL_UNAVAILABLE


def test_a_variable_is_read_once_at_the_start() -> None:
    environment = {"KEY": "before"}
    prepared = Secret("a.example", SecretTemplate("${env:KEY}"), Sources(environment, VaultConfig()), 60)
    environment["KEY"] = "after"
    assert prepared.resolve() == "before"


@pytest.mark.parametrize(("content", "value"), [("s3cret", "s3cret"), ("s3cret\n", "s3cret"), ("s3cret\r\n", "s3cret")])
def test_reads_a_file_without_its_last_line_end(tmp_path: Path, content: str, value: str) -> None:
    (tmp_path / "key").write_bytes(content.encode())
    assert secret(f"Bearer ${{file:{tmp_path}/key}}").resolve() == f"Bearer {value}"


def test_a_file_is_read_at_each_use(tmp_path: Path) -> None:
    path = tmp_path / "key"
    path.write_text("first")
    prepared = secret(f"${{file:{path}}}")
    assert prepared.resolve() == "first"
    state = path.stat()
    path.write_text("other")
    os.utime(path, ns=(state.st_atime_ns, state.st_mtime_ns))  # of the same size and time, too
    assert prepared.resolve() == "other"
    path.unlink()
    with pytest.raises(CredentialUnavailable, match="No such file"):
        prepared.resolve()
    path.write_text("back")
    assert prepared.resolve() == "back"


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "is empty"),
        (b"\n", "is empty"),
        (b"s3cret\nX-Evil: yes", "no header may carry"),
        (b"s3cret\rX", "no header may carry"),
        (b"s3cret\n\n", "no header may carry"),
        (b"s3cret\0", "no header may carry"),
        (b"s3cret\x7f", "no header may carry"),
        (b" s3cret", "no header may carry"),
        (b"s3cr\xc3\xa9t", "not ASCII"),
        (b"s3cret\xff", "not ASCII"),
        (b"s3cret" * SECRET_LIMIT, "no plain file of up to"),
    ],
)
def test_a_file_that_holds_no_header_value_is_refused_without_showing_it(
    tmp_path: Path, content: bytes, said: str
) -> None:
    (tmp_path / "key").write_bytes(content)
    with pytest.raises(CredentialUnavailable, match=said) as caught:
        secret(f"${{file:{tmp_path}/key}}").resolve()
    shown = "".join(traceback.format_exception(caught.value))
    assert "s3cr" not in shown
    assert f"{tmp_path}" in str(caught.value) or said == "no header may carry"
    chained: BaseException | None = caught.value
    while chained is not None:
        assert not isinstance(chained, UnicodeError)  # it would carry the whole secret
        chained = chained.__cause__ or chained.__context__


@pytest.mark.parametrize("bad", ["value\r\nX: y", "value\n", "value\0", "välue", "\ttab"])
def test_a_variable_that_no_header_may_carry_is_refused_without_showing_it(bad: str) -> None:
    with pytest.raises(CredentialUnavailable, match="no header may carry") as caught:
        secret("Bearer ${env:KEY}", KEY=bad).resolve()
    assert bad not in str(caught.value)


def test_a_pipe_and_a_folder_are_refused_at_once(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    for place in (tmp_path / "pipe", tmp_path):
        with pytest.raises(CredentialUnavailable):
            secret(f"${{file:{place}}}").resolve()


@pytest.mark.parametrize("text", ["${KEY}", "${none:a/b}", "Bearer ${env:KEY", "${env:}", "x${", "${ENV:KEY}"])
def test_a_reference_that_is_not_known_is_refused_at_the_start(text: str) -> None:
    with pytest.raises(ValueError, match="not known") as caught:
        secret(text, KEY="s3cret")
    assert "KEY" not in str(caught.value)


def test_a_relative_path_is_refused_at_the_start() -> None:
    with pytest.raises(ValueError, match="must be an absolute path"):
        secret("${file:secrets/key}")


def test_shows_nothing(tmp_path: Path) -> None:
    prepared = secret(f"literal-s3cret ${{env:KEY}} ${{file:{tmp_path}}}", KEY="s3cret")
    assert "s3cret" not in f"{prepared!r} {prepared._pieces[1]!r} {prepared._pieces[3]!r}"
