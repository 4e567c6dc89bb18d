"""The parts of the domain that the hooks call, opened once from the configuration."""

import os
import sqlite3
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace

from addons.opening import limits_of, opening_of
from gatekeeper.approvals import Desk, Ledger, Notices
from gatekeeper.approvals.lifecycle import CLOCK_SKEW
from gatekeeper.config import Config, ConfigError, OperatorTables
from gatekeeper.credentials import Vault
from gatekeeper.exchange import Clock, DigestKey, Exchange, Instant, now
from gatekeeper.identity import Locks, SessionWindows, Verifier
from gatekeeper.journal import Journal, JournalDown, RefusalLog, read_admin
from gatekeeper.journal.disk import DiskWatch
from gatekeeper.journal.process import open_process
from gatekeeper.masking import Masker
from gatekeeper.policy import Policy


@dataclass(frozen=True, slots=True)
class Parts:
    """One of each."""

    config: Config
    verifier: Verifier
    locks: Locks
    windows: SessionWindows
    policy: Policy
    masker: Masker
    vault: Vault
    journal: Journal
    refusals: RefusalLog
    desk: Desk
    digest_key: DigestKey
    clock: Clock
    disk: DiskWatch

    async def close(self) -> None:
        """Write what is counted and close the journal; the desk is closed by then. Raises JournalDown."""
        self.refusals.flush()
        await self.journal.close()


type Opener = Callable[[Config, Clock], Awaitable[Journal]]
"""Opens the journal; raises ConfigError or JournalDown, each one line."""


async def in_thread(config: Config, clock: Clock) -> Journal:
    """Open the journal with its writer in a thread of this process."""
    files = config.journal
    return Journal.open(files.folder, config.keys, files.origin, opening_of(config), clock, limits_of(config))


async def in_process(config: Config, _: Clock) -> Journal:
    """Open the journal with its writer in a process of its own, by the machine's clock."""
    files = config.journal
    return await open_process(files.folder, config.keys, files.origin, opening_of(config), limits_of(config))


async def open_parts(config: Config, clock: Clock = now, open_journal: Opener = in_thread) -> Parts:
    """Open what the configuration names; raises ConfigError or JournalDown, each one line."""
    # What can be wrong in a configuration is looked at before the journal begins a run.
    verifier = open_verifier(config, clock)
    policy = Policy(config.rules, config.egress.ports)
    check_detectors(config)
    journal = await open_journal(config, clock)
    try:
        return Parts(
            config=config,
            verifier=verifier,
            locks=read_locks(config),
            windows=SessionWindows(),
            policy=policy,
            masker=Masker(config.masking, journal.digest_key, rules=rule_operators(config)),
            vault=open_vault(config, journal.digest_key),
            journal=journal,
            refusals=RefusalLog(journal),
            desk=await _open_desk(config, journal, clock),
            digest_key=journal.digest_key,
            clock=clock,
            disk=DiskWatch(config.journal.folder, config.journal.min_free),
        )
    except BaseException:
        await journal.close()
        raise


def read_locks(config: Config) -> Locks:
    """Give the locks that the journal says are in force; raises JournalDown, since nobody may pass unlocked."""
    try:
        return Locks.replay(read_admin(config.journal.folder))
    except (OSError, ValueError, sqlite3.Error) as error:
        msg = f"{config.journal.folder}: who is locked out can't be read: {error}"
        raise JournalDown(msg) from error


def renew(parts: Parts, config: Config) -> Parts:
    """Make anew what a reload of the configuration changes; the rest lives as long as the run. Raises ConfigError.

    Issuers that have not changed keep the keys that they gave, so that a reload needs none of them to be up.
    """
    return replace(
        parts,
        config=config,
        verifier=open_verifier(config, parts.clock, parts.verifier),
        policy=Policy(config.rules, config.egress.ports),
        masker=Masker(config.masking, parts.digest_key, parts.masker, rule_operators(config)),
        vault=open_vault(config, parts.digest_key),
    )


def open_vault(config: Config, key: bytes) -> Vault:
    """Prepare the upstreams' credentials; raises ConfigError."""
    return Vault.load(config.credentials, os.environ, key, service=config.vault, elsewhere=config.egress.foreign)


def open_verifier(config: Config, clock: Clock, earlier: Verifier | None = None) -> Verifier:
    """Open the issuers' keys; those that `earlier` has are kept. Raises ConfigError."""
    embedded = config.embedded_issuer
    return Verifier.load(
        config.identity,
        upstream_ca=config.proxy.upstream_ca,
        embedded=embedded.issuer if embedded is not None else None,
        clock=clock,
        earlier=earlier,
    )


def check_detectors(config: Config) -> None:
    """Raise ConfigError for an operator of a detector that there is not."""
    Masker(config.masking, b"\0" * 32, rules=rule_operators(config))


def masker_of(parts: Parts, exchange: Exchange) -> Masker:
    """Give the masker with the operators that hold for a call: its host's, and those of the rule that let it pass."""
    host = exchange.target.host if exchange.target else ""
    return parts.masker.under(host, exchange.verdict.rule if exchange.verdict else None)


def rule_operators(config: Config) -> dict[str, OperatorTables]:
    """Give the operators of each rule."""
    return {rule.name: rule.masking for rule in config.rules}


async def _open_desk(config: Config, journal: Journal, clock: Clock) -> Desk:
    ledger = Ledger(journal, clock)
    try:
        notices = Notices(config.approvals, os.environ, ledger)
        desk = await Desk.open(
            config.data / "approvals.db",
            ledger,
            config.approvals,
            config.journal.origin,
            config.proxy.max_held,
            journal.standing_since(_oldest_use(config, clock)),
        )
        desk.notify_by(notices)
    except (OSError, ValueError) as error:
        msg = f"approvals: {error}"
        raise ConfigError(msg) from error
    return desk


def _oldest_use(config: Config, clock: Clock) -> Instant:
    """Give the instant before which nothing was approved or granted that could release by now."""
    longest = max((rule.timeout for rule in config.rules), default=0.0)
    longest = max(longest, config.approvals.max_grant)
    return Instant(clock() - round(longest * 1_000_000) - 2 * CLOCK_SKEW)
