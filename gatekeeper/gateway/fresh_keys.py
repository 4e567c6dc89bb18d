"""Keeps the issuers' keys fresh while the gateway runs, also over reloads, and records it where they serve on stale."""

import asyncio
import logging
from collections.abc import Callable
from typing import Final

from addons.parts import Parts
from gatekeeper.identity import StaleKeys
from gatekeeper.journal import AdminData, AdminEvent, Draft, JournalDown

logger = logging.getLogger(__name__)

LOOK: Final = 1.0
"""Seconds between two looks whether a reload has brought another verifier."""


async def keep_fresh(parts: Callable[[], Parts]) -> None:
    """Keep the keys of the verifier that is in force fresh, until cancelled."""
    while True:
        now = parts()
        now.verifier.tell_stale(lambda stale, now=now: record_stale(now, stale))  # type: ignore[misc]
        fetching = asyncio.create_task(now.verifier.keep_fresh())
        try:
            while parts().verifier is now.verifier:  # noqa: ASYNC110 - a reload tells nobody
                await asyncio.sleep(LOOK)
        finally:
            fetching.cancel()


def record_stale(parts: Parts, stale: StaleKeys) -> None:
    """Record that an issuer's keys serve on beyond their life: what was proved with them was proved with less."""
    logger.warning("the keys of %s are stale, and can't be fetched", stale.issuer)
    detail: dict[str, str | int | list[str]] = {"issuer": stale.issuer, "since": stale.since, "until": stale.until}
    data = AdminData(event=AdminEvent.STALE_KEYS, by="gateway", detail=detail)
    try:
        parts.journal.submit(Draft(data=data))
    except JournalDown:
        logger.error("the journal is down: nothing passes")  # noqa: TRY400 - its cause is logged where it failed
