import json
import os
import stat
from pathlib import Path

import jwt
import pytest
from cryptography.hazmat.primitives import serialization
from forgery import EC, INSTANT, NOW

from gatekeeper.config import IdentityConfig, IssuerConfig, Seconds
from gatekeeper.config.model import EMBEDDED_ISSUER, ClaimsConfig
from gatekeeper.identity import EmbeddedIssuer, Verifier, read_life


@pytest.fixture
def key(tmp_path: Path) -> Path:
    return tmp_path / "data" / "keys" / "issuer.key"


@pytest.fixture
def jwks(tmp_path: Path) -> Path:
    return tmp_path / "data" / "issuer.jwks.json"


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def config(jwks: Path, claims: ClaimsConfig = ClaimsConfig()) -> IdentityConfig:  # noqa: B008 - frozen
    return IdentityConfig(issuers=(IssuerConfig(issuer=EMBEDDED_ISSUER.issuer, jwks=str(jwks)),), claims=claims)


def test_its_tokens_are_verified_with_the_keys_that_it_wrote(key: Path, jwks: Path) -> None:
    issuer = EmbeddedIssuer.create(key, jwks)
    token = issuer.issue("billing-bot", ["finance"], "invoices", 600, INSTANT)
    subject = Verifier.load(config(jwks)).verify(token, INSTANT)
    assert (subject.sub, subject.groups, subject.workflow) == ("billing-bot", ("finance",), "invoices")
    assert subject.expires == (NOW + 600) * 1_000_000
    assert subject.jti
    assert jwt.get_unverified_header(token)["typ"] == "JWT"


def test_groups_and_workflow_stand_in_the_claims_that_the_configuration_names(key: Path, jwks: Path) -> None:
    claims = ClaimsConfig(groups="roles", workflow="flow")
    token = EmbeddedIssuer.create(key, jwks, claims=claims).issue("bot", ["a"], "w", 60, INSTANT)
    subject = Verifier.load(config(jwks, claims)).verify(token, INSTANT)
    assert (subject.groups, subject.workflow) == (("a",), "w")


def test_two_tokens_never_share_an_id(key: Path, jwks: Path) -> None:
    issuer = EmbeddedIssuer.create(key, jwks)
    assert issuer.issue("bot", (), None, 60, INSTANT) != issuer.issue("bot", (), None, 60, INSTANT)


@pytest.mark.parametrize("umask", [0o000, 0o022, 0o077])
def test_the_key_is_private_whatever_the_umask(key: Path, jwks: Path, umask: int) -> None:
    before = os.umask(umask)
    try:
        EmbeddedIssuer.create(key, jwks)
    finally:
        os.umask(before)
    assert (mode(key), mode(jwks)) == (0o600, 0o644)
    assert (mode(key.parent), mode(jwks.parent)) == (0o700, 0o700)
    assert sorted(path.name for path in key.parent.iterdir()) == ["issuer.key"]
    assert "d" not in json.loads(jwks.read_bytes())["keys"][0]


def test_creating_again_keeps_what_is_there(key: Path, jwks: Path) -> None:
    EmbeddedIssuer.create(key, jwks)
    before = key.read_bytes(), jwks.read_bytes()
    EmbeddedIssuer.create(key, jwks)
    assert (key.read_bytes(), jwks.read_bytes()) == before


def test_a_missing_key_set_is_made_from_the_key(key: Path, jwks: Path) -> None:
    issuer = EmbeddedIssuer.create(key, jwks)
    jwks.unlink()
    EmbeddedIssuer.create(key, jwks)
    assert Verifier.load(config(jwks)).verify(issuer.issue("bot", (), None, 60, INSTANT), INSTANT).sub == "bot"


def test_a_key_set_without_its_key_is_not_overwritten(key: Path, jwks: Path) -> None:
    EmbeddedIssuer.create(key, jwks)
    key.unlink()
    before = jwks.read_bytes()
    with pytest.raises(FileExistsError, match="without its key"):
        EmbeddedIssuer.create(key, jwks)
    assert jwks.read_bytes() == before
    assert not key.exists()


def test_a_key_that_appears_meanwhile_is_not_overwritten(
    key: Path, jwks: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    key.parent.mkdir(parents=True)
    key.write_text("another process was faster")
    monkeypatch.setattr(Path, "exists", lambda _: False)
    with pytest.raises(FileExistsError):
        EmbeddedIssuer.create(key, jwks)
    assert key.read_text() == "another process was faster"
    assert len(list(key.parent.iterdir())) == 1


def test_load_gives_the_same_issuer(key: Path, jwks: Path) -> None:
    EmbeddedIssuer.create(key, jwks)
    token = EmbeddedIssuer.load(key).issue("bot", (), None, 60, INSTANT)
    assert Verifier.load(config(jwks)).verify(token, INSTANT).sub == "bot"


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"", "no private key"),
        (b"-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n", "no private key"),
        (
            EC.private_bytes(
                serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
            ),
            "expected an Ed25519 key",
        ),
        (
            EC.private_bytes(
                serialization.Encoding.PEM,
                serialization.PrivateFormat.PKCS8,
                serialization.BestAvailableEncryption(b"x"),
            ),
            "no private key",
        ),
    ],
)
def test_a_file_without_a_fitting_key_is_refused(tmp_path: Path, data: bytes, said: str) -> None:
    path = tmp_path / "issuer.key"
    path.write_bytes(data)
    with pytest.raises(ValueError, match=said) as caught:
        EmbeddedIssuer.load(path)
    assert str(path) in str(caught.value)


@pytest.mark.parametrize(
    ("subject", "groups", "workflow", "ttl", "said"),
    [
        ("", (), None, 60, "subject"),
        ("a\nb", (), None, 60, "subject"),
        ("x" * 257, (), None, 60, "subject"),
        ("bot", (), "", 60, "workflow"),
        ("bot", ("",), None, 60, "groups"),
        ("bot", ["g"] * 257, None, 60, "groups"),
        ("bot", (), None, 0, "lives"),
        ("bot", (), None, -1, "lives"),
        ("bot", (), None, 3601, "at most 1h"),
    ],
)
def test_refuses_to_issue_what_no_verifier_accepts(
    key: Path, jwks: Path, subject: str, groups: tuple[str, ...], workflow: str | None, ttl: float, said: str
) -> None:
    issuer = EmbeddedIssuer.create(key, jwks)
    with pytest.raises(ValueError, match=said):
        issuer.issue(subject, groups, workflow, ttl, INSTANT)


def test_the_longest_life_is_the_issuers(key: Path, jwks: Path) -> None:
    short = IssuerConfig(issuer="https://short.example", jwks=str(jwks), max_life=Seconds(60))
    issuer = EmbeddedIssuer.create(key, jwks, short)
    life = read_life(issuer.issue("bot", (), None, 60, INSTANT))
    assert life.expires - life.issued == 60_000_000
    with pytest.raises(ValueError, match="1m"):
        issuer.issue("bot", (), None, 61, INSTANT)
