"""What the chain knows beside mitmproxy's objects: a `Passage` for each flow, a `Tunnel` for each client connection."""

import asyncio
from dataclasses import dataclass, field
from weakref import WeakKeyDictionary

from mitmproxy.connection import Client
from mitmproxy.http import HTTPFlow

from addons.stream import AnswerStream
from gatekeeper.egress import Pin, Quota
from gatekeeper.exchange import Exchange, ExchangeId, Headers, Message, Reason, RuleName, Subject
from gatekeeper.identity import ClientCertificate, Credential
from gatekeeper.masking import Book, Inspected


@dataclass(slots=True, weakref_slot=True)
class Passage:
    """One flow on its way through the chain. The exchange in it never refers back to the flow."""

    exchange: Exchange
    inspected: Inspected | None = None
    book: Book | None = None
    received: Message | None = None
    answer: Inspected | None = None
    stream: AnswerStream | None = None
    answered_by_us: bool = False
    matched: frozenset[RuleName] = frozenset()
    expiry: asyncio.TimerHandle | None = None
    trailers: Headers = ()


@dataclass(slots=True, weakref_slot=True)
class Tunnel:
    """One client connection: what it asked for at CONNECT, who it is, and the addresses it may reach."""

    connect: tuple[str, int] | None = None
    credential: Credential | None = None
    certificate: ClientCertificate | None = None
    subject: Subject | None = None
    claimed: str | None = None
    sni: str | None = None
    pins: dict[tuple[str, int], tuple[Pin, ...]] = field(default_factory=dict)
    open: dict[ExchangeId, Passage] = field(default_factory=dict)
    upstream_failure: Reason | None = None
    gone: asyncio.Event = field(default_factory=asyncio.Event)


_passages: WeakKeyDictionary[HTTPFlow, Passage] = WeakKeyDictionary()
_tunnels: WeakKeyDictionary[Client, Tunnel] = WeakKeyDictionary()

connections = Quota()
"""The open connections by subject."""


def begin(flow: HTTPFlow, exchange: Exchange) -> None:
    """Put an exchange beside its flow."""
    _passages[flow] = Passage(exchange)


def has_begun(flow: HTTPFlow) -> bool:
    """Whether there is an exchange for this flow; there is none for CONNECT itself."""
    return flow in _passages


def begun_exchange(flow: HTTPFlow) -> Exchange | None:
    """Give the exchange of a flow, or None where it has not begun."""
    passage = _passages.get(flow)
    return None if passage is None else passage.exchange


def passage_of(flow: HTTPFlow) -> Passage:
    """Give what is known of a flow; raises LookupError where nothing is, so that it can't pass."""
    passage = _passages.get(flow)
    if passage is None:
        msg = "a flow without an exchange"
        raise LookupError(msg)
    return passage


def exchange_of(flow: HTTPFlow) -> Exchange:
    """Give the exchange of a flow; raises LookupError where there is none, so that it can't pass."""
    return passage_of(flow).exchange


def tunnel_of(client: Client) -> Tunnel:
    """Give what is known of a client connection."""
    tunnel = _tunnels.get(client)
    if tunnel is None:
        tunnel = _tunnels[client] = Tunnel()
    return tunnel
