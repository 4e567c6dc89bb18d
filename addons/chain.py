"""The chain, in the order of DESIGN §3. Stock tools load it too, for looking: `mitmweb -s addons/chain.py`.

There it reads `config.toml` of the working directory, or what GATEKEEPER_CONFIG names, and opens the
journal as its one writer, so no gateway may run on the same folder at the same time.
"""

import asyncio
import inspect
import os
from collections.abc import Awaitable, Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any
from weakref import WeakKeyDictionary

from mitmproxy import ctx
from mitmproxy.addonmanager import Loader
from mitmproxy.http import HTTPFlow

from addons.approvals import Approvals
from addons.credentials import Credentials
from addons.guard import abort
from addons.identity import Identity
from addons.inspection import Inspection
from addons.mask import Mask
from addons.options import proxy_options
from addons.parts import Parts, open_parts
from addons.policy import PolicyDecision
from addons.record import Record
from addons.seal import Seal
from addons.target import TargetNames
from addons.websocket import WebSocketMessages
from gatekeeper.config import load_config

CHAIN = (
    Identity,
    TargetNames,
    Inspection,
    PolicyDecision,
    Mask,
    Record,
    Approvals,
    Credentials,
    Seal,
    WebSocketMessages,
)


def build_chain(parts: Parts) -> list[object]:
    """Make one of each link, in order."""
    return [link(parts) for link in CHAIN]


type Hooks = dict[str, Callable[[Any], Any]]
"""By name; a coroutine function for what has a flow, in every generation of links."""


class Chain:
    """The links as one addon. mitmproxy's manager spends more on an addon and hook than most links do.

    A flow stays with the links that it began with, whatever is reloaded meanwhile: what one policy has decided is
    never carried out by another. What has no flow goes to the newest links.
    """

    def __init__(self, links: Sequence[object]) -> None:
        self._newest = _merged(links)
        self._begun: WeakKeyDictionary[HTTPFlow, Hooks] = WeakKeyDictionary()
        for name, hook in self._newest.items():
            setattr(self, name, self._of_flow(name) if inspect.iscoroutinefunction(hook) else self._of_newest(name))

    def replace(self, links: Sequence[object]) -> None:
        """Let flows that begin from now on go through other links."""
        self._newest = _merged(links)

    def _of_flow(self, name: str) -> Callable[[HTTPFlow], Awaitable[None]]:
        async def run(flow: HTTPFlow) -> None:
            hooks = self._begun.get(flow)
            if hooks is None:
                hooks = self._begun[flow] = self._newest
            await hooks[name](flow)

        return run

    def _of_newest(self, name: str) -> Callable[[object], None]:
        def run(data: object) -> None:
            self._newest[name](data)

        return run


def _merged(links: Sequence[object]) -> Hooks:
    """Give one hook for each name, which runs those of the links in their order."""
    merged: Hooks = {}
    for name in sorted({name for link in links for name in dir(link) if not name.startswith("_")}):
        hooks = [getattr(link, name) for link in links if callable(getattr(link, name, None))]
        if hooks:
            merged[name] = _in_order(hooks) if inspect.iscoroutinefunction(hooks[0]) else _at_once(hooks)
    return merged


def _in_order(hooks: Sequence[Callable[[HTTPFlow], Awaitable[None]]]) -> Callable[[HTTPFlow], Awaitable[None]]:
    async def run(flow: HTTPFlow) -> None:
        for hook in hooks:
            try:
                await hook(flow)
            except Exception:
                abort(flow.client_conn)  # a guard has failed: nothing of this connection is to be trusted
                raise

    return run


def _at_once(hooks: Sequence[Callable[[object], None]]) -> Callable[[object], None]:
    def run(data: object) -> None:
        for hook in hooks:
            hook(data)

    return run


addons: list[object] = []
"""What a stock tool runs: empty until it calls `load`."""


def load(loader: Loader) -> None:  # noqa: ARG001 - the hook's signature
    """Mitmproxy's `load` hook for scripts."""
    config = load_config(Path(os.environ.get("GATEKEEPER_CONFIG", "config.toml")), (), {})
    with ThreadPoolExecutor(1) as thread:  # the hook is synchronous, and mitmproxy's loop runs already
        addons.extend(build_chain(thread.submit(asyncio.run, open_parts(config)).result()))


def running() -> None:
    """Mitmproxy's `running` hook for scripts: all options exist by now."""
    config = load_config(Path(os.environ.get("GATEKEEPER_CONFIG", "config.toml")), (), {})
    known = {name: value for name, value in proxy_options(config).items() if name in ctx.options}
    ctx.options.update(**known)


async def done() -> None:
    """Mitmproxy's `done` hook for scripts: close the journal in order."""
    for link in addons:
        if isinstance(link, Seal):
            await link.parts.desk.close()
            await link.parts.close()
