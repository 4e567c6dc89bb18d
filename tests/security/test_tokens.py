"""Tokens that must not let anybody in: refused at CONNECT, nothing upstream, on record; and each for one reason.

The second test takes out the one check that a case is about, and the same token opens a tunnel: so no case is
refused for something else that is wrong with it.
"""

import base64
import hashlib
import hmac
import json
import re
import secrets
import socket
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding
from forgery import ABSENT, EC, ED, NOW, RSA, STRANGER, PrivateKey, base64url, forge, jwk, write_jwks
from harness import Authority, RunningGateway, Upstream, gateway_config, run_gateway
from security.conftest import Check, each, taken_out
from token_shapes import ENTRA, GITHUB, GOOGLE, KUBERNETES, SPIFFE, TENANT, Shape, changed, inside

from gatekeeper.exchange import Reason, now
from gatekeeper.identity import Held, Lock, LockKind
from gatekeeper.journal import Reader, RefusedData

ONE, MANY, NARROW = "https://one.example", "https://many.example", "https://narrow.example"

IDENTITY = f"""
[[identity.issuers]]
issuer = "https://gatekeeper.local"
jwks = "data/issuer.jwks.json"
[[identity.issuers]]
issuer = "{ONE}"
jwks = "one.json"
[[identity.issuers]]
issuer = "{MANY}"
jwks = "many.json"
algorithms = ["EdDSA", "ES256", "RS256", "PS256"]
[[identity.issuers]]
issuer = "{NARROW}"
jwks = "many.json"
algorithms = ["EdDSA"]
require = {{ team = ["agents"] }}
[[identity.issuers]]
issuer = "https://kubernetes.default.svc.cluster.local"
jwks = "many.json"
profile = "kubernetes"
[[identity.issuers]]
issuer = "https://token.actions.githubusercontent.com"
jwks = "many.json"
profile = "github"
require = {{ repository_owner_id = ["65"] }}
[[identity.issuers]]
issuer = "spiffe://prod.example"
jwks = "many.json"
profile = "spiffe"
[[identity.issuers]]
issuer = "https://login.microsoftonline.com/{TENANT}/v2.0"
jwks = "many.json"
profile = "entra"
max_life = "90m"
[[identity.issuers]]
issuer = "https://accounts.google.com"
jwks = "many.json"
profile = "google"
require = {{ sub = ["113774264463038321964"] }}
"""


@dataclass
class Door:
    """A gateway, and what every case must find behind it: an upstream that nobody has reached."""

    gateway: RunningGateway
    upstream: Upstream

    def knock(self, token: str, name: str) -> bytes:
        """Ask for a tunnel; gives the head of the answer."""
        value = base64.b64encode(f"{name}:{token}".encode()).decode()
        return self.ask([f"Basic {value}"])

    def ask(self, credentials: list[str]) -> bytes:
        fields = "".join(f"Proxy-Authorization: {value}\r\n" for value in credentials)
        target = f"localhost:{self.upstream.port}"
        with socket.create_connection(("127.0.0.1", self.gateway.port), timeout=20) as connection:
            connection.sendall(f"CONNECT {target} HTTP/1.1\r\nHost: {target}\r\n{fields}\r\n".encode())
            answer = b""
            while b"\r\n\r\n" not in answer and (piece := connection.recv(4096)):
                answer += piece
        return answer

    @property
    def size(self) -> int:
        with Reader(self.gateway.config.journal.folder, None) as reader:
            return reader.size

    def refused(self, start: int) -> list[RefusedData]:
        with Reader(self.gateway.config.journal.folder, None) as reader:
            found = [entry.data for entry in reader.entries(start, reader.size)]
        return [data for data in found if isinstance(data, RefusedData)]


@pytest.fixture(scope="module")
def door(tmp_path_factory: pytest.TempPathFactory, authority: Authority, upstream: Upstream) -> Iterator[Door]:
    folder = tmp_path_factory.mktemp("tokens")
    write_jwks(folder / "one.json", jwk(ED, kid="a"))
    many = [jwk(ED, kid="a"), jwk(EC, kid="ec"), jwk(RSA, kid="rsa"), jwk(RSA, kid="rs-only", alg="RS256")]
    write_jwks(folder / "many.json", *many)
    gateway, stop = run_gateway(gateway_config(folder, authority, upstream, more=IDENTITY))
    yield Door(gateway, upstream)
    stop()


# ── tokens ──


def header(**changes: object) -> dict[str, object]:
    return _with({"alg": "EdDSA", "kid": "a", "typ": "JWT"}, changes)


def claims(**changes: object) -> dict[str, object]:
    valid = {"iss": ONE, "aud": "gatekeeper", "sub": "bot", "jti": secrets.token_hex(8), "iat": at(-10), "exp": at(600)}
    return _with(valid, changes)


def _with(fields: dict[str, object], changes: dict[str, object]) -> dict[str, object]:
    return {name: value for name, value in {**fields, **changes}.items() if value is not ABSENT}


def by(kid: str) -> dict[str, object]:
    return header(alg="ES256", kid=kid)


def at(seconds: int) -> int:
    return int(time.time()) + seconds


def token(head: dict[str, object] | None = None, key: PrivateKey = ED, **changes: object) -> str:
    return forge(header() if head is None else head, claims(**changes), key)


def fresh(shape: Shape, **changes: object) -> str:
    """Sign a recorded shape, moved to the present."""
    head, body = changed(shape, **changes)
    times = {name: body[name] for name in ("iat", "nbf", "exp") if name in body}
    moved = body | {name: at(value - NOW) for name, value in times.items() if isinstance(value, int)}
    return forge(head, {**moved, "nonce": secrets.token_hex(8)}, EC if head["alg"] == "ES256" else RSA)


def text(fields: dict[str, object], old: str, new: str) -> bytes:
    made = json.dumps(fields)
    assert old in made
    return made.replace(old, new, 1).encode()


def resigned(head: object, body: object, signature: bytes) -> str:
    signed = ".".join(base64url(json.dumps(part).encode()) for part in (head, body))
    return f"{signed}.{base64url(signature)}"


def symmetric() -> str:
    """Sign with the public key as the secret (RFC 8725 §2.1)."""
    head, body = header(alg="HS256"), claims()
    signed = ".".join(base64url(json.dumps(part).encode()) for part in (head, body))
    secret = json.dumps(jwk(ED, kid="a")).encode()
    return f"{signed}.{base64url(hmac.new(secret, signed.encode(), hashlib.sha256).digest())}"


def probabilistic() -> str:
    """Sign with RSASSA-PSS by a key that is for PKCS #1 v1.5 only."""
    head = header(alg="PS256", kid="rs-only")
    signed = ".".join(base64url(json.dumps(part).encode()) for part in (head, claims(iss=MANY)))
    salted = padding.PSS(padding.MGF1(hashes.SHA256()), 32)
    return f"{signed}.{base64url(RSA.sign(signed.encode(), salted, hashes.SHA256()))}"


def spliced() -> str:
    """Put the claims of one token under the signature of another."""
    one, two = token().split("."), token(sub="admin").split(".")
    return ".".join((one[0], two[1], one[2]))


def headed() -> str:
    one, two = token().split("."), token(header(typ="at+jwt")).split(".")
    return ".".join((two[0], one[1], one[2]))


def loose_bits() -> str:
    made = token()
    return made[:-1] + chr(ord(made[-1]) + 1) if made[-1] in "AQgw" else loose_bits()


def deep_act(depth: int) -> object:
    act: dict[str, object] = {"sub": "x"}
    for _ in range(depth - 1):
        act = {"sub": "x", "act": act}
    return act


# ── checks, and what stands in their place ──


def nothing(*_: object) -> None:
    return


def first_key(self: Any, _alg: str, _kid: str | None) -> Any:
    return self.keys[0]


def first_issuer(self: Any, _token: object) -> Any:
    return self._issuers[ONE]


def any_time(fields: dict[str, object], name: str) -> int:
    try:
        value = float(str(fields[name]))
    except (KeyError, ValueError):
        value = time.time() + (300 if name == "exp" else 0)
    return int(value * 1_000_000)


def any_text(fields: dict[str, object], name: str, _limit: int = 0) -> str:
    return repr(fields.get(name))


CLAIMS, TOKEN = "gatekeeper.identity.claims", "gatekeeper.identity.token"
SIGNATURE = Check.of("gatekeeper.identity.verifier:check_signature", nothing)
ALGORITHM = Check.of("gatekeeper.identity.verifier:check_algorithm", nothing)
KEY = Check.of("gatekeeper.identity.keys:KeySet.find", first_key)
ISSUER = Check.of("gatekeeper.identity.verifier:Verifier._issuer", first_issuer)
HEADER = Check.of(f"{TOKEN}:check_header", nothing)
HEADER_AND_SIGNATURE = Check.of(f"{TOKEN}:check_header", nothing, *SIGNATURE.gaps)
EVERY_ALGORITHM = Check("every look at alg", (*ALGORITHM.gaps, *KEY.gaps, *SIGNATURE.gaps))
TWICE = Check.of(f"{TOKEN}:_unique", dict)
LENGTH = Check.of(f"{TOKEN}:TOKEN_LIMIT", 1 << 20)
SPELLING = Check.of(f"{TOKEN}:check_spelling", nothing)
ALPHABET = Check.of(f"{TOKEN}:_BASE64URL", re.compile(r".+"), *SPELLING.gaps)
KID = Check.of(f"{TOKEN}:is_text", lambda *_: True, *KEY.gaps)
TYPE = Check.of(f"{CLAIMS}:check_type", nothing)
AUDIENCE = Check.of(f"{CLAIMS}:check_audience", nothing)
TIMES = Check.of(f"{CLAIMS}:check_times", nothing, ("gatekeeper.identity.verifier:check_expiry", nothing))
LONGEST = Check.of(f"{CLAIMS}:check_longest", nothing)
TIME = Check.of(f"{CLAIMS}:_time", any_time)
TEXT = Check.of(f"{CLAIMS}:_text", any_text)
OPTIONAL = Check.of(f"{CLAIMS}:_optional", any_text)
GROUPS = Check.of(f"{CLAIMS}:_groups", lambda *_: ())
WORKFLOW = Check.of(f"{CLAIMS}:_workflow", nothing)
BINDING = Check.of("gatekeeper.identity.verifier:check_binding", nothing)
CONFIRMATION = Check.of(f"{CLAIMS}:_bound", nothing)
ACTORS = Check.of(f"{CLAIMS}:read_actors", lambda *_: ())
MAY_ACT = Check.of(f"{CLAIMS}:_party", nothing)
ORIGIN = Check.of(f"{CLAIMS}:_origin", nothing)
REQUIRED = Check.of(f"{CLAIMS}:check_requirements", nothing)
PROFILE = Check.of(f"{CLAIMS}:check_profile", nothing)
OVERAGE = Check.of(f"{CLAIMS}:check_overage", nothing)
LOCKED = Check.of("gatekeeper.identity.locks:Locks.find", nothing)

BAD, UNKNOWN, EXPIRED = Reason.BAD_TOKEN, Reason.UNKNOWN_ISSUER, Reason.EXPIRED_TOKEN


@dataclass(frozen=True)
class TokenCase:
    """A token, the check that refuses it, and with what."""

    name: str
    check: Check
    make: Callable[[], str]
    reason: Reason = BAD
    status: int = 407
    lock: Lock | None = field(default=None)

    def hold(self, door: Door) -> None:
        start, user = door.size, f"case-{secrets.token_hex(8)}"
        door.upstream.reset()
        answer = door.knock(self.make(), user)
        assert answer.startswith(b"HTTP/1.1 %d " % self.status), answer
        assert (b"Proxy-Authenticate" in answer) is (self.status == 407)
        assert (bytes(door.upstream.received), door.upstream.connections) == (b"", 0)
        (entry,) = door.refused(start)
        assert entry.reason == self.reason.value
        assert entry.target == f"localhost:{door.upstream.port}"
        assert entry.subject == user or str(entry.subject).startswith("bot")


def case(name: str, check: Check, make: Callable[[], str], reason: Reason = BAD) -> TokenCase:
    return TokenCase(name, check, make, reason)


def revoked(name: str, kind: LockKind, value: str, make: Callable[[], str], issuer: str = "") -> TokenCase:
    lock = Lock(kind=kind, value=value, issuer=issuer)
    known = kind in {LockKind.TOKEN, LockKind.KEY}
    return TokenCase(name, LOCKED, make, Reason.REVOKED if known else Reason.LOCKED, 407 if known else 403, lock)


HEADERS: dict[str, object] = {
    "b64": False, "crit": ["exp"], "cty": "JWT", "enc": "A128GCM", "jku": "https://one.example/keys",
    "x5c": ["AA=="], "x5u": "https://one.example/cert", "zip": "DEF",
}  # fmt: skip
AUDIENCES: dict[str, object] = {
    "absent": ABSENT, "another": "api", "null": None, "of no one": [],
    "several, ours among them": ["gatekeeper", "api"],
    "ours twice": ["gatekeeper", "gatekeeper"], "nested": [["gatekeeper"]], "beginning like ours": "gatekeeper2",
    "in other case": "Gatekeeper",
    "with a space that is none": "gatekeeper\u00a0", "an object": {"gatekeeper": 1}, "true": True,
}  # fmt: skip
SUBJECTS: dict[str, object] = {
    "absent": ABSENT, "empty": "", "a number": 7, "null": None, "a list": ["bot"], "long": "x" * 257,
    "with a line end": "a\nb", "with NUL": "a\0", "with a space after it": "admin ",
    "with a turn of direction": "a\u202eb",
    "with a space of no width": "bot\u200b", "with a space that is none": "a\u00a0b",
    "with a byte order mark": "\ufeffbot",
}  # fmt: skip

OTHERS = {"iss": MANY, "ids": [], "keys": []}
NO_UID = inside(KUBERNETES, "kubernetes.io", serviceaccount={"name": "billing-bot"})
ADMIN = "system:serviceaccount:agents:admin"
PROD = "spiffe://prod.example"

CASES = [
    # form
    case("longer than 16 KiB", LENGTH, lambda: token(filling="x" * 13_000)),
    case("left-over bits", SPELLING, loose_bits),
    case("padded", ALPHABET, lambda: token() + "=="),
    case("a key twice in the header", TWICE, lambda: forge(text(header(), "{", '{"alg": "none", '), claims())),
    case("a key twice in the claims", TWICE, lambda: forge(header(), text(claims(), "{", '{"sub": "admin", '))),
    case("a key twice, once escaped", TWICE, lambda: forge(header(), text(claims(), "{", '{"s\\u0075b": "admin", '))),
    case("a key twice in depth", TWICE, lambda: forge(header(), text(claims(), "{", '{"x": {"a": 1, "a": 2}, '))),
    # header
    *(case(f"header {name}", HEADER, lambda name=name: token(header(**{name: HEADERS[name]}))) for name in HEADERS),
    case("a key in the header, which signed", HEADER_AND_SIGNATURE, lambda: token(header(jwk=jwk(STRANGER)), STRANGER)),
    case("typ of another kind", TYPE, lambda: token(header(typ="dpop+jwt"))),
    case("typ of a logout token", TYPE, lambda: token(header(typ="logout+jwt"))),
    case("typ null", TYPE, lambda: token(header(typ=None))),
    case("typ a list", TYPE, lambda: token(header(typ=["JWT"]))),
    case("alg none", EVERY_ALGORITHM, lambda: resigned(header(alg="none"), claims(), b"\0")),
    case("alg nOnE", EVERY_ALGORITHM, lambda: resigned(header(alg="nOnE"), claims(), b"\0")),
    case("alg symmetric, keyed with the public key", EVERY_ALGORITHM, symmetric),
    case("alg that is not the issuer's", ALGORITHM, lambda: token(by("ec"), EC, iss=NARROW, team="agents")),
    case("alg other than its key's own", Check.of("gatekeeper.identity.keys:check_fit", nothing), probabilistic),
    case("kid unknown", KEY, lambda: token(header(kid="b"))),
    case("kid a path", KEY, lambda: token(header(kid="../../dev/null"))),
    case("kid an injection", KEY, lambda: token(header(kid="a' OR '1'='1"))),
    case("kid absent where there are several", KEY, lambda: token(header(kid=ABSENT), iss=MANY)),
    case("kid in letters of full width", KEY, lambda: token(header(kid="\uff41"))),
    case("kid of many letters", KID, lambda: token(header(kid="a" * 9000))),
    case("kid with a space after it", KID, lambda: token(header(kid="a "))),
    case("kid null", KID, lambda: token(header(kid=None))),
    case("kid empty", KID, lambda: token(header(kid=""))),
    case("kid a number", KID, lambda: token(header(kid=7))),
    # signature
    case("a stranger's signature", SIGNATURE, lambda: token(key=STRANGER)),
    case("the claims of another token", SIGNATURE, spliced),
    case("the header of another token", SIGNATURE, headed),
    case("a signature cut short", SIGNATURE, lambda: resigned(header(), claims(), b"x" * 63)),
    case("a signature of zeros", SIGNATURE, lambda: resigned(header(), claims(), bytes(64))),
    case("ECDSA of zeros", SIGNATURE, lambda: resigned(by("ec"), claims(iss=MANY), bytes(64))),
    case("ECDSA with r of nothing", SIGNATURE, lambda: resigned(by("ec"), claims(iss=MANY), bytes(32) + b"\1" * 32)),
    case("ECDSA cut and filled", SIGNATURE, lambda: resigned(by("ec"), claims(iss=MANY), bytes(96))),
    case("ECDSA in DER", SIGNATURE, lambda: resigned(by("ec"), claims(iss=MANY), bytes.fromhex("3006020101020101"))),
    case("another issuer's key", SIGNATURE, lambda: token(header(alg="EdDSA"), STRANGER, iss=MANY)),
    # issuer
    case("iss absent", ISSUER, lambda: token(iss=ABSENT)),
    case("iss a list", ISSUER, lambda: token(iss=[ONE])),
    case("iss unknown", ISSUER, lambda: token(iss="https://evil.example"), UNKNOWN),
    case("iss with a slash more", ISSUER, lambda: token(iss=f"{ONE}/"), UNKNOWN),
    case("iss in other case", ISSUER, lambda: token(iss=ONE.upper()), UNKNOWN),
    case("iss in letters that look alike", ISSUER, lambda: token(iss=ONE.replace("o", "\u043e")), UNKNOWN),
    case("iss in letters of full width", ISSUER, lambda: token(iss=ONE.replace("one", "\uff4f\uff4e\uff45")), UNKNOWN),
    case("iss with its default port", ISSUER, lambda: token(iss=f"{ONE}:443"), UNKNOWN),
    case("iss with a question mark", ISSUER, lambda: token(iss=f"{ONE}?"), UNKNOWN),
    case("iss with a space", ISSUER, lambda: token(iss=f"{ONE} "), UNKNOWN),
    # audience
    *(case(f"aud {name}", AUDIENCE, lambda value=value: token(aud=value)) for name, value in AUDIENCES.items()),  # type: ignore[misc]
    # times
    case("expired", TIMES, lambda: token(iat=at(-700), exp=at(-60)), EXPIRED),
    case("issued in the future", TIMES, lambda: token(iat=at(90))),
    case("not valid yet", TIMES, lambda: token(nbf=at(90))),
    case("expires before it was issued", TIMES, lambda: token(iat=at(20), exp=at(10))),
    case("lives too long", LONGEST, lambda: token(iat=at(-10), exp=at(3650))),
    case("lives for 4,000 digits", LONGEST, lambda: token(exp=10**3999)),
    case("begins in 4,000 digits", TIMES, lambda: token(nbf=10**3999)),
    case("lives for ever", LONGEST, lambda: token(exp=at(10**12))),
    case("issued before all times", LONGEST, lambda: token(iat=-(10**12))),
    case("exp absent", TIME, lambda: token(exp=ABSENT)),
    case("exp a text", TIME, lambda: token(exp=str(at(600)))),
    case("exp a fraction", TIME, lambda: token(exp=at(600) + 0.5)),
    case("exp a whole fraction", TIME, lambda: token(exp=float(at(600)))),
    case("exp true", TIME, lambda: token(exp=True)),
    case("iat absent", TIME, lambda: token(iat=ABSENT)),
    case("iat a text", TIME, lambda: token(iat=str(at(-10)))),
    case("nbf a text", TIME, lambda: token(nbf=str(at(-10)))),
    # subject, and what belongs to it
    *(case(f"sub {name}", TEXT, lambda value=value: token(sub=value)) for name, value in SUBJECTS.items()),  # type: ignore[misc]
    case("jti a number", OPTIONAL, lambda: token(jti=1)),
    case("groups a text", GROUPS, lambda: token(groups="admins")),
    case("groups null", GROUPS, lambda: token(groups=None)),
    case("groups with a number", GROUPS, lambda: token(groups=["a", 1])),
    case("groups over 256", GROUPS, lambda: token(groups=[str(number) for number in range(257)])),
    case("workflow null", WORKFLOW, lambda: token(workflow=None)),
    case("workflow empty", WORKFLOW, lambda: token(workflow="")),
    case("workflow a list", WORKFLOW, lambda: token(workflow=["a"])),
    case("bound to a certificate that nobody showed", BINDING, lambda: token(cnf={"x5t#S256": "A" * 43})),
    case("bound to a key", CONFIRMATION, lambda: token(cnf={"jwk": jwk(ED)})),
    case("bound to a certificate and a key", CONFIRMATION, lambda: token(cnf={"x5t#S256": "A" * 43, "jkt": "A"})),
    case("act no object", ACTORS, lambda: token(act="agent")),
    case("act without sub", ACTORS, lambda: token(act={"iss": ONE})),
    case("act without end", ACTORS, lambda: token(act=deep_act(9))),
    case("may_act no object", MAY_ACT, lambda: token(may_act="agent")),
    case("names another issuer's subject", ORIGIN, lambda: token(gatekeeper_origin=OTHERS), UNKNOWN),
    case("names an origin that is none", ORIGIN, lambda: token(gatekeeper_origin="https://one.example")),
    case("not one of ours", REQUIRED, lambda: token(iss=NARROW, team="strangers")),
    case("one of ours in part", REQUIRED, lambda: token(iss=NARROW, team="agents2")),
    case("saying not whose", REQUIRED, lambda: token(iss=NARROW)),
    # profiles
    case("kubernetes: sub of another account", PROFILE, lambda: fresh(KUBERNETES, sub=ADMIN)),
    case("kubernetes: no uid", PROFILE, lambda: fresh(NO_UID)),
    case("kubernetes: a legacy token", PROFILE, lambda: fresh(KUBERNETES, **{"kubernetes.io": ABSENT})),
    case("kubernetes: for the API server", AUDIENCE, lambda: fresh(KUBERNETES, aud=["https://kubernetes.default.svc"])),
    case("github: a stranger's repository", REQUIRED, lambda: fresh(GITHUB, repository_owner_id="66")),
    case("github: no ids", PROFILE, lambda: fresh(GITHUB, repository_id=ABSENT)),
    case("github: for its owner", AUDIENCE, lambda: fresh(GITHUB, aud="https://github.com/octo-org")),
    case("spiffe: another trust domain", PROFILE, lambda: fresh(SPIFFE, iss=PROD, sub="spiffe://dev.example/a")),
    case("spiffe: dots in the path", PROFILE, lambda: fresh(SPIFFE, iss=PROD, sub=f"{PROD}/a/../b")),
    case("spiffe: for hours, undated", LONGEST, lambda: fresh(SPIFFE, iat=ABSENT, exp=NOW + 7200)),
    case("entra: another tenant", PROFILE, lambda: fresh(ENTRA, tid="72f988bf-86f1-41af-91ab-2d7cd011db47")),
    case("entra: roles left out", OVERAGE, lambda: fresh(ENTRA, _claim_names={"roles": "src1"})),
    case("entra: for the management API", AUDIENCE, lambda: fresh(ENTRA, aud="https://management.azure.com/")),
    case("google: an address that nobody proved", PROFILE, lambda: fresh(GOOGLE, email_verified=False)),
    case("google: another account", REQUIRED, lambda: fresh(GOOGLE, sub="1137742644630383219640")),
    # locked out
    revoked("a revoked token, by jti", LockKind.TOKEN, "bad-jti", lambda: token(jti="bad-jti", n=secrets.token_hex(8))),
    revoked("a revoked key", LockKind.KEY, "ec", lambda: token(by("ec"), EC, sub="bot-1", iss=MANY), MANY),
    revoked("a locked subject", LockKind.SUBJECT, "bot-2", lambda: token(sub="bot-2")),
    revoked("a locked subject of its issuer", LockKind.SUBJECT, "bot-3", lambda: token(sub="bot-3"), ONE),
    revoked("a locked actor", LockKind.SUBJECT, "agent", lambda: token(sub="bot-4", act={"sub": "agent"})),
    revoked("a locked workflow", LockKind.WORKFLOW, "close", lambda: token(sub="bot-5", workflow="close")),
    revoked("everybody locked", LockKind.ALL, "", lambda: token(sub="bot-6")),
]  # fmt: skip


@pytest.fixture
def locked(case: TokenCase, door: Door) -> Iterator[None]:
    locks = door.gateway.parts.locks
    if case.lock is not None:
        locks.set(Held(lock=case.lock, since=now(), by="test", reason=""))
    yield
    if case.lock is not None:
        locks.take_off(case.lock)


@each(CASES)
@pytest.mark.usefixtures("locked")
def test_refused(case: TokenCase, door: Door) -> None:
    case.hold(door)


@each(CASES)
@pytest.mark.usefixtures("locked")
def test_lets_in_without_its_check(case: TokenCase, door: Door) -> None:
    with taken_out(case.check):
        answer = door.knock(case.make(), "someone")
    assert answer.startswith(b"HTTP/1.1 200 "), (case.check.name, answer)


def test_there_are_enough_cases() -> None:
    assert len(CASES) >= 80


GOOD = {
    "one": token, "many": lambda: token(by("ec"), EC, iss=MANY), "narrow": lambda: token(iss=NARROW, team="agents"),
    "kubernetes": lambda: fresh(KUBERNETES), "github": lambda: fresh(GITHUB), "spiffe": lambda: fresh(SPIFFE),
    "entra": lambda: fresh(ENTRA), "google": lambda: fresh(GOOGLE), "acted for": lambda: token(act=deep_act(8)),
}  # fmt: skip


@pytest.mark.parametrize("make", GOOD.values(), ids=GOOD)
def test_a_good_token_is_let_in(door: Door, make: Callable[[], str]) -> None:
    assert door.knock(make(), "someone").startswith(b"HTTP/1.1 200 ")


CREDENTIALS = {
    "none": [],
    "another scheme": [f"Digest {'x' * 20}"],
    "no scheme": ["x" * 20],
    "no value": ["Bearer"],
    "Basic, not base64": ["Basic !!!!"],
    "Basic, not UTF-8": ["Basic /w=="],
    "Basic, no colon": ["Basic " + base64.b64encode(b"workload").decode()],
    "Basic, no password": ["Basic " + base64.b64encode(b"workload:").decode()],
    "Basic, the token as user": ["Basic " + base64.b64encode(f"{token()}:".encode()).decode()],
    "Bearer, two values": [f"Bearer {token()}, {token()}"],
    "Bearer, with quotes": [f'Bearer "{token()}"'],
    "two that differ": [f"Bearer {token()}", f"Bearer {token(sub='admin')}"],
    "a good one and a broken one": [f"Bearer {token()}", "Bearer x"],
    "very long": ["Bearer " + "x" * 31_000],
}


@pytest.mark.parametrize("credentials", CREDENTIALS.values(), ids=CREDENTIALS)
def test_credentials_that_can_not_be_read_let_nobody_in(door: Door, credentials: list[str]) -> None:
    door.upstream.reset()
    assert door.ask(credentials).startswith(b"HTTP/1.1 407 ")
    assert (bytes(door.upstream.received), door.upstream.connections) == (b"", 0)
