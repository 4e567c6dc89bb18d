"""Each profile on tokens as its provider makes them, and on what it must not take for them."""

import tomllib

import pytest
from forgery import ABSENT, EC, EC_384, ED, INSTANT, NOW, RSA, forge, jwk, write_jwks
from token_shapes import (
    AUTH0,
    ENTRA,
    GITHUB,
    GOOGLE,
    KEYCLOAK,
    KUBERNETES,
    OKTA,
    SPIFFE,
    TENANT,
    Shape,
    changed,
    inside,
)

from gatekeeper.config import parse_config
from gatekeeper.exchange import Party, Reason, Subject
from gatekeeper.identity import IdentityError, Verifier
from gatekeeper.identity.profiles import trust_domain

ISSUERS = """
[[identity.issuers]]
issuer = "https://kubernetes.default.svc.cluster.local"
profile = "kubernetes"
require = {{ "/kubernetes.io/namespace" = ["agents", "batch-*"] }}
[[identity.issuers.map]]
claim = "/kubernetes.io/serviceaccount/uid"
value = "7f2a7bd8-7c43-4a62-9f5b-2f1f2d9e5a11"
groups = ["finance-bots"]
workflow = "monthly-close"

[[identity.issuers]]
issuer = "https://token.actions.githubusercontent.com"
profile = "github"
require = {{ repository_owner_id = ["65"] }}
[[identity.issuers.map]]
claim = "sub"
glob = "repo:octo-org/*:ref:refs/heads/main"
groups = ["main-branch"]

[[identity.issuers]]
issuer = "spiffe://prod.example"
profile = "spiffe"

[[identity.issuers]]
issuer = "https://spire.example"
profile = "spiffe"
require = {{ sub = ["spiffe://prod.example/*"] }}

[[identity.issuers]]
issuer = "https://login.microsoftonline.com/{tenant}/v2.0"
profile = "entra"
max_life = "90m"

[[identity.issuers]]
issuer = "https://accounts.google.com"
profile = "google"
require = {{ "/google/compute_engine/project_number" = ["739419398126"] }}

[[identity.issuers]]
issuer = "https://sso.example/realms/agents"
claims = {{ groups = "/realm_access/roles" }}

[[identity.issuers]]
issuer = "https://acme.okta.com/oauth2/default"

[[identity.issuers]]
issuer = "https://acme.eu.auth0.com/"
claims = {{ groups = "https://acme.example/roles" }}
"""


@pytest.fixture(scope="module")
def verifier(tmp_path_factory: pytest.TempPathFactory) -> Verifier:
    folder = tmp_path_factory.mktemp("issuers")
    write_jwks(
        folder / "keys.json",
        jwk(RSA, kid="rsa", use="sig", alg="RS256"),
        jwk(EC, kid="ec", use="sig"),
        jwk(ED, kid="a"),
    )
    write_jwks(folder / "bundle.json", jwk(EC, kid="ec", use="jwt-svid"), jwk(EC_384, use="x509-svid"))
    text = ISSUERS.format(tenant=TENANT)
    for issuer in tomllib.loads(text)["identity"]["issuers"]:
        keys = "bundle.json" if issuer["issuer"].startswith("spiffe") else "keys.json"
        text = text.replace(f'"{issuer["issuer"]}"\n', f'"{issuer["issuer"]}"\njwks = "{keys}"\n', 1)
    return Verifier.load(parse_config(text, folder / "config.toml").identity)


def token(shape: Shape) -> str:
    head, claims = shape
    return forge(head, claims, EC if head["alg"] == "ES256" else RSA)


def subject(verifier: Verifier, shape: Shape) -> Subject:
    return verifier.verify(token(shape), INSTANT)


def test_kubernetes_is_bound_to_the_service_account_itself_and_records_the_pod(verifier: Verifier) -> None:
    found = subject(verifier, KUBERNETES)
    assert found.sub == "system:serviceaccount:agents:billing-bot"
    assert (found.groups, found.workflow) == (("finance-bots",), "monthly-close")
    assert dict(found.facts) == {
        "namespace": "agents",
        "serviceaccount_uid": "7f2a7bd8-7c43-4a62-9f5b-2f1f2d9e5a11",
        "pod": "billing-bot-6f5d9c7b7d-x2x8p",
        "pod_uid": "f0a0ba0e-5c7a-4f4c-8d6a-0b8f8a2f2d8e",
        "node": "worker-2",
    }


def test_a_service_account_made_again_under_its_old_name_gets_nothing_of_the_old_one(verifier: Verifier) -> None:
    again = inside(KUBERNETES, "kubernetes.io", serviceaccount={"name": "billing-bot", "uid": "another"})
    assert (subject(verifier, again).groups, subject(verifier, again).workflow) == ((), None)


def test_github_gives_ids_and_the_workflow_file_and_not_the_name_that_anybody_can_choose(verifier: Verifier) -> None:
    found = subject(verifier, GITHUB)
    assert found.workflow == "octo-org/octo-repo/.github/workflows/release.yml@refs/heads/main"
    assert found.groups == ("main-branch",)
    assert {"repository_id": "74", "repository_owner_id": "65"}.items() <= dict(found.facts).items()
    assert "octocat" not in repr(found.facts)


@pytest.mark.parametrize("ref", ["refs/heads/main2", "refs/heads/dev", "refs/pull/7/merge"])
def test_a_mapping_is_anchored_at_both_ends(verifier: Verifier, ref: str) -> None:
    assert subject(verifier, changed(GITHUB, sub=f"repo:octo-org/octo-repo:ref:{ref}")).groups == ()


def test_a_jwt_svid_is_of_its_trust_domain_with_and_without_iss_and_iat(verifier: Verifier) -> None:
    found = subject(verifier, SPIFFE)
    assert (found.iss, found.sub) == ("spiffe://prod.example", "spiffe://prod.example/ns/agents/sa/billing-bot")
    assert subject(verifier, changed(SPIFFE, iat=ABSENT)).sub == found.sub
    assert subject(verifier, changed(SPIFFE, iss="https://spire.example")).iss == "https://spire.example"
    assert subject(verifier, ({**SPIFFE[0], "typ": "JOSE"}, SPIFFE[1])).sub == found.sub
    long = f"spiffe://prod.example/{'x' * 1500}"
    assert subject(verifier, changed(SPIFFE, sub=long)).sub == long


def test_entra_gives_app_roles_as_groups_and_records_ids(verifier: Verifier) -> None:
    found = subject(verifier, ENTRA)
    assert found.groups == ("Model.Call",)
    assert dict(found.facts)["tid"] == TENANT
    assert dict(found.facts)["idtyp"] == "app"


def test_google_gives_the_account_and_records_no_address(verifier: Verifier) -> None:
    found = subject(verifier, GOOGLE)
    assert found.sub == "113774264463038321964"
    assert dict(found.facts)["project"] == "acme-prod"
    assert "@" not in repr(found.facts)


@pytest.mark.parametrize(
    ("shape", "groups"),
    [(KEYCLOAK, ("offline_access", "finance")), (OKTA, ("Everyone", "finance")), (AUTH0, ("finance",))],
    ids=["keycloak", "okta", "auth0"],
)
def test_any_other_provider_gives_groups_from_where_it_has_them(
    verifier: Verifier, shape: Shape, groups: tuple[str, ...]
) -> None:
    found = subject(verifier, shape)
    assert (found.sub, found.groups) == (shape[1]["sub"], groups)
    assert found.keys == (Party(str(shape[1]["iss"]), "rsa"),)


ALL = {
    "kubernetes": KUBERNETES, "github": GITHUB, "spiffe": SPIFFE, "entra": ENTRA, "google": GOOGLE,
    "keycloak": KEYCLOAK, "okta": OKTA, "auth0": AUTH0,
}  # fmt: skip

# Audiences that each provider's tokens have when nobody asked for another.
FOREIGN = {
    "kubernetes": ["https://kubernetes.default.svc.cluster.local"],
    "github": "https://github.com/octo-org",
    "spiffe": ["spiffe://prod.example/other"],
    "entra": "https://management.azure.com/",
    "google": "32555940559.apps.googleusercontent.com",
    "keycloak": "account",
    "okta": "api://default",
    "auth0": ["gatekeeper", "https://acme.eu.auth0.com/userinfo"],
}


@pytest.mark.parametrize("name", ALL)
def test_a_token_for_another_audience_is_refused(verifier: Verifier, name: str) -> None:
    with pytest.raises(IdentityError, match="audience"):
        subject(verifier, changed(ALL[name], aud=FOREIGN[name]))


@pytest.mark.parametrize("name", ALL)
def test_a_token_with_no_audience_is_refused(verifier: Verifier, name: str) -> None:
    with pytest.raises(IdentityError, match="audience"):
        subject(verifier, changed(ALL[name], aud=ABSENT))


ACCOUNT = {"name": "billing-bot", "uid": "u"}
REFUSED = {
    "kubernetes: a legacy token of a secret": (
        changed(KUBERNETES, **{"kubernetes.io": ABSENT, "kubernetes.io/serviceaccount/namespace": "agents"}),
        "no namespace and service account",
    ),
    "kubernetes: no uid": (
        inside(KUBERNETES, "kubernetes.io", serviceaccount={"name": "billing-bot"}), "no namespace and service account",
    ),
    "kubernetes: sub of another account": (
        changed(KUBERNETES, sub="system:serviceaccount:agents:admin"), "another service account",
    ),
    "kubernetes: sub of another namespace": (
        inside(KUBERNETES, "kubernetes.io", namespace="batch-1"), "another service account",
    ),
    "kubernetes: a namespace that is not ours": (
        changed(
            KUBERNETES,
            sub="system:serviceaccount:dev:billing-bot",
            **{"kubernetes.io": {"namespace": "dev", "serviceaccount": ACCOUNT}},
        ),
        "not among those",
    ),
    "github: a stranger's repository": (changed(GITHUB, repository_owner_id="66"), "not among those"),
    "github: an owner id that only begins like ours": (changed(GITHUB, repository_owner_id="650"), "not among those"),
    "github: no ids": (changed(GITHUB, repository_id=ABSENT), "no repository_id"),
    "github: an id that is a number": (changed(GITHUB, repository_owner_id=65), "no repository_owner_id"),
    "spiffe: another trust domain without iss": (changed(SPIFFE, sub="spiffe://dev.example/a"), "not known here"),
    "spiffe: another trust domain with iss": (
        changed(SPIFFE, iss="https://spire.example", sub="spiffe://dev.example/a"), "not among those",
    ),
    "spiffe: another trust domain, its issuer said": (
        changed(SPIFFE, iss="spiffe://prod.example", sub="spiffe://dev.example/a"), "another trust domain",
    ),
    "spiffe: no SPIFFE ID": (changed(SPIFFE, iss="spiffe://prod.example", sub="billing-bot"), "no SPIFFE ID"),
    "spiffe: dots in the path": (
        changed(SPIFFE, iss="spiffe://prod.example", sub="spiffe://prod.example/a/../b"), "no SPIFFE ID",
    ),
    "spiffe: endless": (changed(SPIFFE, iat=ABSENT, exp=NOW + 3601), "lives longer"),
    "spiffe: no exp": (changed(SPIFFE, iat=ABSENT, exp=ABSENT), "exp"),
    "spiffe: typ of access tokens": (({**SPIFFE[0], "typ": "at+jwt"}, SPIFFE[1]), "typ"),
    "entra: another tenant": (changed(ENTRA, tid="72f988bf-86f1-41af-91ab-2d7cd011db47"), "another tenant"),
    "entra: no oid": (changed(ENTRA, oid=ABSENT), "no oid and tid"),
    "entra: roles left out": (changed(ENTRA, _claim_names={"roles": "src1"}), "so many groups"),
    "entra: groups left out": (changed(ENTRA, hasgroups=True), "so many groups"),
    "google: another project": (
        inside(GOOGLE, "google", compute_engine={"project_number": 1}), "not among those",
    ),
    "google: a token without a machine": (changed(GOOGLE, google=ABSENT), "not among those"),
    "google: an address that nobody proved": (changed(GOOGLE, email_verified=False), "not verified"),
    "google: an address proved in words": (changed(GOOGLE, email_verified="true"), "not verified"),
    "keycloak: roles are a text": (changed(KEYCLOAK, realm_access={"roles": "finance"}), "realm_access/roles"),
    "keycloak: roles are null": (changed(KEYCLOAK, realm_access={"roles": None}), "realm_access/roles"),
    "okta: an ID token's typ": (({**OKTA[0], "typ": "logout+jwt"}, OKTA[1]), "typ"),
    "auth0: iss without its slash": (changed(AUTH0, iss="https://acme.eu.auth0.com"), "not known here"),
    "auth0: a day": (changed(AUTH0, exp=NOW + 86_340), "lives longer"),
}  # fmt: skip


@pytest.mark.parametrize(("shape", "said"), REFUSED.values(), ids=REFUSED)
def test_refuses(verifier: Verifier, shape: Shape, said: str) -> None:
    with pytest.raises(IdentityError, match=said) as caught:
        subject(verifier, shape)
    assert caught.value.reason in {Reason.BAD_TOKEN, Reason.UNKNOWN_ISSUER}


def test_a_key_for_certificates_verifies_no_token(verifier: Verifier) -> None:
    head = {"alg": "ES384", "typ": "JWT"}
    with pytest.raises(IdentityError):
        verifier.verify(forge(head, SPIFFE[1], EC_384), INSTANT)


@pytest.mark.parametrize(
    ("text", "domain"),
    [
        ("spiffe://prod.example", "prod.example"),
        ("spiffe://prod.example/a/b", "prod.example"),
        ("spiffe://prod.example/a/", None),
        ("spiffe://prod.example//a", None),
        ("spiffe://prod.example/.", None),
        ("spiffe://Prod.example/a", None),
        ("spiffe://prod.example:80/a", None),
        ("spiffe://user@prod.example/a", None),
        ("spiffe://prod.example/a?b", None),
        ("spiffe://prod.example/%61", None),
        ("spiffe:///a", None),
        ("https://prod.example/a", None),
        (f"spiffe://prod.example/{'x' * 2048}", None),
    ],
)
def test_reads_spiffe_ids_strictly(text: str, domain: str | None) -> None:
    assert trust_domain(text) == domain
