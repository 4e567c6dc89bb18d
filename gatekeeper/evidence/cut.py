"""The cut of the log that a bundle takes: a period, between two signed checkpoints."""

import msgspec

from gatekeeper.exchange import Instant, Seq
from gatekeeper.journal import Reader


class Cut(msgspec.Struct, frozen=True, kw_only=True):
    """Entries [`start_size`, `end_size`) are taken, of which [`first`, `last`] are of the period.

    The notes are the newest kept checkpoint at or before the period (None: the log's beginning) and the first at or
    after it, so the cut may begin a little earlier, and end a little later.
    """

    first: Seq
    last: Seq
    start_size: int
    start_note: str | None
    end_size: int
    end_note: str


def find_cut(reader: Reader, start: Instant, stop: Instant) -> Cut:
    """Find the cut for `start` <= time < `stop`; raises LookupError where there is none, in a line."""
    try:
        first, after = reader.seq_at(start), reader.seq_at(stop)
    except ValueError as error:
        msg = "the journal is damaged, so the period can't be found in it; `gatekeeper journal verify` says where"
        raise LookupError(msg) from error
    if first == after:
        msg = "the journal has no entry in this period"
        raise LookupError(msg)
    start_size, start_note = 0, None
    end: tuple[int, str] | None = None
    for kept_size, note in reader.notes():
        if kept_size <= first:
            start_size, start_note = kept_size, note
        elif kept_size >= after:
            end = kept_size, note
            break
    if end is None:
        msg = "the journal has no checkpoint after this period; anchor it, and build again"
        raise LookupError(msg)
    if start_note is None and reader.start > 0:
        msg = "the segment before this period was moved away, with the checkpoint that it begins with; bring it back"
        raise LookupError(msg)
    return Cut(
        first=Seq(first),
        last=Seq(after - 1),
        start_size=start_size,
        start_note=start_note,
        end_size=end[0],
        end_note=end[1],
    )
