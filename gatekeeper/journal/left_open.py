"""Which exchanges a log leaves open, followed entry by entry: what has to be marked truncated after a crash."""

from collections.abc import Callable, Mapping
from typing import Final

from gatekeeper.exchange import ExchangeId, SessionId
from gatekeeper.journal.draft import Draft, Encoded
from gatekeeper.journal.entries import (
    ChunkData,
    Data,
    ErrorData,
    MessageData,
    RequestData,
    ResponseData,
    TruncatedData,
)
from gatekeeper.journal.exchanges import MESSAGES, SWITCHING_PROTOCOLS, Step, truncated
from gatekeeper.journal.leaf import decode_data, decode_leaf, decode_place

_MAY_CONTINUE: Final = {ResponseData.kind: b'"status":101', MessageData.kind: b'"kind":'}
"""Types of entries that may end an exchange or not, and what stands in every leaf that does not."""

_ENDS: Final = frozenset({ResponseData.kind, ErrorData.kind, TruncatedData.kind})


class LeftOpen:
    """The exchanges that are open, in the order of their requests: session, and how many chunks there were."""

    def __init__(self, exchanges: Mapping[ExchangeId, tuple[SessionId, int]]) -> None:
        self.exchanges = dict(exchanges)

    def take(self, draft: Encoded) -> None:
        """Take the next entry; most are not read for that."""
        if draft.exchange is not None and draft.session is not None:
            over = _ends(draft.kind, draft.raw, lambda: decode_data(draft.kind, draft.raw))
            self._take(draft.kind, draft.exchange, draft.session, over=over)

    def take_leaf(self, raw: bytes) -> None:
        """Take the next entry; most leaves are not read for that. Raises ValueError for one that is none."""
        kind, exchange, session = decode_place(raw)
        if exchange is not None and session is not None:
            over = _ends(kind, raw, lambda: decode_leaf(raw).data)
            self._take(kind, exchange, session, over=over)

    def truncations(self) -> list[Draft]:
        """Give what ends them where the gateway stopped."""
        return [truncated(exchange, session, chunks) for exchange, (session, chunks) in self.exchanges.items()]

    def _take(self, kind: str, exchange: ExchangeId, session: SessionId, *, over: bool) -> None:
        if kind == RequestData.kind:
            self.exchanges[exchange] = session, 0
        elif kind == ChunkData.kind and exchange in self.exchanges:
            self.exchanges[exchange] = session, self.exchanges[exchange][1] + 1
        elif over:
            self.exchanges.pop(exchange, None)


def _ends(kind: str, raw: bytes, read: Callable[[], Data]) -> bool:
    return _is_over(read()) if _MAY_CONTINUE.get(kind, b"\0") in raw else kind in _ENDS


def _is_over(data: Data) -> bool:
    match data:
        case ResponseData():
            return data.status != SWITCHING_PROTOCOLS
        case MessageData():
            return MESSAGES.get(data.form) is Step.CLOSE_MESSAGE
        case _:
            return data.kind in _ENDS
