"""Notices: who may decide hears that something waits, who answers for a workload hears how it ended.

They run beside the calls and never in their way: what can't be sent is tried again, then recorded, and that is all.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping
from typing import Final

from gatekeeper.approvals.ledger import Ledger
from gatekeeper.approvals.views import ApprovalView
from gatekeeper.config import ApprovalsConfig, SecretTemplate, VaultConfig
from gatekeeper.credentials.secret import CredentialUnavailable, Secret, Sources
from gatekeeper.exchange import Reason
from gatekeeper.journal.draft import JournalDown

logger = logging.getLogger(__name__)

AGAIN: Final = (1.0, 10.0, 60.0)
"""Seconds before each further try."""

PATIENCE: Final = 30.0
"""Seconds that one try may take."""

type Send = Callable[[str, str, str], Awaitable[bool]]
"""(address, title, text) -> whether it went out."""


async def send_by_apprise(address: str, title: str, text: str) -> bool:
    """Send through apprise, which knows a hundred services, in a thread of its own."""

    def send() -> bool:
        import apprise

        service = apprise.Apprise()
        return bool(service.add(address) and service.notify(text, title, body_format=apprise.NotifyFormat.TEXT))

    return await asyncio.wait_for(asyncio.to_thread(send), PATIENCE)


class Notices:
    """Addresses by group or person, and by workload."""

    def __init__(
        self, config: ApprovalsConfig, environment: Mapping[str, str], ledger: Ledger, send: Send = send_by_apprise
    ) -> None:
        self._notices = _secrets(config.notices, environment)
        self._outcomes = _secrets(config.outcomes, environment)
        self._ledger = ledger
        self._send = send
        self._running: set[asyncio.Task[None]] = set()

    def asked(self, view: ApprovalView, groups: tuple[str, ...]) -> None:
        """Tell those who may decide: the rule's groups, and its people but for owners."""
        people = {person for need in view.require for person in need.reviewers} - set(view.excluded or ())
        text = "\n".join(
            [
                *_facts(view),
                f"gatekeeper approvals show {view.id}",
                f"gatekeeper approvals approve {view.id}",
                f"gatekeeper approvals deny {view.id}",
            ]
        )
        title = f"{view.id}: {_plain(view.subject)} waits for a decision"
        for name in (*groups, *sorted(people)):
            self._begin(view.id, self._notices.get(name, ()), title, text)

    def ended(self, view: ApprovalView) -> None:
        """Tell those who answer for the workload how it ended."""
        by = ", ".join(
            f"{one.verdict} by {_plain(one.reviewer)} {_plain(one.reason)}".rstrip() for one in view.decisions
        )
        text = "\n".join([*_facts(view), f"decisions: {by or 'none'}"])
        self._begin(view.id, self._outcomes.get(view.subject, ()), f"{view.id}: {view.state}", text)

    async def close(self) -> None:
        """Let what is being sent go; what waits for another try is given up."""
        for task in self._running:
            task.cancel()
        await asyncio.gather(*self._running, return_exceptions=True)

    def _begin(self, approval: str, addresses: tuple[Secret, ...], title: str, text: str) -> None:
        for address in addresses:
            task = asyncio.get_running_loop().create_task(self._deliver(approval, address, title, text))
            self._running.add(task)
            task.add_done_callback(self._running.discard)

    async def _deliver(self, approval: str, address: Secret, title: str, text: str) -> None:
        for pause in (0.0, *AGAIN):
            await asyncio.sleep(pause)
            if await self._sent(address, title, text):
                logger.info("notice of %s sent", approval)
                return
        logger.warning("notice of %s could not be sent", approval)
        try:
            await self._ledger.refuse(Reason.NOTICE_FAILED, "", None, approval)
        except JournalDown:
            logger.warning("and that could not be recorded")

    async def _sent(self, address: Secret, title: str, text: str) -> bool:
        """Try once. An exception of a service's library may hold the address, so its text is not looked at."""
        try:
            await address.prepare()
            return await self._send(address.resolve(), title, text)
        except CredentialUnavailable as error:
            logger.warning("notice: %s", error)
        except Exception as error:  # noqa: BLE001 - a hundred services' libraries; none may stand in a call's way
            logger.warning("notice: %s", type(error).__name__)
        return False


def _facts(view: ApprovalView) -> list[str]:
    found = ", ".join(f"{name} {count}" for name, count in sorted(view.findings.items())) or "-"
    tool = [f"tool: {_plain(view.tool)}"] if view.tool else []
    return [
        f"call: {_plain(view.method)} {_plain(view.url)}",
        *tool,
        f"subject: {_plain(view.subject)}",
        f"rule: {_plain(view.rule)}",
        f"found: {found}",
    ]


def _plain(text: str) -> str:
    """Take out what could fool a reader or drive a terminal; the masked text itself stays."""
    return "".join(character if character.isprintable() else "\N{REPLACEMENT CHARACTER}" for character in text)


def _secrets(
    addresses: Mapping[str, tuple[SecretTemplate, ...]], environment: Mapping[str, str]
) -> dict[str, tuple[Secret, ...]]:
    sources = Sources(environment, VaultConfig())
    return {
        name: tuple(Secret(f"approvals.notices.{name}", template, sources, life=0) for template in templates)
        for name, templates in addresses.items()
    }
