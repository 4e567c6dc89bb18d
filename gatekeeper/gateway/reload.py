"""Reload on SIGHUP: a good configuration takes effect at once and is on record; a bad one changes nothing.

What a reload can't change (a listener, the journal's place) stays as it was, and is said to need a restart: so the
entry in the journal states what is in force, never what was only wished for.
"""

import asyncio
import hashlib
import logging
from collections.abc import Callable
from typing import Final

import msgspec

from addons.chain import Chain, build_chain
from addons.opening import config_text, signers_of
from addons.parts import Parts, renew
from gatekeeper.config import Config, ConfigError
from gatekeeper.exchange import Receipt
from gatekeeper.journal import ConfigData, Content, Draft, JournalDown

logger = logging.getLogger(__name__)

FIXED: Final = ("proxy", "admin", "journal")
"""Sections of the configuration that are read at start only."""


class Force(msgspec.Struct, frozen=True, kw_only=True):
    """What configuration is in force, by its digest, and why the last one that was offered is not; None: it is."""

    digest: str
    restart: tuple[str, ...] = ()
    refused: str | None = None


class Reload:
    """Takes another configuration into force. Offers that come at the same time are taken one after the other."""

    def __init__(self, parts: Parts, chain: Chain, load: Callable[[], Config]) -> None:
        self.parts = parts
        self.force = Force(digest=_digest(config_text(parts.config)))
        self._chain = chain
        self._load = load
        self._lock = asyncio.Lock()

    async def __call__(self, by: str) -> Force:
        """Load, check, record and take into force. What is wrong is logged and told by `force.refused`."""
        async with self._lock:
            try:
                self.force = await self._reload(by)
            except (ConfigError, JournalDown, OSError) as error:
                self.force = msgspec.structs.replace(self.force, refused=_one_line(error))
                logger.error("the configuration was not reloaded, the old one stays in force: %s", self.force.refused)  # noqa: TRY400 - its text is all there is to say
            else:
                logger.info("configuration %s is in force", self.force.digest[:12])
                for key in self.force.restart:
                    logger.warning("%s has changed and needs a restart; until then the old value holds", key)
        return self.force

    async def _reload(self, by: str) -> Force:
        config, restart = keep_fixed(self.parts.config, self._load())
        renewed = renew(self.parts, config)
        links = build_chain(renewed)
        text, signers = config_text(config), signers_of(config)
        written: list[asyncio.Future[Receipt]] = []

        def commit() -> None:
            written.append(self.parts.journal.submit(_draft(text, signers, by)))
            self._chain.replace(links)
            self.parts = renewed

        await self.parts.desk.reload(config.approvals, signers, commit)
        await asyncio.gather(*written)
        return Force(digest=_digest(text), restart=restart)


def keep_fixed(old: Config, new: Config) -> tuple[Config, tuple[str, ...]]:
    """Give the new configuration with the sections of the old that only a restart changes, and which keys differ."""
    kept = {name: getattr(old, name) for name in FIXED}
    differing = tuple(key for name in FIXED for key in _differing(name, getattr(old, name), getattr(new, name)))
    return msgspec.structs.replace(new, **kept), differing


def _differing(name: str, old: msgspec.Struct, new: msgspec.Struct) -> list[str]:
    return [f"{name}.{key}" for key in old.__struct_fields__ if getattr(old, key) != getattr(new, key)]


def _draft(text: str, signers: str, by: str) -> Draft:
    data = ConfigData(config=_digest(text), signers=signers, by=by)
    return Draft(data=data, content=Content(media="application/toml", data=text.encode()))


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split())
