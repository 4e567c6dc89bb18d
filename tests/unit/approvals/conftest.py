"""Reviewers' keys, made once, and a desk that knows them."""

from pathlib import Path

import pytest
from reviewing import ALICE, BOB, CAROL, SigningKey, Station, allowed_signers, config_for


@pytest.fixture(scope="session")
def keys(tmp_path_factory: pytest.TempPathFactory) -> dict[str, SigningKey]:
    folder = tmp_path_factory.mktemp("keys")
    return {name: SigningKey.make(folder, name) for name in (ALICE, BOB, CAROL)}


@pytest.fixture
def station(tmp_path: Path, keys: dict[str, SigningKey]) -> Station:
    return Station(tmp_path, config_for(tmp_path, allowed_signers(keys)))
