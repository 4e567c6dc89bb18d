"""What other parts hand to the journal: a draft, and what comes back."""

import asyncio
from typing import Protocol

import msgspec

from gatekeeper.exchange import ExchangeId, Receipt, SessionId, canonical_json
from gatekeeper.journal.entries import Data


class JournalDown(RuntimeError):
    """The journal can't record any more; nothing may pass. The text says why, in one line."""


class Content(msgspec.Struct, frozen=True, array_like=True):
    """Masked bytes to be stored with an entry. `timeline`: [µs since the request, bytes so far] for chunks."""

    media: str
    data: bytes
    timeline: tuple[tuple[int, int], ...] | None = None


class Draft(msgspec.Struct, frozen=True):
    """An entry before it has a place in the log. Everything in it is masked already."""

    data: Data
    exchange: ExchangeId | None = None
    session: SessionId | None = None
    content: Content | None = None


class Encoded(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """A draft as the writer takes it: its data as canonical JSON, of the type that `kind` says."""

    kind: str
    raw: bytes
    exchange: ExchangeId | None
    session: SessionId | None
    content: Content | None

    @property
    def bodied(self) -> bool:
        """Whether something is to be stored: of empty content there is no body."""
        return self.content is not None and bool(self.content.data or self.content.timeline)


def encode_draft(draft: Draft) -> Encoded:
    """Encode a draft's data; raises ValueError for what has no canonical form."""
    return Encoded(draft.data.kind, canonical_json(draft.data), draft.exchange, draft.session, draft.content)


class Recorder(Protocol):
    """Where drafts go: the journal, or in tests something that fails."""

    def submit(self, draft: Draft) -> asyncio.Future[Receipt]:
        """Queue a draft; order of entries = order of calls.

        Call it on the event loop. The future resolves once the entry is durable, and raises JournalDown
        if it will never be. Raises at once: JournalDown where the journal is down, closed or can't keep up;
        ValueError for a draft that does not fit (a leaf has less than 64 KiB), has no canonical form, or can't
        follow what its exchange has so far.
        """
        ...
