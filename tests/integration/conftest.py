"""What integration tests share."""

import pytest


@pytest.fixture(autouse=True)
def _upstream_as_new(request: pytest.FixtureRequest) -> None:
    """Let no test inherit the answers that the one before it gave the shared upstream."""
    if "upstream" in request.fixturenames:
        request.getfixturevalue("upstream").reset()
