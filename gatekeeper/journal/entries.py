"""The entries of the journal, one struct for each type: what stands under `data` (JOURNAL.md, "Leaf").

A struct's `kind` is its entry type. `body` fields are filled in by the writer, which encrypts and stores
the parts of a draft and states their hashes. Fields left at UNSET are not written.
"""

import enum
from typing import Annotated, ClassVar

import msgspec
from msgspec import UNSET, UnsetType

from gatekeeper.exchange import Digest, Party, Seq

type HeaderPairs = tuple[tuple[str, str], ...]
type Whole = Annotated[int, msgspec.Meta(gt=-(1 << 53), lt=1 << 53)]
"""What RFC 8785 and every JSON reader can hold exactly."""

type Place = Annotated[Seq, msgspec.Meta(ge=0, lt=1 << 53)]
"""Where another entry stands."""

type Scalars = dict[str, str | Whole | list[str]]


class Body(msgspec.Struct, frozen=True):
    """Where the content of an entry is: `parts` are SHA-256 hex of the stored parts, `key` commits to the data key."""

    key: str
    media: str
    parts: tuple[str, ...]
    size: Whole


class Data(msgspec.Struct, frozen=True, kw_only=True):
    """What all entries' data have in common; `kind` is the entry's `type`."""

    kind: ClassVar[str]


class SubjectData(msgspec.Struct, frozen=True):
    """The verified subject, as recorded; `token` is the SHA-256 hex of the token.

    `act`: who acts for it, the nearest first (RFC 8693 §4.1). `facts`: ids that its token carries, such as a pod's.
    """

    iss: str
    sub: str
    groups: tuple[str, ...]
    workflow: str | None
    token: str
    act: tuple[Party, ...] | UnsetType = UNSET
    facts: dict[str, str] | UnsetType = UNSET


class TargetData(msgspec.Struct, frozen=True):
    """Name and port of the far side."""

    host: str
    port: Whole


class UpstreamData(msgspec.Struct, frozen=True):
    """The address that was really connected to."""

    ip: str
    port: Whole


class VerdictData(msgspec.Struct, frozen=True):
    """What policy said."""

    action: str
    rule: str | None
    reasons: tuple[str, ...]


class TimingData(msgspec.Struct, frozen=True):
    """First and last byte of the answer, in µs since the request."""

    first: Whole
    last: Whole


class RequirementData(msgspec.Struct, frozen=True):
    """One quorum: the principals that may decide, and how many of them must."""

    reviewers: tuple[str, ...]
    quorum: Whole


class PreviousData(msgspec.Struct, frozen=True):
    """The tree before this run."""

    size: Whole
    root: str


class OpenData(Data, frozen=True, kw_only=True):
    """A run or a segment begins. `config` is SHA-256 hex of the configuration with secrets hidden.

    `carried` is SHA-256 hex of the open state at a segment's start, `old_head` the newest note of the log that this one
    takes the place of.
    """

    kind: ClassVar[str] = "open"

    version: str
    config: str
    body: Body | None = None
    vkey: str
    signers: str
    previous: PreviousData | UnsetType = UNSET
    carried: str | UnsetType = UNSET
    old_head: str | UnsetType = UNSET


class ConfigData(Data, frozen=True, kw_only=True):
    """Another configuration is in force, and from here on other signers. `by` is who or what asked for it."""

    kind: ClassVar[str] = "config"

    config: str
    body: Body | None = None
    signers: str
    by: str


class AdminEvent(enum.Enum):
    """What somebody did to the gateway."""

    LOCK = "lock"
    UNLOCK = "unlock"
    REVOCATION = "revocation"
    BACKUP = "backup"
    RESTORE = "restore"
    LEGAL_HOLD = "legal-hold"
    LEGAL_HOLD_LIFTED = "legal-hold-lifted"
    TOKEN = "token"  # noqa: S105 - an event, no secret
    STALE_KEYS = "stale-keys"


class AdminData(Data, frozen=True, kw_only=True):
    """Somebody did something to the gateway; `detail` says to what: the token, key or subject, the folder."""

    kind: ClassVar[str] = "admin"

    event: AdminEvent
    by: str
    detail: Scalars


class RefusedData(Data, frozen=True, kw_only=True):
    """Something was refused before it became an exchange; equal ones within a minute are one entry."""

    kind: ClassVar[str] = "refused"

    reason: str
    subject: str | None
    peer: str
    target: str | None
    count: Whole


class KeyData(msgspec.Struct, frozen=True, kw_only=True):
    """A key that the container sent itself: `place` is `header NAME`, `query NAME` or `cookie`.

    `fingerprint`, an HMAC, is the same wherever the same key is sent, and tells nothing else.
    """

    place: str
    fingerprint: str


class RequestData(Data, frozen=True, kw_only=True):
    """A request, masked, with what was found, and what policy said. `http` is the version, `HTTP/1.1`."""

    kind: ClassVar[str] = "request"

    subject: SubjectData
    method: str
    url: str
    http: str
    headers: HeaderPairs
    target: TargetData
    body: Body | None = None
    dialect: str
    gen_ai: Scalars
    findings: dict[str, Whole]
    verdict: VerdictData
    digest: Digest | UnsetType = UNSET
    uninspected: str | UnsetType = UNSET
    keys: tuple[KeyData, ...] | UnsetType = UNSET


class HoldData(Data, frozen=True, kw_only=True):
    """The exchange waits for reviewers. `of` is `request` or `response`; `expires` is an instant.

    `excluded` is null where no owner is known. `break_glass` are the principals that may release it alone.
    """

    kind: ClassVar[str] = "hold"

    approval: str
    of: str
    rule: str
    require: tuple[RequirementData, ...]
    excluded: tuple[str, ...] | None
    expires: Whole
    digest: Digest
    break_glass: tuple[str, ...] | UnsetType = UNSET


class DecisionData(Data, frozen=True, kw_only=True):
    """A reviewer's signed statement, exactly as signed."""

    kind: ClassVar[str] = "decision"

    approval: str
    reviewer: str
    statement: str
    signature: str


class ReleaseData(Data, frozen=True, kw_only=True):
    """What was held may go: by `decisions` (seqs) on its approval, or by a `grant` (seq)."""

    kind: ClassVar[str] = "release"

    digest: Digest
    approval: str | UnsetType = UNSET
    decisions: tuple[Place, ...] | UnsetType = UNSET
    grant: Place | UnsetType = UNSET


class DenyData(Data, frozen=True, kw_only=True):
    """A reviewer said no."""

    kind: ClassVar[str] = "deny"

    approval: str
    digest: Digest
    decisions: tuple[Place, ...]


class WithdrawData(Data, frozen=True, kw_only=True):
    """The approval is taken back: nothing is released by it any more."""

    kind: ClassVar[str] = "withdraw"

    approval: str
    by: str
    why: str


class GrantData(Data, frozen=True, kw_only=True):
    """A decision that also covers later requests of a subject ([iss, sub]) and rule, before `until`.

    `uses` and `tool` stand where it is limited; both and `until` are those of the statement.
    """

    kind: ClassVar[str] = "grant"

    subject: tuple[str, str]
    rule: str
    until: Whole
    uses: Whole | UnsetType = UNSET
    tool: str | UnsetType = UNSET
    reviewer: str
    statement: str
    signature: str


class RevokeData(Data, frozen=True, kw_only=True):
    """A reviewer ends a grant: a statement of scope `grant`, verdict `deny`, over the `grant` entry's leaf hash."""

    kind: ClassVar[str] = "revoke"

    grant: Place
    reviewer: str
    statement: str
    signature: str


class ExpireData(Data, frozen=True, kw_only=True):
    """Nobody decided in time."""

    kind: ClassVar[str] = "expire"

    approval: str
    digest: Digest


class AbandonData(Data, frozen=True, kw_only=True):
    """The client left, or the rule's `wait` ran out; the approval stays open."""

    kind: ClassVar[str] = "abandon"

    approval: str
    digest: Digest


class ChunkData(Data, frozen=True, kw_only=True):
    """A piece of a streamed answer. `n` counts from 0."""

    kind: ClassVar[str] = "chunk"

    n: Whole
    body: Body | None = None


class ResponseData(Data, frozen=True, kw_only=True):
    """The answer ends here. `by` is `upstream` or `gateway`; `body` is null after chunks."""

    kind: ClassVar[str] = "response"

    by: str
    status: Whole
    headers: HeaderPairs
    body: Body | None = None
    chunks: Whole | UnsetType = UNSET
    upstream: UpstreamData | None
    findings: dict[str, Whole]
    gen_ai: Scalars
    timing: TimingData
    uninspected: str | UnsetType = UNSET
    reason: str | UnsetType = UNSET
    trailers: HeaderPairs | UnsetType = UNSET


class MessageData(Data, frozen=True, kw_only=True):
    """One WebSocket message. `direction` is `up` or `down`; `form` (JSON `kind`) is `text`, `binary` or `close`.

    `code` is a close's (RFC 6455 §7.4).
    """

    kind: ClassVar[str] = "message"

    direction: str
    form: str = msgspec.field(name="kind")
    body: Body | None = None
    findings: dict[str, Whole]
    code: Whole | UnsetType = UNSET


class ErrorData(Data, frozen=True, kw_only=True):
    """The exchange broke. `reason` is one of our own list; `side` is `client`, `upstream` or `gateway`."""

    kind: ClassVar[str] = "error"

    reason: str
    upstream: UpstreamData | None
    side: str
    chunks: Whole = 0


class TruncatedData(Data, frozen=True, kw_only=True):
    """The gateway stopped while this exchange was open."""

    kind: ClassVar[str] = "truncated"

    reason: str
    upstream: UpstreamData | None
    side: str
    chunks: Whole = 0


class CloseData(Data, frozen=True, kw_only=True):
    """The run ended in order."""

    kind: ClassVar[str] = "close"


class EraseData(Data, frozen=True, kw_only=True):
    """The data keys (ids) of a session are destroyed right after this entry."""

    kind: ClassVar[str] = "erase"

    session: str
    keys: tuple[str, ...]
    by: str
    why: str


class ReadData(Data, frozen=True, kw_only=True):
    """Somebody read what was recorded: which entries, and with what command."""

    kind: ClassVar[str] = "read"

    by: str
    range: str
    command: str


class SealData(Data, frozen=True, kw_only=True):
    """A segment ends here. `vkey` is the key of the next one, where it is another."""

    kind: ClassVar[str] = "seal"

    vkey: str | UnsetType = UNSET


type SignedData = DecisionData | GrantData | RevokeData
"""What carries a reviewer's statement and signature."""
