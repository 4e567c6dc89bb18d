"""Trades a verified token for a short one, scoped to one workflow (RFC 8693). Pure but for the issuer's signature.

What is asked for may be less than what the subject has, never more: a workflow that its token names can't be
changed, a traded token that is traded again ends no later, and who acts for whom stays in the token.
"""

import enum
from collections.abc import Sequence
from typing import Final, Self, override
from urllib.parse import parse_qsl

import msgspec

from gatekeeper.config.model import ExchangeConfig
from gatekeeper.exchange import Party, Subject
from gatekeeper.exchange.globs import Glob
from gatekeeper.exchange.party_pattern import PartyPattern
from gatekeeper.identity.claims import ACTORS_LIMIT, Origin
from gatekeeper.identity.token import SECOND, is_text

GRANT: Final = "urn:ietf:params:oauth:grant-type:token-exchange"
TYPE: Final = "urn:ietf:params:oauth:token-type:"
JWT: Final = f"{TYPE}jwt"
SAML: Final = f"{TYPE}saml2"
TOKEN_TYPES: Final = frozenset({JWT, f"{TYPE}access_token", f"{TYPE}id_token"})
"""What may be traded (RFC 8693 §3). The last two are taken where they are JWTs."""

WORKFLOW: Final = "workflow:"
"""What the one scope begins with."""

_KNOWN: Final = frozenset(
    {"grant_type", "subject_token", "subject_token_type", "actor_token", "actor_token_type", "requested_token_type",
     "audience", "resource", "scope"}
)  # fmt: skip


class TradeFault(enum.Enum):
    """The error codes (RFC 6749 §5.2, RFC 8693 §2.2.2)."""

    INVALID_REQUEST = "invalid_request"
    UNSUPPORTED_GRANT = "unsupported_grant_type"
    INVALID_SCOPE = "invalid_scope"
    INVALID_TARGET = "invalid_target"
    UNAUTHORIZED = "unauthorized_client"


class TradeRefused(ValueError):
    """No token is given. The text is one line for people, without a word of any token."""

    def __init__(self, fault: TradeFault, text: str) -> None:
        super().__init__(text)
        self.fault = fault


class Offer(msgspec.Struct, frozen=True, kw_only=True):
    """What is asked: whose token, who acts, for which workflow. None: the one that the token has."""

    subject_token: str
    subject_type: str
    actor_token: str | None
    workflow: str | None

    @override
    def __repr__(self) -> str:
        return "Offer(‹secret›)"


class Deal(msgspec.Struct, frozen=True, kw_only=True):
    """What is given: the subject's new token has this workflow and chain of actors, and lives so many seconds."""

    subject: Subject
    workflow: str
    actors: tuple[Party, ...]
    life: int
    origin: Origin


class Permission(msgspec.Struct, frozen=True):
    """One `[[identity.exchange]]`, compiled."""

    issuers: frozenset[str]
    subjects: tuple[PartyPattern, ...]
    groups: frozenset[str]
    actors: tuple[PartyPattern, ...]
    workflows: tuple[Glob, ...]

    @classmethod
    def of(cls, config: ExchangeConfig) -> Self:
        """Compile one table of the configuration."""
        return cls(
            issuers=frozenset(config.issuers),
            subjects=tuple(PartyPattern.of(pattern) for pattern in config.subjects),
            groups=frozenset(config.groups),
            actors=tuple(PartyPattern.of(pattern) for pattern in config.actors),
            workflows=tuple(Glob.of(pattern) for pattern in config.workflows),
        )

    def covers(self, subject: Subject, actor: Party | None, workflow: str) -> bool:
        """Whether this subject, through this actor, may have this workflow."""
        return (
            (not self.issuers or subject.iss in self.issuers)
            and (not self.subjects or _is_named(self.subjects, Party(subject.iss, subject.sub)))
            and (not self.groups or bool(self.groups & set(subject.groups)))
            and (not self.actors or (actor is not None and _is_named(self.actors, actor)))
            and any(glob.matches(workflow) for glob in self.workflows)
        )


def read_offer(body: bytes, audience: str) -> Offer:
    """Read the form (RFC 8693 §2.1), each parameter once; raises TradeRefused. `audience`: ours, and no other."""
    fields = _fields(body)
    if fields.get("grant_type") != GRANT:
        raise TradeRefused(TradeFault.UNSUPPORTED_GRANT, f"grant_type must be {GRANT}")
    if "resource" in fields or fields.get("audience", audience) != audience:
        raise TradeRefused(TradeFault.INVALID_TARGET, f"tokens are for this gateway only: audience {audience}, or none")
    if fields.get("requested_token_type", JWT) not in {JWT, f"{TYPE}access_token"}:
        raise TradeRefused(TradeFault.INVALID_REQUEST, f"requested_token_type must be {JWT}, or absent")
    if "subject_token" not in fields or "subject_token_type" not in fields:
        raise TradeRefused(TradeFault.INVALID_REQUEST, "subject_token and subject_token_type are required")
    if ("actor_token" in fields) != ("actor_token_type" in fields):
        raise TradeRefused(TradeFault.INVALID_REQUEST, "actor_token and actor_token_type come together or not at all")
    if fields.get("actor_token_type", JWT) not in TOKEN_TYPES:
        raise TradeRefused(TradeFault.INVALID_REQUEST, f"actor_token_type must be {JWT}")
    return Offer(
        subject_token=fields["subject_token"],
        subject_type=fields["subject_token_type"],
        actor_token=fields.get("actor_token"),
        workflow=_workflow(fields.get("scope")),
    )


def make_deal(
    workflow: str | None, subject: Subject, actor: Subject | None, permissions: Sequence[Permission], life: float
) -> Deal:
    """Decide what is given for verified tokens; raises TradeRefused. `life` in seconds."""
    wanted = _narrowed(workflow, subject)
    party = None if actor is None else Party(actor.iss, actor.sub)
    _check_actor(subject, actor)
    actors = ((party,) if party is not None else ()) + subject.actors
    if len(actors) > ACTORS_LIMIT:
        raise TradeRefused(TradeFault.INVALID_REQUEST, f"more than {ACTORS_LIMIT} would act for one another")
    if not any(one.covers(subject, actors[0] if actors else None, wanted) for one in permissions):
        raise TradeRefused(
            TradeFault.UNAUTHORIZED, f"no [[identity.exchange]] lets this subject have a token for workflow {wanted!r}"
        )
    known = [one for one in (subject, actor) if one is not None]
    return Deal(
        subject=subject,
        workflow=wanted,
        actors=actors,
        life=int(life),
        origin=Origin(
            iss=subject.iss,
            ids=tuple(id_ for one in known for id_ in (one.jti, one.token, *one.earlier) if id_),
            keys=tuple(dict.fromkeys(key for one in known for key in one.keys)),
            facts=dict(subject.facts),
        ),
    )


def _fields(body: bytes) -> dict[str, str]:
    try:
        pairs = parse_qsl(body.decode("ascii"), keep_blank_values=True, strict_parsing=True, errors="strict")
    except ValueError as error:
        raise TradeRefused(TradeFault.INVALID_REQUEST, "the body is no form (x-www-form-urlencoded)") from error
    fields = dict(pairs)
    if len(fields) != len(pairs):
        raise TradeRefused(TradeFault.INVALID_REQUEST, "a parameter stands twice")
    if unknown := sorted(set(fields) - _KNOWN):
        raise TradeRefused(TradeFault.INVALID_REQUEST, f"there is no parameter {unknown[0][:40]!r}")
    return fields


def _workflow(scope: str | None) -> str | None:
    if scope is None:
        return None
    workflow = scope.removeprefix(WORKFLOW)
    if workflow == scope or not is_text(workflow) or " " in workflow:
        raise TradeRefused(TradeFault.INVALID_SCOPE, f"scope must be one workflow: {WORKFLOW}NAME")
    return workflow


def _narrowed(workflow: str | None, subject: Subject) -> str:
    if subject.workflow is not None and workflow not in {None, subject.workflow}:
        raise TradeRefused(TradeFault.INVALID_SCOPE, "the token is scoped to another workflow already")
    wanted = workflow or subject.workflow
    if wanted is None:
        raise TradeRefused(TradeFault.INVALID_SCOPE, f"say for which workflow: scope={WORKFLOW}NAME")
    return wanted


def _check_actor(subject: Subject, actor: Subject | None) -> None:
    if actor is None:
        return
    if actor.actors:
        raise TradeRefused(TradeFault.INVALID_REQUEST, "the actor's token is itself one that another acts by")
    if subject.may_act is not None and subject.may_act != Party(actor.iss, actor.sub):
        raise TradeRefused(TradeFault.UNAUTHORIZED, "the subject's token says that another may act for it (may_act)")


def lifetime(deal: Deal, now: int) -> int:
    """Give how many seconds the new token lives: what was traded before ends no later than it would have."""
    left = (deal.subject.expires - now) // SECOND
    return min(deal.life, left) if deal.subject.earlier else deal.life


def _is_named(patterns: tuple[PartyPattern, ...], party: Party) -> bool:
    return any(pattern.matches(party.iss, party.sub) for pattern in patterns)
