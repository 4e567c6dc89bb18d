"""The credentials of upstream hosts, and what happens to the keys that containers send themselves."""

import hashlib
import hmac
import re
from collections.abc import Mapping
from typing import Final, Self, override

import msgspec

from gatekeeper.config import ConfigError, CredentialConfig, Foreign
from gatekeeper.credentials.eraser import Eraser
from gatekeeper.credentials.secret import CredentialUnavailable, Secret
from gatekeeper.exchange import Headers, Message, Reason, Scheme, Target

# Headers that providers take keys from: what a container puts there is replaced for a host that has a credential.
CREDENTIAL_HEADERS: Final = frozenset({"authorization", "x-api-key", "api-key", "x-goog-api-key"})
# What programs are given where a client library insists on some key. No provider ever gave out one of these.
_PLACEHOLDER: Final = re.compile(
    r"(?:sk-|ant-|key-)*(?:none|null|nil|empty|dummy|fake|test|example|placeholder|gatekeeper|unused|not-needed"
    r"|notneeded|no-key|nokey|changeme|redacted|your-api-key|x+|\*+|\.+)?",
    re.IGNORECASE,
)
SHORTEST_SECRET: Final = 8
"""Characters; what is shorter stands in ordinary text too."""

_SCHEME: Final = re.compile(r"(?i)\s*(?:bearer|basic|token|apikey)(?:\s+|$)")


class ForeignCredential(ValueError):
    """The container sent a key of its own where `foreign = "deny"`. `fingerprint` names the key without showing it."""

    reason: Final = Reason.FOREIGN_CREDENTIAL

    def __init__(self, text: str, fingerprint: str) -> None:
        super().__init__(text)
        self.fingerprint = fingerprint


class Applied(msgspec.Struct, frozen=True):
    """Headers to send, and the fingerprint of a key that the container sent itself, if it did."""

    headers: Headers
    foreign: str | None = None

    @override
    def __repr__(self) -> str:
        return f"Applied(‹secret›, foreign={self.foreign!r})"


class _Entry(msgspec.Struct, frozen=True):
    header: str
    secret: Secret
    foreign: Foreign

    @property
    def bearing(self) -> frozenset[str]:
        """The headers, in one spelling, in which a key for this host may stand."""
        return CREDENTIAL_HEADERS | {_spelling(self.header)}


class Vault:
    """The secrets by host."""

    def __init__(self, entries: Mapping[str, _Entry], key: bytes) -> None:
        self._entries = entries
        self._key = key

    @classmethod
    def load(cls, credentials: Mapping[str, CredentialConfig], environment: Mapping[str, str], key: bytes) -> Self:
        """Prepare the credentials of all hosts; a secret that is missing is an error at its first use only.

        `key` makes fingerprints. Raises ConfigError that names `credentials.HOST`.
        """
        entries: dict[str, _Entry] = {}
        for host, config in credentials.items():
            name = host.lower().removesuffix(".")
            if name in entries:
                msg = f"credentials.{host}: this host is named twice, in two spellings"
                raise ConfigError(msg)
            try:
                secret = Secret(host, config.value, environment)
            except ValueError as error:
                msg = f"credentials.{host}.value: {error}"
                raise ConfigError(msg) from error
            entries[name] = _Entry(config.header, secret, config.foreign)
        return cls(entries, key)

    def apply(self, target: Target, headers: Headers) -> Applied:
        """Take the container's keys out and put the target's secret in; a host without one keeps its headers.

        Raises ForeignCredential, or CredentialUnavailable, also rather than send a secret in clear text.
        """
        entry = self._entries.get(target.host)
        if entry is None:
            return Applied(headers)
        foreign = self._foreign(entry, headers)
        if foreign is not None and entry.foreign is Foreign.DENY:
            msg = f"the call brings a key of its own for {target.host}; take it out, the gateway puts the right one in"
            raise ForeignCredential(msg, foreign)
        if foreign is not None and entry.foreign is Foreign.ALLOW:
            return Applied(headers, foreign)
        if target.scheme is not Scheme.HTTPS:
            raise CredentialUnavailable(target.host, "a secret is sent over https only; call the host by https")
        kept = tuple(field for field in headers if _spelling(field[0]) not in entry.bearing)
        return Applied((*kept, (entry.header, entry.secret.resolve())), foreign)

    def without_secret(self, host: str, answer: Message) -> Message:
        """Take the secret of `host` out of what its upstream answers; gives the same message where it isn't there."""
        eraser = self.eraser(host)
        if eraser is None:
            return answer
        erased = eraser.whole
        headers = tuple((name, erased(text.encode("latin-1")).decode("latin-1")) for name, text in answer.headers)
        body = erased(answer.body)
        if headers == answer.headers and body == answer.body:
            return answer
        return msgspec.structs.replace(answer, headers=headers, body=body)

    def eraser(self, host: str) -> Eraser | None:
        """Give what takes the secret of `host` out of a stream; None where it has none."""
        entry = self._entries.get(host)
        if entry is None:
            return None
        value = entry.secret.resolve()
        return Eraser([secret.encode() for secret in (value, _bare(value)) if len(secret) >= SHORTEST_SECRET])

    def without_credentials(self, host: str, headers: Headers) -> Headers:
        """Leave out the fields that carry credentials to `host`, as a digest of the request does."""
        entry = self._entries.get(host)
        bearing = CREDENTIAL_HEADERS if entry is None else entry.bearing
        return tuple(field for field in headers if _spelling(field[0]) not in bearing)

    def fingerprint(self, value: str) -> str:
        """Name a key without giving it away: HMAC-SHA-256 hex over it, without its scheme word."""
        return hmac.new(self._key, _bare(value).encode("utf-8", "surrogatepass"), hashlib.sha256).hexdigest()

    def _foreign(self, entry: _Entry, headers: Headers) -> str | None:
        for name, value in headers:
            if _spelling(name) in entry.bearing and not _PLACEHOLDER.fullmatch(_bare(value)):
                return self.fingerprint(value)
        return None


def _spelling(name: str) -> str:
    """Compare header names as lenient servers do, to which `X_Api_Key` is `x-api-key`."""
    return name.strip().lower().replace("_", "-")


def _bare(value: str) -> str:
    return _SCHEME.sub("", value, count=1).strip()
