"""The command line's end of the admin socket."""

import socket as sockets
from pathlib import Path
from typing import TYPE_CHECKING, Final, Self
from urllib.parse import quote

import click
import msgspec

from gatekeeper.approvals.views import ApprovalDetail, ApprovalView, DecisionOutcome, FiguresView, GrantView
from gatekeeper.cli.problem import Problem
from gatekeeper.cli.visible import visible
from gatekeeper.gateway.lock_views import LockAsked, LockDone, LockView

if TYPE_CHECKING:
    import httpx

    from gatekeeper.gateway.journal_api import Pushed
    from gatekeeper.journal import Scalars

PATIENCE: Final = 15.0
"""Seconds; longer than the gateway gives ssh-keygen."""


class SaidNo(click.ClickException):
    """The gateway's answer is no, in one line; the program ends with 1."""

    exit_code = 1


class AdminClient:
    """Talks to one gateway. Every failure is a SaidNo (1) or a Problem (2) that says what to do."""

    def __init__(self, socket: Path) -> None:
        import httpx

        self._socket = socket
        self._http = httpx.Client(
            transport=httpx.HTTPTransport(uds=str(socket)),
            base_url="http://gatekeeper",
            timeout=PATIENCE,
            trust_env=False,
        )

    def __enter__(self) -> Self:
        _probe(self._socket)
        return self

    def __exit__(self, *_: object) -> None:
        self._http.close()

    def health(self) -> tuple[bool, dict[str, str | int | bool | dict[str, str]]]:
        """Ask how the gateway is: whether well, and the answer."""
        answer = self._send("GET", "/healthz")
        return answer.is_success, _decoded(answer, dict[str, str | int | bool | dict[str, str]])

    def read(self, command: str, range_: str) -> int:
        """Have it recorded that this user reads; gives the entry."""
        return self._ask("POST", "/v1/journal/reads", dict[str, int], {"command": command, "range": range_})["seq"]

    def event(self, event: str, detail: "Scalars") -> int:
        """Have it recorded what this user did; gives the entry."""
        return self._ask("POST", "/v1/journal/events", dict[str, int], {"event": event, "detail": detail})["seq"]

    def erase(self, session: str, reason: str) -> int:
        """Have a session's keys destroyed; gives the entry that says so."""
        return self._ask("POST", "/v1/journal/erasures", dict[str, int], {"session": session, "reason": reason})["seq"]

    def seal(self, *, rotate: bool) -> int:
        """Have the segment sealed; gives the entry it ends with."""
        return self._ask("POST", "/v1/journal/seals", dict[str, int], {"rotate": rotate})["seq"]

    def checkpoint(self) -> "Pushed":
        """Have the newest checkpoint anchored and taken to all sinks."""
        from gatekeeper.gateway.journal_api import Pushed

        return self._ask("POST", "/v1/journal/checkpoint", Pushed)

    def approvals(self) -> tuple[ApprovalView, ...]:
        """List the approvals, oldest first."""
        return self._ask("GET", "/v1/approvals", tuple[ApprovalView, ...])

    def approval(self, name: str) -> ApprovalDetail:
        """Show one approval; `name` may be the unique beginning of its id."""
        return self._ask("GET", f"/v1/approvals/{quote(name, safe='')}", ApprovalDetail)

    def decide(self, approval: str, statement: bytes, signature: str) -> DecisionOutcome:
        """Send a signed decision."""
        sent = {"statement": statement.decode(), "signature": signature}
        return self._ask("POST", f"/v1/approvals/{quote(approval, safe='')}/decisions", DecisionOutcome, sent)

    def locks(self) -> tuple[LockView, ...]:
        """List who is locked out."""
        return self._ask("GET", "/v1/locks", tuple[LockView, ...])

    def lock(self, kind: str, value: str, issuer: str, reason: str) -> LockDone:
        """Lock out."""
        return self._ask("POST", "/v1/locks", LockDone, LockAsked(kind=kind, value=value, issuer=issuer, reason=reason))

    def unlock(self, kind: str, value: str, issuer: str, reason: str) -> LockDone:
        """Take a lock off."""
        asked = LockAsked(kind=kind, value=value, issuer=issuer, reason=reason)
        return self._ask("POST", "/v1/unlocks", LockDone, asked)

    def withdraw(self, name: str, why: str) -> ApprovalView:
        """Take an approval back."""
        return self._ask("POST", f"/v1/approvals/{quote(name, safe='')}/withdrawal", ApprovalView, {"why": why})

    def grants(self) -> tuple[GrantView, ...]:
        """List the grants in force."""
        return self._ask("GET", "/v1/grants", tuple[GrantView, ...])

    def revoke(self, grant: int, statement: bytes, signature: str) -> GrantView:
        """Send a signed statement that ends a grant."""
        sent = {"statement": statement.decode(), "signature": signature}
        return self._ask("POST", f"/v1/grants/{grant}/revocation", GrantView, sent)

    def figures(self) -> tuple[FiguresView, ...]:
        """Ask how reviewers have decided."""
        return self._ask("GET", "/v1/reviewers", tuple[FiguresView, ...])

    def _ask[T](self, method: str, path: str, kind: type[T], sent: object = None) -> T:
        answer = self._send(method, path, sent)
        if not answer.is_success:
            raise SaidNo(visible(_decoded(answer, dict[str, str]).get("error", f"status {answer.status_code}")))
        return _decoded(answer, kind)

    def _send(self, method: str, path: str, sent: object = None) -> "httpx.Response":
        import httpx

        try:
            return self._http.request(method, path, content=None if sent is None else msgspec.json.encode(sent))
        except httpx.HTTPError as error:
            msg = f"{self._socket}: the gateway gave no answer ({type(error).__name__}); look at its log"
            raise Problem(msg) from error


def _decoded[T](answer: "httpx.Response", kind: type[T]) -> T:
    try:
        return msgspec.json.decode(answer.content, type=kind)
    except msgspec.DecodeError as error:
        msg = f"the gateway's answer (status {answer.status_code}) can't be read; is it of another version?"
        raise Problem(msg) from error


def _probe(path: Path) -> None:
    """Connect once by hand, since httpx doesn't tell why it could not."""
    with sockets.socket(sockets.AF_UNIX, sockets.SOCK_STREAM) as probe:
        try:
            probe.connect(str(path))
        except OSError as error:
            msg = f"{path}: {_explain(error)}"
            raise Problem(msg) from error


def _explain(error: OSError) -> str:
    match error:
        case FileNotFoundError():
            return "there is no such socket; is the gateway running (`gatekeeper run`)? --socket PATH names another"
        case PermissionError():
            return "you may not use it; ask to become a member of the reviewers' group that it belongs to"
        case ConnectionRefusedError():
            return "nobody answers; start the gateway (`gatekeeper run`)"
        case _:
            return f"{error.strerror or error}; --socket PATH names another"
