"""Puts on record that somebody reads the record: through the running gateway, or offline, or says that it could not."""

import asyncio
from collections.abc import Callable
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from gatekeeper.cli.admin_client import AdminClient
    from gatekeeper.config import Config
    from gatekeeper.gateway.journal_api import Event
    from gatekeeper.journal import Draft


def record_read(config: "Config", command: str, range_: str) -> None:
    """Leave a `read` entry before anything is shown; where that can't be, say so on standard error and go on."""
    if not (config.journal.folder / "journal.db").exists():
        return
    why = _recorded(config, command, range_)
    if why is not None:
        click.echo(f"this reading is not on record: {why}", err=True)


def record_event(config: "Config", event: "Event") -> str | None:
    """Leave an `admin` entry; gives why that could not be."""
    from gatekeeper.gateway.journal_api import event_draft
    from gatekeeper.gateway.offline import own_name

    try:
        with _gateway(config) as client:
            client.event(event.event.value, event.detail)
    except click.ClickException as error:
        if not is_off(error):
            return error.format_message()
    else:
        return None
    return _offline(config, lambda key: event_draft(own_name(), event, _masking(config, key)))


def _recorded(config: "Config", command: str, range_: str) -> str | None:
    from gatekeeper.gateway.journal_api import Reading, read_draft
    from gatekeeper.gateway.offline import own_name

    try:
        with _gateway(config) as client:
            client.read(command, range_)
    except click.ClickException as error:
        if not is_off(error):
            return error.format_message()
    else:
        return None
    return _offline(config, lambda key: read_draft(own_name(), Reading(command, range_), _masking(config, key)))


def _gateway(config: "Config") -> "AdminClient":
    from gatekeeper.cli.admin_client import AdminClient

    return AdminClient(config.admin_socket)


def is_off(error: click.ClickException) -> bool:
    """Whether no gateway runs, rather than that it said no."""
    return isinstance(error.__cause__, FileNotFoundError | ConnectionRefusedError)


def _offline(config: "Config", draft: Callable[[bytes], "Draft"]) -> str | None:
    from gatekeeper.config import ConfigError
    from gatekeeper.gateway.offline import writing_offline
    from gatekeeper.journal import JournalDown

    async def write() -> None:
        async with writing_offline(config) as journal:
            await journal.submit(draft(journal.digest_key))

    try:
        asyncio.run(write())
    except (ConfigError, JournalDown, ValueError, OSError) as error:
        return " ".join(str(error).split())
    return None


def _masking(config: "Config", key: bytes) -> Callable[[str], str]:
    from gatekeeper.masking import Masker, mask_text

    masker = Masker(config.masking, key)
    return lambda text: mask_text(masker, text)
