"""The journal opened as its one writer where no gateway runs, for a single entry of whoever works on its files."""

import contextlib
import os
from collections.abc import AsyncIterator

from addons.opening import limits_of, opening_of
from gatekeeper.config import Config
from gatekeeper.gateway.peer import user_name
from gatekeeper.journal import Journal


@contextlib.asynccontextmanager
async def writing_offline(config: Config) -> AsyncIterator[Journal]:
    """Begin a run of the journal, and end it; raises JournalDown, also where a gateway writes it."""
    journal = Journal.open(
        config.journal.folder, config.keys, config.journal.origin, opening_of(config), limits=limits_of(config)
    )
    try:
        yield journal
    finally:
        await journal.close()


def own_name() -> str:
    """Say who runs this program."""
    return user_name(os.getuid())
