"""The credentials of upstream hosts, and what happens to the keys that containers send themselves."""

import base64
import hmac
import urllib.parse
from collections import deque
from collections.abc import Iterator, Mapping
from typing import Final, Self, override

import msgspec

from gatekeeper.config import ConfigError, CredentialConfig, Foreign, SecretTemplate, VaultConfig
from gatekeeper.credentials.eraser import Eraser
from gatekeeper.credentials.foreign import Key, bare, keys_of, spelling, without_keys, without_parameters
from gatekeeper.credentials.secret import CredentialUnavailable, Secret, Sources
from gatekeeper.credentials.spellings import spellings
from gatekeeper.exchange import Headers, Message, Reason, Scheme, Target

REMEMBERED: Final = 4
"""Secrets of one host that an upstream may still echo after it was given another."""

_OF_AWS: Final = frozenset({"authorization", "x-amz-date", "x-amz-security-token", "x-amz-content-sha256"})


class ForeignCredential(ValueError):
    """The container sent a key of its own where `foreign = "deny"`."""

    reason: Final = Reason.FOREIGN_CREDENTIAL


class ForeignKey(msgspec.Struct, frozen=True):
    """A key that the container sent itself: its place, and a keyed fingerprint that names it without showing it."""

    place: str
    fingerprint: str


class Outgoing(msgspec.Struct, frozen=True):
    """A request as it is about to leave; `path` with its query."""

    method: str
    path: str
    headers: Headers
    body: bytes = b""

    @override
    def __repr__(self) -> str:
        return "Outgoing(‹secret›)"


class _Entry(msgspec.Struct, frozen=True, kw_only=True):
    config: CredentialConfig
    secrets: dict[str, Secret]
    used: deque[str]

    @property
    def bearing(self) -> frozenset[str]:
        """The headers, in one spelling, that are put in here."""
        return _OF_AWS if self.config.aws is not None else frozenset({spelling(self.config.header)})

    @property
    def parameters(self) -> frozenset[str]:
        """The parameter of the query that is put in here."""
        return frozenset({self.config.query.lower()} if self.config.query else ())

    def resolve(self, name: str) -> str:
        """Give one of the entry's secrets, and remember it for as long as it may be echoed."""
        value = self.secrets[name].resolve()
        if value not in self.used:
            self.used.append(value)
        return value


class Vault:
    """The secrets by host."""

    def __init__(self, entries: Mapping[str, _Entry], key: bytes, elsewhere: Foreign = Foreign.ALLOW) -> None:
        self._entries = entries
        self._key = key
        self._elsewhere = elsewhere

    @classmethod
    def load(
        cls,
        credentials: Mapping[str, CredentialConfig],
        environment: Mapping[str, str],
        key: bytes,
        *,
        service: VaultConfig | None = None,
        elsewhere: Foreign = Foreign.ALLOW,
    ) -> Self:
        """Prepare the credentials of all hosts; a secret that is missing is an error at its first use only.

        `key` makes fingerprints; `elsewhere` says what becomes of keys for hosts without a credential here. Raises
        ConfigError that names `credentials.HOST`.
        """
        entries: dict[str, _Entry] = {}
        sources = Sources(environment, service or VaultConfig())
        for host, config in credentials.items():
            name = host.lower().removesuffix(".")
            if name in entries:
                msg = f"credentials.{host}: this host is named twice, in two spellings"
                raise ConfigError(msg)
            secrets: dict[str, Secret] = {}
            for place, template in _templates(config):
                try:
                    secrets[place] = Secret(host, template, sources, config.refresh)
                except ValueError as error:
                    msg = f"credentials.{host}.{place}: {error}"
                    raise ConfigError(msg) from error
            entries[name] = _Entry(config=config, secrets=secrets, used=deque(maxlen=REMEMBERED * 2 * len(secrets)))
        return cls(entries, key, elsewhere)

    def look(self, host: str) -> None:
        """Raise CredentialUnavailable where a secret of `host` is missing that needs no fetching."""
        entry = self._entries.get(host.lower().removesuffix("."))
        for secret in entry.secrets.values() if entry is not None else ():
            if not secret.slow:
                secret.resolve()

    async def prepare(self, target: Target) -> None:
        """Fetch what comes from slow sources, before `apply` asks for it."""
        entry = self._entries.get(target.host)
        if entry is not None:
            for secret in entry.secrets.values():
                await secret.prepare()

    def found(self, target: Target, headers: Headers, path: str) -> tuple[ForeignKey, ...]:
        """Name the keys that the container sent itself."""
        entry = self._entries.get(target.host)
        bearing: frozenset[str] = entry.bearing if entry is not None else frozenset()
        keys: dict[Key, None] = dict.fromkeys(keys_of(headers, path, bearing))
        return tuple(ForeignKey(key.place, self.fingerprint(key.value)) for key in keys)

    def apply(self, target: Target, request: Outgoing) -> Outgoing:
        """Take the container's keys out and put the target's secret in.

        Raises ForeignCredential, or CredentialUnavailable, also rather than send a secret in clear text.
        """
        entry = self._entries.get(target.host)
        foreign = self._elsewhere if entry is None else entry.config.foreign
        if entry is None and foreign is Foreign.ALLOW:
            return request
        keys = self.found(target, request.headers, request.path)
        if keys and foreign is Foreign.DENY:
            msg = f"the call brings a key of its own for {target.host} ({keys[0].place}); take it out"
            raise ForeignCredential(msg)
        if keys and foreign is Foreign.ALLOW:
            return request
        bare_request = msgspec.structs.replace(
            request,
            headers=self.without_credentials(target.host, request.headers),
            path=self.without_credential_parameters(target.host, request.path),
        )
        if entry is None:
            return bare_request
        if target.scheme is not Scheme.HTTPS:
            raise CredentialUnavailable(target.host, "a secret is sent over https only; call the host by https")
        return _put_in(entry, target, bare_request)

    def eraser(self, host: str) -> Eraser | None:
        """Give what takes the secrets of `host` out of its upstream's answers, those it was given so far; or None."""
        entry = self._entries.get(host)
        if entry is None:
            return None
        return Eraser(spellings(form for value in entry.used for form in (value, bare(value))))

    def without_secret(self, host: str, answer: Message) -> Message:
        """Take the secrets of `host` out of its upstream's answer; gives the same message where they aren't there."""
        eraser = self.eraser(host)
        if eraser is None:
            return answer
        scrub = eraser.whole
        headers = tuple((name, scrub(text.encode("latin-1")).decode("latin-1")) for name, text in answer.headers)
        body = scrub(answer.body)
        if headers == answer.headers and body == answer.body:
            return answer
        return msgspec.structs.replace(answer, headers=headers, body=body)

    def without_credentials(self, host: str, headers: Headers) -> Headers:
        """Leave out the fields that carry credentials to `host`, as a digest of the request does."""
        entry = self._entries.get(host)
        bearing: frozenset[str] = frozenset() if entry is None else entry.bearing
        return without_keys(headers, bearing, cookies=entry is not None or self._elsewhere is Foreign.STRIP)

    def without_credential_parameters(self, host: str, path: str) -> str:
        """Leave out the parameters that carry credentials to `host`; those of a host that has none here stay."""
        entry = self._entries.get(host)
        if entry is None and self._elsewhere is not Foreign.STRIP:
            return path
        return without_parameters(path, frozenset() if entry is None else entry.parameters)

    def fingerprint(self, value: str) -> str:
        """Name a key without giving it away: HMAC-SHA-256 hex over it, without its scheme word."""
        return hmac.digest(self._key, bare(value).encode("utf-8", "surrogatepass"), "sha256").hex()


def _templates(config: CredentialConfig) -> Iterator[tuple[str, SecretTemplate]]:
    if config.value is not None:
        yield "value", config.value
    if config.aws is not None:
        yield "aws.access_key", config.aws.access_key
        yield "aws.secret_key", config.aws.secret_key
        if config.aws.session_token is not None:
            yield "aws.session_token", config.aws.session_token


def _put_in(entry: _Entry, target: Target, request: Outgoing) -> Outgoing:
    config = entry.config
    if config.aws is not None:
        from gatekeeper.credentials.sigv4 import AwsKey, sign  # botocore takes a while to load

        token = entry.resolve("aws.session_token") if config.aws.session_token is not None else ""
        key = AwsKey(
            entry.resolve("aws.access_key"),
            entry.resolve("aws.secret_key"),
            token,
            config.aws.region,
            config.aws.service,
        )
        fields = sign(key, target, request.method, request.path, request.headers, request.body)
        return msgspec.structs.replace(request, headers=(*request.headers, *fields))
    value = entry.resolve("value")
    if config.query:
        path, mark, query = request.path.partition("?")
        pair = f"{_quoted(config.query)}={_quoted(value)}"
        return msgspec.structs.replace(request, path=f"{path}?{query}&{pair}" if mark and query else f"{path}?{pair}")
    if config.basic:
        value = "Basic " + base64.b64encode(f"{config.basic}:{value}".encode()).decode()
        if value not in entry.used:
            entry.used.append(value)
    return msgspec.structs.replace(request, headers=(*request.headers, (config.header, value)))


def _quoted(text: str) -> str:
    return urllib.parse.quote(text, safe="")
