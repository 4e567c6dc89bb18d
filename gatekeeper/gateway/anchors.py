"""Makes the sinks of `[[journal.anchors]]`, and takes them what the journal's writer has anchored."""

import asyncio
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from gatekeeper.config import AnchorConfig, Config, ConfigError, VaultConfig
from gatekeeper.credentials.secret import CredentialUnavailable, Secret, Sources
from gatekeeper.journal import Journal
from gatekeeper.journal.anchoring import Anchoring, Sink, SinkFailed
from gatekeeper.journal.sinks import CommandSink, FileSink, HttpSink, SyslogSink
from gatekeeper.journal.timestamps import TimestampSink, read_roots

LAST_DELIVERY: Final = 5.0
"""Seconds that the last checkpoint gets to be taken, when the gateway stops."""


class HeaderValue:
    """A header whose secret is read at each use."""

    def __init__(self, secret: Secret) -> None:
        self._secret = secret

    def __call__(self) -> str:
        """Give it; raises SinkFailed."""
        try:
            return self._secret.resolve()
        except CredentialUnavailable as error:
            raise SinkFailed(str(error)) from error


def open_sinks(config: Config) -> dict[str, Sink]:
    """Make the sinks by name; raises ConfigError."""
    sinks: dict[str, Sink] = {}
    for number, anchor in enumerate(config.journal.anchors):
        try:
            sinks[anchor.label] = _sink(anchor, config.journal.folder)
        except ValueError as error:
            msg = f"journal.anchors[{number}]: {error}"
            raise ConfigError(msg) from error
    return sinks


def _sink(anchor: AnchorConfig, folder: Path) -> Sink:
    match anchor.kind:
        case "file":
            return FileSink(Path(anchor.file))
        case "syslog":
            return SyslogSink(anchor.syslog)
        case "command":
            return CommandSink(anchor.command, folder)
        case "http":
            return HttpSink(anchor.http, _headers(anchor))
        case _:
            read_roots(Path(anchor.roots))
            return TimestampSink(anchor.label, anchor.rfc3161, Path(anchor.roots), folder)


def _headers(anchor: AnchorConfig) -> Mapping[str, HeaderValue]:
    sources = Sources(os.environ, VaultConfig())
    return {
        name: HeaderValue(Secret(f"headers.{name}", value, sources, life=0)) for name, value in anchor.headers.items()
    }


def connect(journal: Journal, anchoring: Anchoring) -> None:
    """Take to the sinks what is anchored from now on, and what was anchored last."""
    loop = asyncio.get_running_loop()

    def offer(note: str) -> None:
        if not loop.is_closed():
            loop.call_soon_threadsafe(anchoring.offer, note)

    journal.on_anchor(offer)
    anchoring.offer(journal.anchored)
