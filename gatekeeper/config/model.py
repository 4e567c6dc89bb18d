"""The shape of `config.toml`: every key, its type, its default. What is not here is refused."""

import enum
from pathlib import Path
from typing import Final

import msgspec
from msgspec import UNSET, UnsetType

from gatekeeper.config.values import ByteSize, Seconds, SecretTemplate

JWKS_NAME: Final = "issuer.jwks.json"
"""The embedded issuer's key set, in the data folder."""

KIB: Final = 1 << 10
MIB: Final = 1 << 20


class Action(enum.Enum):
    """What a rule does with a call."""

    ALLOW = "allow"
    DENY = "deny"
    HOLD = "hold"


class OperatorName(enum.Enum):
    """What is done with a finding."""

    REPLACE = "replace"
    REDACT = "redact"
    MASK = "mask"
    HASH = "hash"
    PSEUDONYMIZE = "pseudonymize"
    KEEP = "keep"


class PseudonymScope(enum.Enum):
    """Within what the same value has the same pseudonym."""

    SESSION = "session"
    TENANT = "tenant"


class Uninspected(enum.Enum):
    """Whether what can't be inspected may pass under a rule, both ways."""

    DENY = "deny"
    ALLOW = "allow"


class Foreign(enum.Enum):
    """What happens to a key that the container sends itself, for a host that has a credential here."""

    STRIP = "strip"
    DENY = "deny"
    ALLOW = "allow"


class Section(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A table of the file: frozen, and closed to unknown keys."""


class ClientTls(enum.Enum):
    """Whether clients speak TLS to the proxy port itself, and show a certificate."""

    OFF = "off"
    OPTIONAL = "optional"
    REQUIRED = "required"


class ProxyConfig(Section, frozen=True, kw_only=True):
    """`[proxy]`: the listener and its limits."""

    listen: str = "127.0.0.1:8080"
    workers: int = 1
    body_limit: ByteSize = ByteSize(32 * MIB)
    header_limit: ByteSize = ByteSize(32 * KIB)
    header_timeout: Seconds = Seconds(10)
    idle_timeout: Seconds = Seconds(660)
    max_held: ByteSize = ByteSize(256 * MIB)
    certs: Path = Path("certs")
    upstream_ca: str = ""
    client_certificates: ClientTls = ClientTls.OFF
    client_ca: str = ""


class AdminConfig(Section, frozen=True, kw_only=True):
    """`[admin]`: where the command line talks to the gateway."""

    listen: str = "unix:run/gatekeeper.sock"
    group: str = ""
    token_listen: str = ""
    token_names: tuple[str, ...] = ()


class EgressConfig(Section, frozen=True, kw_only=True):
    """`[egress]`: ports, private networks that may be reached, and how many connections a subject may hold open."""

    ports: tuple[int, ...] = (443,)
    private_networks: tuple[str, ...] = ()
    connections_per_subject: int = 256
    foreign: Foreign = Foreign.ALLOW


class Profile(enum.Enum):
    """What kind of issuer it is, and so what its tokens look like."""

    OIDC = "oidc"
    KUBERNETES = "kubernetes"
    GITHUB = "github"
    SPIFFE = "spiffe"
    ENTRA = "entra"
    GOOGLE = "google"


class ClaimsConfig(Section, frozen=True, kw_only=True):
    """`[identity.claims]`: which claims carry groups and workflow; an empty name: none does."""

    groups: str = "groups"
    workflow: str = "workflow"


class IssuerClaims(Section, frozen=True, kw_only=True):
    """`claims` of one issuer: what differs from `[identity.claims]`, or from its profile."""

    groups: str | UnsetType = UNSET
    workflow: str | UnsetType = UNSET


class ClaimMapping(Section, frozen=True, kw_only=True):
    """`[[identity.issuers.map]]`: what a token with this claim is given. `value` is exact, `glob` has stars."""

    claim: str
    value: str = ""
    glob: str = ""
    groups: tuple[str, ...] = ()
    workflow: str = ""


class IssuerConfig(Section, frozen=True, kw_only=True):
    """`[[identity.issuers]]`: one issuer of tokens, the keys it signs with, and what of its tokens counts."""

    issuer: str
    audience: str = "gatekeeper"
    jwks: str = ""
    algorithms: tuple[str, ...] = ("EdDSA", "ES256", "RS256")
    max_life: Seconds = Seconds(3600)
    profile: Profile = Profile.OIDC
    require: dict[str, tuple[str, ...]] = {}
    claims: IssuerClaims = IssuerClaims()
    map: tuple[ClaimMapping, ...] = ()


EMBEDDED_ISSUER: Final = IssuerConfig(issuer="https://gatekeeper.local", jwks="data/issuer.jwks.json")


class SamlConfig(Section, frozen=True, kw_only=True):
    """`[[identity.saml]]`: an identity provider whose assertions are traded at `/token`; `groups`: an attribute.

    `recipient`: what the provider calls the place where its assertions are shown, which is this gateway's `/token`.
    """

    issuer: str
    certificates: Path
    recipient: str
    audience: str = "gatekeeper"
    groups: str = ""


class ExchangeConfig(Section, frozen=True, kw_only=True):
    """`[[identity.exchange]]`: whose tokens are traded at `/token`, and for which workflows. Empty lists: anybody."""

    workflows: tuple[str, ...]
    issuers: tuple[str, ...] = ()
    subjects: tuple[str, ...] = ()
    groups: tuple[str, ...] = ()
    actors: tuple[str, ...] = ()


CERTIFICATE_ISSUER: Final = "x509://clients"


class IdentityConfig(Section, frozen=True, kw_only=True):
    """`[identity]`: how a caller proves who it is."""

    proxy_realm: str = "gatekeeper"
    header_identity: bool = False
    leeway: Seconds = Seconds(30)
    stale_keys: Seconds = Seconds(86400)
    issuers: tuple[IssuerConfig, ...] = (EMBEDDED_ISSUER,)
    claims: ClaimsConfig = ClaimsConfig()
    certificate_issuer: str = CERTIFICATE_ISSUER
    saml: tuple[SamlConfig, ...] = ()
    exchange: tuple[ExchangeConfig, ...] = ()
    exchange_life: Seconds = Seconds(600)


class RequireConfig(Section, frozen=True, kw_only=True):
    """One member of a rule's `require`: so many of these groups' people must approve."""

    reviewers: tuple[str, ...]
    quorum: int = 1


class OperatorConfig(Section, frozen=True, kw_only=True):
    """An operator with its parameters; `character`, `keep_first` and `keep_last` belong to `mask`."""

    operator: OperatorName
    character: str = "*"
    keep_first: int = 0
    keep_last: int = 0


class OperatorTables(Section, frozen=True, kw_only=True):
    """Operators that go before those of `[masking]`, for a host or for what a rule lets through."""

    request: dict[str, str | OperatorConfig] = {}
    response: dict[str, str | OperatorConfig] = {}


class RuleConfig(Section, frozen=True, kw_only=True):
    """`[[rules]]`: what a rule matches (an empty list matches anything) and what it does."""

    name: str
    action: Action
    hosts: tuple[str, ...] = ()
    methods: tuple[str, ...] = ()
    paths: tuple[str, ...] = ()
    ports: tuple[int, ...] = ()
    websocket: bool = False
    issuers: tuple[str, ...] = ()
    subjects: tuple[str, ...] = ()
    groups: tuple[str, ...] = ()
    workflows: tuple[str, ...] = ()
    findings: tuple[str, ...] = ()
    prompt: tuple[str, ...] = ()
    tools: tuple[str, ...] = ()
    models: tuple[str, ...] = ()
    max_output_tokens: int = 0
    match: str = ""
    uninspected: Uninspected = Uninspected.DENY
    reviewers: tuple[str, ...] = ()
    quorum: int = 1
    require: tuple[RequireConfig, ...] = ()
    wait: Seconds = Seconds(540)
    timeout: Seconds = Seconds(3600)
    masking: OperatorTables = OperatorTables()

    @property
    def requirements(self) -> tuple[RequireConfig, ...]:
        """What must be met for a release, all of it: `require`, or `reviewers` and `quorum` as the one member."""
        return self.require or (RequireConfig(reviewers=self.reviewers, quorum=self.quorum),)


class RequestMasking(Section, frozen=True, kw_only=True):
    """`[masking.request]`: what goes upstream; the journal gets a masked copy in any case."""

    upstream: str | dict[str, str | OperatorConfig] = "keep"


class PseudonymConfig(Section, frozen=True, kw_only=True):
    """`[masking.pseudonyms]`: a tenant is an issuer of tokens; `limit` counts values that are remembered."""

    scope: PseudonymScope = PseudonymScope.SESSION
    limit: int = 100_000


class DetectorConfig(Section, frozen=True, kw_only=True):
    """`[[masking.detectors]]`: a detector of one's own, with examples that it must and must not find."""

    name: str
    pattern: str
    context: tuple[str, ...] = ()
    validator: str = ""
    hits: tuple[str, ...]
    misses: tuple[str, ...] = ()


class AllowConfig(Section, frozen=True, kw_only=True):
    """`[masking.allow]`: what is let be: exact values, domains, fields of JSON by path."""

    values: tuple[str, ...] = ()
    domains: tuple[str, ...] = ()
    fields: tuple[str, ...] = ()


class MaskingConfig(Section, frozen=True, kw_only=True):
    """`[masking]`: operators by detector; in `response`, `default` names the one for the rest."""

    request: RequestMasking = RequestMasking()
    pseudonyms: PseudonymConfig = PseudonymConfig()
    response: dict[str, str | OperatorConfig] = msgspec.field(default_factory=lambda: {"default": "replace"})
    enable: tuple[str, ...] = ()
    disable: tuple[str, ...] = ()
    detectors: tuple[DetectorConfig, ...] = ()
    allow: AllowConfig = AllowConfig()
    hosts: dict[str, OperatorTables] = {}


class AnchorConfig(Section, frozen=True, kw_only=True):
    """`[[journal.anchors]]`: one place that checkpoints are taken to; exactly one of the first five says which.

    `headers` belong to `http`; `roots` to `rfc3161`: the authority's certificates, a PEM file.
    """

    file: str = ""
    syslog: str = ""
    command: tuple[str, ...] = ()
    http: str = ""
    rfc3161: str = ""
    name: str = ""
    headers: dict[str, SecretTemplate] = {}
    roots: str = ""

    @property
    def kind(self) -> str:
        """Which of the five it is; the first where several are given, empty where none is."""
        return next((kind for kind in ANCHOR_KINDS if getattr(self, kind)), "")

    @property
    def label(self) -> str:
        """What it is called in `gatekeeper status`."""
        return self.name or self.kind


ANCHOR_KINDS: Final = ("file", "syslog", "command", "http", "rfc3161")


class JournalConfig(Section, frozen=True, kw_only=True):
    """`[journal]`: the folder, the origin that its checkpoints name, where they go, what is kept and for how long."""

    folder: Path = Path("data/journal")
    origin: str = "gatekeeper.local/journal"
    min_free: ByteSize = ByteSize(256 * MIB)
    retention: Seconds = Seconds(0)
    segment_size: ByteSize = ByteSize(1024 * MIB)
    segment_monthly: bool = True
    anchors: tuple[AnchorConfig, ...] = ()


class ApprovalsConfig(Section, frozen=True, kw_only=True):
    """`[approvals]`: who may decide, and for how long the same call gets the same answer."""

    reviewers: Path = Path("allowed_signers")
    revoked: str = ""
    used_window: Seconds = Seconds(120)
    denied_window: Seconds = Seconds(3600)
    max_grant: Seconds = Seconds(86400)
    break_glass: tuple[str, ...] = ()
    max_pending: int = 1000
    max_per_minute: int = 1000
    groups: dict[str, tuple[str, ...]] = {}
    owners: dict[str, tuple[str, ...]] = {}
    notices: dict[str, tuple[SecretTemplate, ...]] = {}
    outcomes: dict[str, tuple[SecretTemplate, ...]] = {}


class AwsConfig(Section, frozen=True, kw_only=True):
    """`aws` of a credential: the key that requests to the host are signed with (Signature Version 4)."""

    region: str
    service: str
    access_key: SecretTemplate
    secret_key: SecretTemplate
    session_token: SecretTemplate | None = None


class VaultConfig(Section, frozen=True, kw_only=True):
    """`[vault]`: the HTTP service that `${vault:PATH#FIELD}` reads from."""

    address: str = ""
    token: SecretTemplate | None = None
    ca: str = ""


class CredentialConfig(Section, frozen=True, kw_only=True):
    """`[credentials."HOST"]`: the secret that the gateway puts in for one host."""

    header: str = "Authorization"
    query: str = ""
    basic: str = ""
    value: SecretTemplate | None = None
    aws: AwsConfig | None = None
    foreign: Foreign = Foreign.STRIP
    refresh: Seconds = Seconds(300)


class Config(Section, frozen=True, kw_only=True):
    """All that is in force. Paths are absolute once loaded."""

    proxy: ProxyConfig = ProxyConfig()
    admin: AdminConfig = AdminConfig()
    egress: EgressConfig = EgressConfig()
    identity: IdentityConfig = IdentityConfig()
    rules: tuple[RuleConfig, ...] = ()
    masking: MaskingConfig = MaskingConfig()
    journal: JournalConfig = JournalConfig()
    approvals: ApprovalsConfig = ApprovalsConfig()
    credentials: dict[str, CredentialConfig] = {}
    vault: VaultConfig = VaultConfig()

    @property
    def data(self) -> Path:
        """The folder that holds all that the gateway writes: journal, keys, approvals."""
        return self.journal.folder.parent

    @property
    def keys(self) -> Path:
        """The folder of the private keys, apart from the journal so that backups don't take it."""
        return self.data / "keys"

    @property
    def embedded_issuer(self) -> IssuerConfig | None:
        """The issuer whose keys the gateway makes itself: the one whose key set stands in the data folder."""
        own = str(self.data / JWKS_NAME)
        return next((issuer for issuer in self.identity.issuers if issuer.jwks == own), None)

    @property
    def admin_socket(self) -> Path:
        """The Unix socket that the command line talks to."""
        return Path(self.admin.listen.removeprefix("unix:"))
