"""What the tokens of each kind of issuer look like, and what must hold in them beside the usual. Pure.

`groups` and `workflow`: where a profile's tokens carry them; empty: nowhere; None: as `[identity.claims]` says.
"""

import re
from collections.abc import Callable, Mapping
from typing import Final

import msgspec

from gatekeeper.config.model import Profile
from gatekeeper.exchange import Reason
from gatekeeper.identity.pointer import Pointer, read_pointer
from gatekeeper.identity.refused import IdentityError
from gatekeeper.identity.token import TEXT_LIMIT, is_text

SPIFFE_LIMIT: Final = 2048
"""Bytes of a SPIFFE ID (SPIFFE-ID §2.3)."""

type Claims = Mapping[str, object]
type Check = Callable[[Claims, str], None]

# SPIFFE-ID §2.1 and §2.2: the trust domain in lower case; path segments neither empty nor dots.
_SPIFFE: Final = re.compile(r"spiffe://(?P<domain>[a-z0-9._-]{1,255})(?P<path>(?:/(?!\.{1,2}(?:/|$))[A-Za-z0-9._-]+)*)")


class ProfileTerms(msgspec.Struct, frozen=True, kw_only=True):
    """A profile. `dated`: tokens must say when they were issued. `check` raises IdentityError."""

    groups: str | None = None
    workflow: str | None = None
    facts: tuple[tuple[str, Pointer], ...] = ()
    dated: bool = True
    key_uses: frozenset[str] = frozenset({"sig"})
    types: frozenset[str] = frozenset({"jwt", "at+jwt"})
    sub_limit: int = TEXT_LIMIT
    check: Check


def trust_domain(spiffe_id: str) -> str | None:
    """Give the trust domain of a SPIFFE ID, None for anything else."""
    found = _SPIFFE.fullmatch(spiffe_id) if len(spiffe_id) <= SPIFFE_LIMIT else None
    return found["domain"] if found is not None else None


def _nothing(_: Claims, __: str) -> None:
    return


def check_kubernetes(claims: Claims, _: str) -> None:
    """Demand namespace and service account with its UID, and a `sub` that says the same.

    A service account that was deleted and made again has the name of the old one, and another UID.
    """
    namespace, name, uid = (
        read_pointer(f"/kubernetes.io/{place}").find(claims)
        for place in ("namespace", "serviceaccount/name", "serviceaccount/uid")
    )
    if not is_text(namespace) or not is_text(name) or not is_text(uid):
        raise IdentityError(
            Reason.BAD_TOKEN,
            "the token names no namespace and service account with its UID; project it with `serviceAccountToken`",
        )
    if claims.get("sub") != f"system:serviceaccount:{namespace}:{name}":
        raise IdentityError(Reason.BAD_TOKEN, "the token's sub is another service account than its kubernetes.io claim")


def check_github(claims: Claims, _: str) -> None:
    """Demand the ids that stay with a repository and its owner whatever they are renamed to, and the workflow."""
    for name in ("repository_id", "repository_owner_id", "workflow_ref"):
        if not is_text(claims.get(name)):
            raise IdentityError(Reason.BAD_TOKEN, f"the token has no {name}, which every token of GitHub Actions has")


def check_spiffe(claims: Claims, issuer: str) -> None:
    """Demand a SPIFFE ID, of the trust domain that the issuer is for where its name says one (JWT-SVID §3.1)."""
    sub = claims.get("sub")
    domain = trust_domain(sub) if isinstance(sub, str) else None
    if domain is None:
        raise IdentityError(Reason.BAD_TOKEN, "the token's sub is no SPIFFE ID")
    if issuer.startswith("spiffe://") and issuer != f"spiffe://{domain}":
        raise IdentityError(Reason.BAD_TOKEN, "the token's sub is of another trust domain than its issuer")


def check_entra(claims: Claims, issuer: str) -> None:
    """Demand the object, and that the tenant is the issuer's."""
    tenant = claims.get("tid")
    if not is_text(claims.get("oid")) or not is_text(tenant):
        raise IdentityError(Reason.BAD_TOKEN, "the token has no oid and tid, which every token of Entra has")
    if tenant not in issuer.split("/"):
        raise IdentityError(Reason.BAD_TOKEN, "the token's tid is another tenant than its issuer's")


def check_google(claims: Claims, _: str) -> None:
    """Refuse an address that nobody has proved: it is what rules are tempted to name."""
    if "email" in claims and claims.get("email_verified") is not True:
        raise IdentityError(Reason.BAD_TOKEN, "the token's email is not verified")


def _pointers(**places: str) -> tuple[tuple[str, Pointer], ...]:
    return tuple((name, read_pointer(place)) for name, place in places.items())


def _claims(*names: str) -> tuple[tuple[str, Pointer], ...]:
    return _pointers(**{name: name for name in names})


# Facts are recorded and can't be erased: ids, never a person's name or address.
PROFILES: Final = {
    Profile.OIDC: ProfileTerms(facts=_claims("azp", "cid", "client_id"), check=_nothing),
    Profile.KUBERNETES: ProfileTerms(
        groups="",
        workflow="",
        facts=_pointers(
            namespace="/kubernetes.io/namespace",
            serviceaccount_uid="/kubernetes.io/serviceaccount/uid",
            pod="/kubernetes.io/pod/name",
            pod_uid="/kubernetes.io/pod/uid",
            node="/kubernetes.io/node/name",
        ),
        check=check_kubernetes,
    ),
    Profile.GITHUB: ProfileTerms(
        groups="",
        workflow="workflow_ref",
        facts=_claims(
            "repository_id",
            "repository_owner_id",
            "workflow_ref",
            "job_workflow_ref",
            "run_id",
            "run_attempt",
            "sha",
            "actor_id",
        ),
        check=check_github,
    ),
    Profile.SPIFFE: ProfileTerms(
        groups="",
        workflow="",
        dated=False,
        key_uses=frozenset({"sig", "jwt-svid"}),  # SPIFFE trust domain and bundle §4.2.2
        types=frozenset({"jwt", "jose"}),  # JWT-SVID §2.3
        sub_limit=SPIFFE_LIMIT,
        check=check_spiffe,
    ),
    Profile.ENTRA: ProfileTerms(
        groups="roles", workflow="", facts=_claims("tid", "oid", "azp", "appid", "idtyp", "uti"), check=check_entra
    ),
    Profile.GOOGLE: ProfileTerms(
        groups="",
        workflow="",
        facts=_pointers(
            azp="azp",
            project="/google/compute_engine/project_id",
            instance="/google/compute_engine/instance_id",
        ),
        check=check_google,
    ),
}
