"""A journal with a story in it, opened."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from recorded import write_story

from gatekeeper.journal import Reader
from gatekeeper.replay import Call, calls, in_order


@pytest.fixture(scope="session")
def story(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("story")
    write_story(folder)
    return folder


@pytest.fixture
def reader(story: Path) -> Iterator[Reader]:
    with Reader(story / "journal", story / "keys") as reader:
        yield reader


@pytest.fixture
def told(reader: Reader) -> list[Call]:
    """The calls of the story: a stream, one held and released, one denied, one broken."""
    return list(in_order(calls(reader, reader.entries(0, reader.size))))
