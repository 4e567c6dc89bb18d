"""The documents tell the truth about the repository: commands, links, configuration, names of tests."""

import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

from gatekeeper.cli import main
from gatekeeper.config import parse_config

ROOT = Path(__file__).parents[2]
PAGES = sorted(
    page for pattern in ("*.md", "docs/**/*.md", "certs/*.md", "benchmarks/*.md") for page in ROOT.glob(pattern)
)

COMMAND = re.compile(r"(?<![\w/.:-])(?<!-n )gatekeeper (?P<words>[a-z][^`\n#;)]*)")
CODE = re.compile(r"^```(?P<language>\w*)\n(?P<block>.*?)^```|`(?P<span>[^`\n]+)`", re.MULTILINE | re.DOTALL)
LINK = re.compile(r"\]\((?P<target>[^)\s]+)\)")
HEADING = re.compile(r"^#+ (?P<text>.+)$", re.MULTILINE)
TEST_FILE = re.compile(r"tests/[\w/]+\.py")

# Written so that they don't match themselves.
FOREIGN = {
    "a package registry": re.compile(r"[p]ypi\.org|[p]ythonhosted\.org|[r]egistry\.npmjs|[p]roxy\.golang\.org"),
    "a path of one machine": re.compile(r"(?<![\w.~/-])/(?:work|root|home|Users)/[\w.-]+"),
}


def _name(page: Path) -> str:
    return str(page.relative_to(ROOT))


def _commands(text: str) -> Iterator[str]:
    """Give what follows `gatekeeper` wherever code says it."""
    for code in CODE.finditer(text):
        for line in (code["block"] or code["span"]).splitlines():
            yield from (found["words"].strip() for found in COMMAND.finditer(line))


COMMANDS = [(_name(page), words) for page in PAGES for words in dict.fromkeys(_commands(page.read_text()))]


def test_there_are_documents_with_commands() -> None:
    assert {"README.md", "SECURITY.md", "CHANGELOG.md", "docs/operations.md"} <= set(map(_name, PAGES))
    assert len(COMMANDS) > 20


@pytest.mark.parametrize(("page", "words"), COMMANDS, ids=[f"{page}: {words}" for page, words in COMMANDS])
def test_a_command_exists_with_its_options(page: str, words: str) -> None:
    command: click.Command = main
    known = _options(command)
    for word in words.split():
        if word == "--":
            break
        if isinstance(command, click.Group) and not word.startswith("-"):
            found = [command.get_command(click.Context(command), name) for name in word.split("|")]
            assert all(found), f"{page}: gatekeeper {words}: there is no {word}"
            command = found[0] or command
            known |= _options(command)
        elif word.startswith("--"):
            assert word in known, f"{page}: gatekeeper {words}: there is no {word}"


def _options(command: click.Command) -> set[str]:
    return {option for parameter in command.params for option in (*parameter.opts, *parameter.secondary_opts)}


@pytest.mark.parametrize("page", PAGES, ids=_name)
def test_links_inside_the_repository_resolve(page: Path) -> None:
    for link in LINK.finditer(page.read_text()):
        target, _, anchor = link["target"].partition("#")
        if "://" in target:
            continue
        place = (page.parent / target).resolve() if target else page
        assert place.exists(), link["target"]
        if anchor:
            assert anchor in {_slug(heading["text"]) for heading in HEADING.finditer(place.read_text())}, link["target"]


@pytest.mark.parametrize("page", PAGES, ids=_name)
def test_files_of_tests_that_are_named_exist(page: Path) -> None:
    missing = [name for name in TEST_FILE.findall(page.read_text()) if not (ROOT / name).exists()]
    assert not missing


@pytest.mark.parametrize("page", PAGES, ids=_name)
def test_examples_of_configuration_load(page: Path, tmp_path: Path) -> None:
    for code in CODE.finditer(page.read_text()):
        if code["language"] == "toml":
            parse_config(code["block"], tmp_path / "config.toml")


def test_no_tracked_file_names_a_registry_or_a_machine() -> None:
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, check=True).stdout
    names = listed.decode().rstrip("\0").split("\0")
    assert "README.md" in names
    found = [
        f"{name}: {what}: {match[0]}"
        for name in names
        if (ROOT / name).is_file()
        for what, pattern in FOREIGN.items()
        if (match := pattern.search((ROOT / name).read_text(encoding="utf-8", errors="replace")))
    ]
    assert not found


def _slug(heading: str) -> str:
    return re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-")
