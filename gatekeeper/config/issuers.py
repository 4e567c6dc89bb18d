"""Checks of `[[identity.issuers]]`, and of what rules say about who calls."""

from collections.abc import Iterator
from typing import Final
from urllib.parse import urlsplit

from msgspec import UNSET

from gatekeeper.config.model import (
    JWKS_NAME,
    Action,
    ClaimMapping,
    ClientTls,
    Config,
    ExchangeConfig,
    IssuerConfig,
    Profile,
    RuleConfig,
)

# Asymmetric only: with a symmetric algorithm whoever can check a token can make one (RFC 8725 §3.1).
ASYMMETRIC: Final = frozenset(
    {"EdDSA", "ES256", "ES384", "ES512", "RS256", "RS384", "RS512", "PS256", "PS384", "PS512"}
)

# From these issuers anybody in the world gets a token for any audience: at least one of these claims says who is yours.
# Ids and not names: whoever registers a name that was given up would get what was meant for another.
SHARED: Final = {
    Profile.GITHUB: ("repository_owner_id", "repository_id"),
    Profile.GOOGLE: ("sub", "email", "/google/compute_engine/project_number", "/google/compute_engine/project_id"),
}
SPIFFE: Final = "spiffe://"
MEND: Final = "say which one's are meant: issuers = [...]"
SHORTEST_TRADED: Final = 300
LONGEST_TRADED: Final = 900
"""Seconds that a token from `/token` lives."""

BETWEEN: Final = "|"
"""Between issuer and `sub` where a rule names both."""

type Problem = tuple[str, str]


def issuer_problems(config: Config) -> Iterator[Problem]:
    """Give what is wrong with the issuers: the key's path, and what to do."""
    names: set[str] = set()
    for number, issuer in enumerate(config.identity.issuers):
        key = f"identity.issuers[{number}]"
        yield from ((f"{key}.{part}", problem) for part, problem in _issuer(issuer))
        if issuer.issuer in names:
            yield f"{key}.issuer", "is named twice"
        names.add(issuer.issuer)
    for number, saml in enumerate(config.identity.saml):
        if not saml.issuer or not saml.audience or saml.issuer in names:
            yield f"identity.saml[{number}].issuer", "expected an entity id of its own, and an audience"
        names.add(saml.issuer)
    for number, exchange in enumerate(config.identity.exchange):
        yield from _callers(f"identity.exchange[{number}]", exchange, config)
        if not exchange.workflows:
            yield f"identity.exchange[{number}].workflows", "names none; a token is traded for one workflow"
    if not SHORTEST_TRADED <= config.identity.exchange_life <= LONGEST_TRADED:
        yield "identity.exchange_life", "a traded token lives from 5m to 15m"
    if config.identity.exchange and config.embedded_issuer is None:
        yield "identity.exchange", f"traded tokens are the embedded issuer's, whose jwks is {config.data / JWKS_NAME}"


def caller_problems(number: int, rule: RuleConfig, config: Config) -> Iterator[Problem]:
    """Give what is wrong with a rule's words about who calls."""
    denies = rule.action is Action.DENY
    yield from _callers(f"rules[{number}]", rule, config, harmless=denies)
    if not denies and not rule.issuers:
        yield from ((f"rules[{number}].{part}", problem) for part, problem in _any_workflow(rule, config))


def _callers(
    key: str, rule: RuleConfig | ExchangeConfig, config: Config, *, harmless: bool = False
) -> Iterator[Problem]:
    """Look at issuers, subjects and groups; `harmless`: to match more than was meant does no harm."""
    known = set(_names(config))
    for at, name in enumerate(rule.issuers):
        if name not in known and not _of_certificates(name, config):
            yield f"{key}.issuers[{at}]", f"{name!r} is not among [[identity.issuers]]"
    for at, subject in enumerate(rule.subjects):
        issuer, _, _ = subject.partition(BETWEEN)
        if is_qualified(subject) and issuer not in known and not _of_certificates(issuer, config):
            yield f"{key}.subjects[{at}]", f"{issuer!r} is not among [[identity.issuers]]"
    if not harmless and not rule.issuers:
        yield from ((f"{key}.{part}", problem) for part, problem in _anybody(rule, config))


def _any_workflow(rule: RuleConfig, config: Config) -> Iterator[Problem]:
    saying = [issuer.issuer for issuer in config.identity.issuers if _says(issuer, "workflows", config)]
    if rule.workflows and len(saying) > 1:
        yield "workflows", f"each of {len(saying)} issuers could say so of its tokens; {MEND}"


def _anybody(rule: RuleConfig | ExchangeConfig, config: Config) -> Iterator[Problem]:
    """Find what any issuer could say of its tokens, and so get what was meant for another's."""
    issuers, names = config.identity.issuers, _names(config)
    for at, subject in enumerate(rule.subjects):
        if len(names) > 1 and not is_qualified(subject):
            yield (
                f"subjects[{at}]",
                f'{subject!r}: each of {len(names)} issuers could name a subject so; {MEND}, or "ISSUER|SUB"',
            )
    saying = [issuer.issuer for issuer in issuers if _says(issuer, "groups", config)]
    if rule.groups and len(saying) > 1:
        yield "groups", f"each of {len(saying)} issuers could say so of its tokens; {MEND}"


def _names(config: Config) -> tuple[str, ...]:
    """Give all who can say who somebody is: the issuers, and where clients show certificates, their CA."""
    names = [issuer.issuer for issuer in config.identity.issuers] + [saml.issuer for saml in config.identity.saml]
    if config.proxy.client_certificates is not ClientTls.OFF:
        names.append(config.identity.certificate_issuer)
    return tuple(names)


def _of_certificates(name: str, config: Config) -> bool:
    """Whether it is a trust domain, of which a client certificate may be."""
    return name.startswith(SPIFFE) and config.proxy.client_certificates is not ClientTls.OFF


def is_qualified(subject: str) -> bool:
    """Whether a pattern of `subjects` names the issuer too: `https://issuer.example|name`.

    A `|` alone says nothing: Auth0 has it in its names. An issuer's name is a URL.
    """
    issuer, found, _ = subject.partition(BETWEEN)
    return bool(found) and "://" in issuer


def _says(issuer: IssuerConfig, part: str, config: Config) -> bool:
    """Whether an issuer's own claim says groups or workflow; what `map` gives is the operator's word."""
    own = issuer.claims.groups if part == "groups" else issuer.claims.workflow
    if own is not UNSET:
        return bool(own)
    if issuer.profile is Profile.OIDC:
        return bool(config.identity.claims.groups if part == "groups" else config.identity.claims.workflow)
    return (issuer.profile, part) in {(Profile.ENTRA, "groups"), (Profile.GITHUB, "workflows")}


def _issuer(issuer: IssuerConfig) -> Iterator[Problem]:
    if not issuer.issuer:
        yield "issuer", "is empty"
    if not issuer.audience:
        yield "audience", "is empty; a token must be for this gateway and nobody else"
    if bad := set(issuer.algorithms) - ASYMMETRIC:
        yield "algorithms", f"{', '.join(sorted(bad))}: only {', '.join(sorted(ASYMMETRIC))}"
    if not issuer.algorithms:
        yield "algorithms", "names none, so no token could be valid"
    yield from _keys(issuer)
    yield from _profile(issuer)
    for claim, wanted in issuer.require.items():
        if not claim or not wanted:
            yield f"require.{claim}", "expected a claim, and a list of what it may be"
    for number, mapping in enumerate(issuer.map):
        yield from ((f"map[{number}].{key}", problem) for key, problem in _mapping(mapping))


def _keys(issuer: IssuerConfig) -> Iterator[Problem]:
    place = issuer.jwks or issuer.issuer
    if issuer.jwks and "://" not in issuer.jwks:
        return
    try:
        parts = urlsplit(place)
        wrong = parts.scheme != "https" or not parts.hostname or "@" in parts.netloc or bool(parts.fragment)
    except ValueError:
        wrong = True
    if wrong and issuer.jwks:
        yield "jwks", f"{place!r}: expected a file, or an https URL without user and fragment"
    elif wrong or urlsplit(place).query:
        yield "jwks", f"is empty, so keys are found by discovery, and {place!r} is no https URL; name a file or a URL"


def _profile(issuer: IssuerConfig) -> Iterator[Problem]:
    wanted = SHARED.get(issuer.profile, ())
    if issuer.profile is Profile.SPIFFE and not issuer.issuer.startswith(SPIFFE):
        wanted = ("sub",)
    if wanted and not set(wanted) & set(issuer.require):
        mend = f'require = {{ "{wanted[0]}" = ["…"] }}'
        yield (
            "require",
            f"anybody gets tokens of such an issuer; say which are yours, by {' or '.join(wanted)}: {mend}",
        )


def _mapping(mapping: ClaimMapping) -> Iterator[Problem]:
    if not mapping.claim:
        yield "claim", "is empty"
    if bool(mapping.value) == bool(mapping.glob):
        yield "value", "expected either value (exact) or glob (with *)"
    if not mapping.groups and not mapping.workflow:
        yield "groups", "gives neither groups nor a workflow"
