"""A bundle of the story, built once."""

from pathlib import Path

import pytest
from bundles import build
from recorded import write_story


@pytest.fixture(scope="session")
def story(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("story")
    write_story(folder)
    return folder


@pytest.fixture(scope="session")
def bundle(story: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build(story, tmp_path_factory.mktemp("evidence") / "bundle")
