"""A second look at what is stored: today's detectors over the masked copies, which should find nothing."""

from collections import Counter
from dataclasses import dataclass, field
from typing import Final

import msgspec

from gatekeeper.evidence.exceptions import Exceptions, Kind
from gatekeeper.exchange import Instant, Message
from gatekeeper.journal import ChunkData, Entry, Reader, RequestData, ResponseData
from gatekeeper.journal.entries import MessageData
from gatekeeper.masking import Masker, UnreadableBody, find_spans

BODIED: Final = (RequestData, ResponseData, ChunkData, MessageData)


class RescanFigures(msgspec.Struct, frozen=True, kw_only=True):
    """`bodies` were looked at; `erased` could not be: their keys are gone; `damaged` could not be read."""

    bodies: int
    erased: int
    damaged: int
    found: dict[str, int]


@dataclass(slots=True)
class Rescan:
    """Follows all entries that have a body. What is found is named by kind and place, never shown."""

    reader: Reader
    masker: Masker
    exceptions: Exceptions
    stop: Instant
    _counts: Counter[str] = field(default_factory=Counter)
    _found: Counter[str] = field(default_factory=Counter)

    def take(self, entry: Entry) -> None:
        """Take the next entry."""
        if not isinstance(entry.data, BODIED) or entry.data.body is None or entry.time >= self.stop:
            return
        try:
            content = self.reader.content(entry)
        except ValueError:
            self._counts["damaged"] += 1
            return
        if content is None:
            self._counts["erased"] += 1
            return
        self._counts["bodies"] += 1
        if found := self._look(entry, content.media, content.data):
            self._found.update(found)
            what = f"stored in clear: {', '.join(f'{entity} {count}' for entity, count in sorted(found.items()))}"
            self.exceptions.add(Kind.RESCAN, entry, what)

    def figures(self) -> RescanFigures:
        """Sum up."""
        counts = self._counts
        return RescanFigures(
            bodies=counts["bodies"],
            erased=counts["erased"],
            damaged=counts["damaged"],
            found=dict(sorted(self._found.items())),
        )

    def _look(self, entry: Entry, media: str, data: bytes) -> Counter[str]:
        if not isinstance(entry.data, ChunkData):
            message = Message(status=200, headers=(("content-type", media),), body=data)
            try:
                return Counter(finding.entity for finding in self.masker.inspect(message).findings)
            except UnreadableBody:
                pass  # what can't be read as what it says it is, is read as text
        return Counter(span.entity for span in find_spans(data.decode("utf-8", "replace")))
