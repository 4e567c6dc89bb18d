"""The `open` entry: what it states of a run or a segment."""

import hashlib

import msgspec
from msgspec import UNSET

from gatekeeper.journal.draft import Content, Draft, JournalDown
from gatekeeper.journal.entries import OpenData, PreviousData
from gatekeeper.journal.intake import check_draft


class Opening(msgspec.Struct, frozen=True, kw_only=True):
    """What the `open` entry states of this run. `old_head`: the newest note of the log that a new one replaces."""

    version: str
    config_text: str
    signers: str
    old_head: str | None = None


def opening_draft(opening: Opening, vkey: str, previous: PreviousData | None, carried: str | None = None) -> Draft:
    """Give the draft of an `open` entry; `carried` at a segment's start."""
    text = opening.config_text.encode()
    data = OpenData(
        version=opening.version,
        config=hashlib.sha256(text).hexdigest(),
        vkey=vkey,
        signers=opening.signers,
        previous=UNSET if previous is None else previous,
        carried=UNSET if carried is None else carried,
        old_head=UNSET if previous is not None or opening.old_head is None else opening.old_head,
    )
    draft = Draft(data=data, content=Content(media="application/toml", data=text))
    try:
        check_draft(draft)
    except ValueError as error:
        msg = "allowed_signers does not fit into one entry of the journal (64 KiB); take out who decides no more"
        raise JournalDown(msg) from error
    return draft
