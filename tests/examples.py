"""How many examples a property tries: a number of its own in CI, many times that in `make nightly`."""

from hypothesis import settings

ORDINARY = 100
NIGHTLY = 2500


def examples(count: int) -> settings:
    """Set the number of examples; under `--hypothesis-profile=nightly` it is 25 times as large."""
    return settings(max_examples=count * settings().max_examples // ORDINARY, deadline=None)
