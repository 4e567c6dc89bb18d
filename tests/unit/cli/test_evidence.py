"""Evidence bundles from the command line."""

import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from authority import Endpoint, TimestampAuthority, serving
from click.testing import Result
from recorded import write_story

type Run = Callable[..., Result]

PERIOD = ("--from", "2027-01-15", "--to", "2027-01-16")


@pytest.fixture(scope="module")
def story(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("story")
    write_story(folder)
    return folder


@pytest.fixture
def recorded(folder: Path, story: Path) -> Path:
    shutil.copytree(story, folder / "data")
    return folder


def test_a_bundle_is_built_signed_by_the_log_and_verified(run: Run, recorded: Path) -> None:
    assert "begin with" in run("evidence", "build", *PERIOD, "--out", "bundle").stdout
    assert (recorded / "bundle" / "tagmanifest-sha256.txt.note").exists()
    assert run("evidence", "verify", "bundle", "--vkey", "data/journal/journal.vkey").exit_code == 0


def test_building_is_on_record(run: Run, recorded: Path) -> None:
    run("evidence", "build", *PERIOD, "--out", "bundle")
    assert (recorded / "bundle").exists()
    assert "evidence build" in run("journal", "search", "--type", "read").stdout


def test_another_key_from_outside_is_named(run: Run, recorded: Path) -> None:
    run("evidence", "build", *PERIOD, "--out", "bundle")
    (recorded / "other.vkey").write_text("other+00000000+AAAA\n")
    result = run("evidence", "verify", "bundle", "--vkey", "other.vkey")
    assert result.exit_code == 1
    assert "is not the key from outside" in result.stdout


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("--from", "2027-01-16", "--to", "2027-01-15"), "ends before it begins"),
        (("--from", "2020-01-01", "--to", "2020-01-02"), "no entry in this period"),
        (("--from", "yesterday", "--to", "now"), "expected a moment"),
        ((*PERIOD, "--reconcile", "counts.csv"), "counts.csv: line 2: expected a source"),
    ],
)
@pytest.mark.usefixtures("recorded")
def test_what_can_not_be_built_is_said_in_a_line(run: Run, folder: Path, arguments: tuple[str, ...], says: str) -> None:
    (folder / "counts.csv").write_text("source,what,count\negress,all,many\n")
    result = run("evidence", "build", *arguments, "--out", "bundle")
    assert result.exit_code == 2
    assert says in result.stderr
    assert not (folder / "bundle").exists()


@pytest.mark.usefixtures("recorded")
def test_a_folder_that_is_there_is_left_alone(run: Run, folder: Path) -> None:
    (folder / "bundle").mkdir()
    result = run("evidence", "build", *PERIOD, "--out", "bundle")
    assert result.exit_code == 2
    assert "is there already" in result.stderr
    assert list((folder / "bundle").iterdir()) == []


def test_the_authority_that_checkpoints_go_to_stamps_the_bundle(run: Run, recorded: Path) -> None:
    authority = TimestampAuthority.make(recorded / "tsa")
    with serving(Endpoint(authority.reply)) as endpoint:
        config = recorded / "config.toml"
        anchor = f'\n[[journal.anchors]]\nname = "tsa"\nrfc3161 = "{endpoint.url}"\nroots = "tsa/root.pem"\n'
        config.write_text(config.read_text() + anchor)
        run("evidence", "build", *PERIOD, "--out", "bundle")
    stamped = ["-in", "tagmanifest-sha256.txt.tsr", "-data", "tagmanifest-sha256.txt", "-CAfile", authority.roots]
    done = subprocess.run(["openssl", "ts", "-verify", *stamped], cwd=recorded / "bundle", check=False)
    assert done.returncode == 0
    assert run("evidence", "verify", "bundle").exit_code == 0
