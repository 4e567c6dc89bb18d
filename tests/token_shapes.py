"""Tokens as providers really make them: header and claims as recorded, with times and keys of the tests' own."""

from typing import Final

from forgery import ABSENT, NOW

TENANT: Final = "9122040d-6c67-4c5b-b112-36a304b66dad"

type Shape = tuple[dict[str, object], dict[str, object]]

# Kubernetes 1.31, a volume of `serviceAccountToken` with audience and expirationSeconds.
KUBERNETES: Final[Shape] = (
    {"alg": "RS256", "kid": "rsa"},
    {
        "aud": ["gatekeeper"],
        "exp": NOW + 3000,
        "iat": NOW - 600,
        "iss": "https://kubernetes.default.svc.cluster.local",
        "jti": "a1f8a4f2-3b34-4a0c-9a55-c4d0c2a2fbd3",
        "kubernetes.io": {
            "namespace": "agents",
            "node": {"name": "worker-2", "uid": "2b7d6d42-1f0b-4ac7-b1c7-3d9f6cb81c3f"},
            "pod": {"name": "billing-bot-6f5d9c7b7d-x2x8p", "uid": "f0a0ba0e-5c7a-4f4c-8d6a-0b8f8a2f2d8e"},
            "serviceaccount": {"name": "billing-bot", "uid": "7f2a7bd8-7c43-4a62-9f5b-2f1f2d9e5a11"},
        },
        "nbf": NOW - 600,
        "sub": "system:serviceaccount:agents:billing-bot",
    },
)

# docs.github.com, "OpenID Connect reference", a push to main.
GITHUB: Final[Shape] = (
    {"typ": "JWT", "alg": "RS256", "x5t": "ykNaY4qM_ta4k2TgZOCEYLkcYlA", "kid": "rsa"},
    {
        "jti": "4f1d9d2a-8c1f-4f2d-9d7f-2c7a9f0e4e4b",
        "sub": "repo:octo-org/octo-repo:ref:refs/heads/main",
        "aud": "gatekeeper",
        "ref": "refs/heads/main",
        "sha": "1234567890abcdef1234567890abcdef12345678",
        "repository": "octo-org/octo-repo",
        "repository_owner": "octo-org",
        "actor_id": "12",
        "repository_visibility": "private",
        "repository_id": "74",
        "repository_owner_id": "65",
        "run_id": "4242424242",
        "run_number": "10",
        "run_attempt": "2",
        "runner_environment": "github-hosted",
        "actor": "octocat",
        "workflow": "release",
        "head_ref": "",
        "base_ref": "",
        "event_name": "push",
        "ref_type": "branch",
        "ref_protected": "true",
        "workflow_ref": "octo-org/octo-repo/.github/workflows/release.yml@refs/heads/main",
        "workflow_sha": "1234567890abcdef1234567890abcdef12345678",
        "job_workflow_ref": "octo-org/octo-automation/.github/workflows/deploy.yml@refs/heads/main",
        "job_workflow_sha": "abcdef1234567890abcdef1234567890abcdef12",
        "iss": "https://token.actions.githubusercontent.com",
        "nbf": NOW - 600,
        "exp": NOW + 300,
        "iat": NOW,
    },
)

# SPIRE's Workload API, FetchJWTSVID; `iss` only where the server's jwt_issuer is set.
SPIFFE: Final[Shape] = (
    {"alg": "ES256", "kid": "ec", "typ": "JWT"},
    {
        "aud": ["gatekeeper"],
        "exp": NOW + 300,
        "iat": NOW,
        "sub": "spiffe://prod.example/ns/agents/sa/billing-bot",
    },
)

# Entra ID, v2.0, client credentials of an application with an app role.
ENTRA: Final[Shape] = (
    {"typ": "JWT", "alg": "RS256", "kid": "rsa"},
    {
        "aud": "gatekeeper",
        "iss": f"https://login.microsoftonline.com/{TENANT}/v2.0",
        "iat": NOW - 300,
        "nbf": NOW - 300,
        "exp": NOW + 3600,
        "aio": "E2NgYFjB8bxfd4LLVyc9X0n+nrz7FwA=",
        "azp": "2d4d11a2-f814-46a7-890a-274a72a7309e",
        "azpacr": "1",
        "idtyp": "app",
        "oid": "690222be-ff1a-4d56-abd1-7e4f7d38e474",
        "rh": "0.AAAAWR0mZ2tZlFl7SjWJzs1nPQ.",
        "roles": ["Model.Call"],
        "sub": "690222be-ff1a-4d56-abd1-7e4f7d38e474",
        "tid": TENANT,
        "uti": "Kvz7l0r-9UG1AAAAAAAAAA",
        "ver": "2.0",
    },
)

# Google, a service account's ID token from the metadata server, format=full.
GOOGLE: Final[Shape] = (
    {"alg": "RS256", "kid": "rsa", "typ": "JWT"},
    {
        "aud": "gatekeeper",
        "azp": "113774264463038321964",
        "email": "billing-bot@acme-prod.iam.gserviceaccount.com",
        "email_verified": True,
        "exp": NOW + 3500,
        "google": {
            "compute_engine": {
                "instance_creation_timestamp": NOW - 90_000,
                "instance_id": "152986662232938449",
                "instance_name": "agents-1",
                "project_id": "acme-prod",
                "project_number": 739419398126,
                "zone": "us-central1-a",
            }
        },
        "iat": NOW - 100,
        "iss": "https://accounts.google.com",
        "sub": "113774264463038321964",
    },
)

KEYCLOAK: Final[Shape] = (
    {"alg": "RS256", "typ": "JWT", "kid": "rsa"},
    {
        "exp": NOW + 300,
        "iat": NOW,
        "jti": "trrtcc:6a3e4f0c-3ea2-6ab4-6cfd-7e6b5e2a1b8d",
        "iss": "https://sso.example/realms/agents",
        "aud": "gatekeeper",
        "sub": "a5f0e5c8-5d34-4b9c-8d2f-0a1d8f6c9e77",
        "typ": "Bearer",
        "azp": "billing-bot",
        "acr": "1",
        "realm_access": {"roles": ["offline_access", "finance"]},
        "resource_access": {"gatekeeper": {"roles": ["caller"]}},
        "scope": "profile email",
        "clientHost": "10.0.3.7",
        "client_id": "billing-bot",
    },
)

OKTA: Final[Shape] = (
    {"kid": "rsa", "alg": "RS256"},
    {
        "ver": 1,
        "jti": "AT.0mP4JKAZX1iACIT4vbEDF7LpvDVjxypPMf0D7uX39RE",
        "iss": "https://acme.okta.com/oauth2/default",
        "aud": "gatekeeper",
        "iat": NOW - 60,
        "exp": NOW + 3540,
        "cid": "0oa1u7xBVmJ7Nqv7c0g4",
        "scp": ["model.call"],
        "groups": ["Everyone", "finance"],
        "sub": "0oa1u7xBVmJ7Nqv7c0g4",
    },
)

AUTH0: Final[Shape] = (
    {"alg": "RS256", "typ": "at+jwt", "kid": "rsa"},
    {
        "iss": "https://acme.eu.auth0.com/",
        "sub": "jN5bZx1FzF8QgZ4cG4pW8ZqXxZf1mY7A@clients",
        "aud": "gatekeeper",
        "iat": NOW - 60,
        "exp": NOW + 3540,
        "https://acme.example/roles": ["finance"],
        "scope": "call:models",
        "gty": "client-credentials",
        "azp": "jN5bZx1FzF8QgZ4cG4pW8ZqXxZf1mY7A",
        "permissions": ["call:models"],
    },
)


def changed(shape: Shape, **claims: object) -> Shape:
    """Give the same token with some claims changed, or ABSENT."""
    head, body = shape
    return head, {name: value for name, value in {**body, **claims}.items() if value is not ABSENT}


def inside(shape: Shape, claim: str, **members: object) -> Shape:
    """Give the same token with members of one claim changed, or ABSENT."""
    found = shape[1][claim]
    assert isinstance(found, dict)
    return changed(
        shape, **{claim: {name: value for name, value in {**found, **members}.items() if value is not ABSENT}}
    )
