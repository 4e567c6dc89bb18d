"""What tests of approvals share: reviewers with real SSH keys, a recorder that keeps its drafts, calls to hold."""

import asyncio
import hashlib
import subprocess
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import msgspec

from gatekeeper.approvals import ApprovalView, DecisionOutcome, Desk, Hold, Refused, Released
from gatekeeper.approvals.ledger import Ledger
from gatekeeper.config import Action, ApprovalsConfig, RuleConfig, Seconds
from gatekeeper.exchange import Clock, Digest, ExchangeId, Instant, Message, Receipt, Seq, SessionId, Subject
from gatekeeper.exchange import now as system_clock
from gatekeeper.journal.draft import Draft, JournalDown
from gatekeeper.journal.entries import Data
from gatekeeper.journal.standing import Standing
from gatekeeper.journal.statement import Answer, Scope, Statement, statement_bytes

ORIGIN = "gatekeeper.test/journal"
ALICE, BOB, CAROL, MALLORY = "alice@example.com", "bob@example.com", "carol@example.com", "mallory@example.com"
LARGE = 1 << 20


@dataclass(frozen=True)
class SigningKey:
    """A key pair in files, as ssh-keygen makes it."""

    path: Path

    @classmethod
    def make(cls, folder: Path, name: str, *kind: str) -> "SigningKey":
        path = folder / name.replace("@", "-at-")
        subprocess.run(
            ["ssh-keygen", "-q", "-N", "", "-C", name, "-f", str(path), "-t", *(kind or ("ed25519",))], check=True
        )
        return cls(path)

    @property
    def public(self) -> str:
        return self.path.with_suffix(self.path.suffix + ".pub").read_text().strip()

    def sign(self, data: bytes, namespace: str = "gatekeeper-approval", *options: str) -> str:
        command = ["ssh-keygen", "-q", "-Y", "sign", "-f", str(self.path), "-n", namespace, *options]
        return subprocess.run(command, input=data, capture_output=True, check=True).stdout.decode()


def allowed_signers(keys: Mapping[str, SigningKey], options: str = "") -> str:
    """Give the text of an allowed_signers file; `options` go before each key."""
    return "".join(f"{name} {options}{key.public}\n" for name, key in keys.items())


@dataclass
class Recording:
    """A recorder that keeps its drafts, and can be told to fail."""

    clock: Clock = system_clock
    drafts: list[Draft] = field(default_factory=list)
    times: list[Instant] = field(default_factory=list)
    down_for: Callable[[Data], bool] = lambda _data: False

    def submit(self, draft: Draft) -> asyncio.Future[Receipt]:
        future: asyncio.Future[Receipt] = asyncio.get_running_loop().create_future()
        if self.down_for(draft.data):
            future.set_exception(JournalDown("the disk is full"))
        else:
            self.drafts.append(draft)
            self.times.append(self.clock())
            seq = Seq(len(self.drafts) - 1)
            future.set_result(Receipt(seq, hashlib.sha256(str(seq).encode()).hexdigest(), self.times[-1]))
        return future

    def kinds(self) -> list[str]:
        return [draft.data.kind for draft in self.drafts]

    def of[T: Data](self, kind: type[T]) -> list[T]:
        return [draft.data for draft in self.drafts if isinstance(draft.data, kind)]


RULE = RuleConfig(
    name="refunds need a finance lead",
    action=Action.HOLD,
    reviewers=("finance",),
    wait=Seconds(30),
    timeout=Seconds(3600),
)
SUBJECT = Subject(iss="https://issuer.test", sub="support-bot", groups=("agents",), token="0" * 64, expires=Instant(0))
VIEW = Message(
    method="POST",
    url="https://payments.example.com/v1/refunds",
    path="/v1/refunds",
    headers=(("content-type", "application/json"), ("x-request-id", "1")),
    body=b'{"card":"<CREDIT_CARD>","amount":20.50}',
)


def config_for(folder: Path, text: str, **changes: object) -> ApprovalsConfig:
    """Write allowed_signers and give a configuration in which alice, bob and carol are finance."""
    path = folder / "allowed_signers"
    path.write_text(text)
    config = ApprovalsConfig(reviewers=path, groups={"finance": (ALICE, BOB, CAROL)}, owners={"support-bot": (CAROL,)})
    return msgspec.structs.replace(config, **changes)


def a_hold(number: int = 1, matter: str = "refund", rule: RuleConfig = RULE, **changes: object) -> Hold:
    """A call to hold; calls of the same `matter` have the same digest."""
    leaf = hashlib.sha256(f"request {number}".encode()).hexdigest()
    ask = Hold(
        exchange=ExchangeId(f"{number:016x}"),
        session=SessionId("5" * 32),
        rule=rule,
        subject=SUBJECT,
        digest=Digest(hashlib.sha256(matter.encode()).hexdigest()),
        request=Receipt(Seq(number), leaf, Instant(0)),
        view=VIEW,
        findings={"CREDIT_CARD": 1},
        reasons=("host payments.example.com", "path /v1/refunds"),
        dialect="http",
        model="",
    )
    return msgspec.structs.replace(ask, **changes)


def a_rule(**changes: object) -> RuleConfig:
    return msgspec.structs.replace(RULE, **changes)


def statement_on(view: ApprovalView, reviewer: str, answer: Answer = Answer.APPROVE, **changes: object) -> bytes:
    """The statement that a reviewer would sign on this approval, with some of it changed."""
    statement = Statement(
        approval=view.id,
        digest=Digest(view.digest),
        origin=view.origin,
        reason="",
        request=view.request,
        reviewer=reviewer,
        scope=Scope.ONCE,
        time=system_clock(),
        v=1,
        verdict=answer,
    )
    return statement_bytes(msgspec.structs.replace(statement, **changes))


async def decided(
    desk: Desk, view: ApprovalView, reviewer: str, key: SigningKey, answer: Answer = Answer.APPROVE
) -> DecisionOutcome:
    statement = statement_on(view, reviewer, answer)
    return await desk.decide(statement, await asyncio.to_thread(key.sign, statement))


async def held(desk: Desk, ask: Hold, gone: asyncio.Event | None = None) -> "asyncio.Task[Released | Refused]":
    """Begin a hold, and come back once it waits, or is over."""
    before = desk.held
    task = asyncio.get_running_loop().create_task(desk.hold(ask, gone or asyncio.Event()))
    while desk.held == before and not task.done():  # noqa: ASYNC110 - nothing to wait on
        await asyncio.sleep(0.001)
    return task


NOTHING = Standing()


class Station:
    """A desk in a folder, with what it is given; `restart` opens it again from its database."""

    def __init__(self, folder: Path, config: ApprovalsConfig) -> None:
        self.folder = folder
        self.config = config
        self.recording = Recording()
        self.max_held = LARGE
        self._ahead = 0

    def clock(self) -> Instant:
        return Instant(system_clock() + self._ahead)

    def clock_is_ahead(self, by: int) -> None:
        """Set the gateway's clock, µs."""
        self._ahead = by

    @property
    def path(self) -> Path:
        return self.folder / "approvals.db"

    @property
    def ahead(self) -> int:
        return self._ahead

    async def open(self, standing: Standing = NOTHING, *, shared: bool = False) -> Desk:
        ledger = Ledger(self.recording, self.clock)
        return await Desk.open(self.path, ledger, self.config, ORIGIN, self.max_held, standing, shared=shared)
