"""Reads the configuration: file, then `GATEKEEPER_*` variables, then `--set`; errors carry the key's path."""

import re
import tomllib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import msgspec

from gatekeeper.config.check import check
from gatekeeper.config.model import Config
from gatekeeper.config.values import ByteSize, Seconds, SecretTemplate

ENVIRONMENT_PREFIX: Final = "GATEKEEPER_"
NOT_SETTINGS: Final = frozenset({"GATEKEEPER_CONFIG", "GATEKEEPER_SOCKET"})
"""Variables that say where configuration and admin socket are."""

# Keys of the design that this version does not act on: refused, so that nobody believes them in force.
_LATER: Final = frozenset({"budget"})
_MSGSPEC_PATH: Final = re.compile(r" - at `(?:key in )?\$\.?(?P<path>[^`]*)`$")
_UNKNOWN: Final = re.compile(r"Object contains unknown field `(?P<key>[^`]*)`")
_MISSING: Final = re.compile(r"Object missing required field `(?P<key>[^`]*)`")

type Tree = dict[str, Any]  # TOML as tomllib gives it: parsed into `Config` before it leaves this module


class ConfigError(ValueError):
    """The configuration can't be used. The text is one line: where, what, and what to do."""


def load_config(path: Path, settings: Sequence[str], environment: Mapping[str, str]) -> Config:
    """Read the configuration file at `path`.

    `settings` are `key.path=value` with a TOML value (bare words count as strings); `environment`
    gives `GATEKEEPER_SECTION__KEY` variables. Settings win over variables, variables over the file.
    Raises ConfigError, whose text names the file or the key.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        msg = f"{path}: can't be read: {_cause(error)}"
        raise ConfigError(msg) from error
    return parse_config(text, path, settings, environment)


def parse_config(
    text: str, path: Path, settings: Sequence[str] = (), environment: Mapping[str, str] | None = None
) -> Config:
    """Parse the text of a configuration file that stands, or would stand, at `path`; raises ConfigError."""
    try:
        tree = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        msg = f"{path}: not TOML: {error}"
        raise ConfigError(msg) from error
    for name, value in sorted((environment or {}).items()):
        if name.startswith(ENVIRONMENT_PREFIX) and name not in NOT_SETTINGS:
            _set(tree, name.removeprefix(ENVIRONMENT_PREFIX).lower().split("__"), value, name)
    for setting in settings:
        key, equals, value = setting.partition("=")
        if not equals:
            msg = f"--set {setting}: expected key=value, such as proxy.listen=127.0.0.1:9090"
            raise ConfigError(msg)
        _set(tree, key.strip().split("."), value, f"--set {key}")
    return check(_resolve(_convert(tree, path), path.resolve().parent), path, ConfigError)


def hide_secrets(config: Config) -> Tree:
    """Give the configuration in force as plain values, with every secret hidden."""
    plain: Tree = msgspec.to_builtins(config, enc_hook=_shown, str_keys=True)
    return _without_none(plain)


def _without_none(tree: Tree) -> Tree:
    """Leave out what is not set: TOML has no word for it."""
    return {
        key: _without_none(value) if isinstance(value, dict) else value
        for key, value in tree.items()
        if value is not None
    }


def _shown(value: object) -> str:
    match value:
        case SecretTemplate():
            return value.shown()
        case _:
            return str(value)


def _convert(tree: Tree, path: Path) -> Config:
    try:
        return msgspec.convert(tree, Config, dec_hook=_custom, strict=True)
    except msgspec.ValidationError as error:
        msg = f"{path}: {_explain(str(error))}"
        raise ConfigError(msg) from error


def _custom(kind: type, value: object) -> object:
    if not isinstance(value, str):
        if kind is ByteSize and isinstance(value, int) and not isinstance(value, bool):
            return ByteSize(value)
        msg = f"Expected `str`, got `{type(value).__name__}`"
        raise TypeError(msg)
    if kind is ByteSize:
        return ByteSize.parse(value)
    if kind is Seconds:
        return Seconds.parse(value)
    if kind is SecretTemplate:
        return SecretTemplate(value)
    if kind is Path:
        return Path(value)
    msg = f"no reader for {kind}"
    raise NotImplementedError(msg)


def _explain(problem: str) -> str:
    """Turn msgspec's sentence into `path: what`."""
    found = _MSGSPEC_PATH.search(problem)
    place = found["path"] if found else ""
    what = problem[: found.start()] if found else problem
    prefix = f"{place}." if place else ""
    if named := _UNKNOWN.search(what):
        known = "not acted on by this version; take it out" if named["key"] in _LATER else "unknown key"
        return f"{prefix}{named['key']}: {known}"
    if named := _MISSING.search(what):
        return f"{prefix}{named['key']}: is required"
    what = what.replace("`", "")
    return f"{place}: {what[0].lower()}{what[1:]}" if place else what


def _set(tree: Tree, keys: list[str], value: str, source: str) -> None:
    *path, last = keys
    table = tree
    for key in path:
        inner = table.setdefault(key, {})
        if not isinstance(inner, dict):
            msg = f"{source}: {key} is not a table"
            raise ConfigError(msg)
        table = inner
    try:
        table[last] = tomllib.loads(f"value = {value}")["value"]
    except tomllib.TOMLDecodeError:
        table[last] = value


def _resolve(config: Config, folder: Path) -> Config:
    """Make every path absolute, relative to the folder of the configuration file."""
    replace = msgspec.structs.replace
    listen = config.admin.listen
    if listen.startswith("unix:"):
        listen = f"unix:{folder / listen.removeprefix('unix:')}"
    return replace(
        config,
        proxy=replace(
            config.proxy,
            certs=folder / config.proxy.certs,
            upstream_ca=_below(folder, config.proxy.upstream_ca),
            client_ca=_below(folder, config.proxy.client_ca),
        ),
        admin=replace(config.admin, listen=listen),
        identity=replace(
            config.identity,
            saml=tuple(replace(one, certificates=folder / one.certificates) for one in config.identity.saml),
            issuers=tuple(replace(issuer, jwks=_below(folder, issuer.jwks)) for issuer in config.identity.issuers),
        ),
        journal=replace(
            config.journal,
            folder=folder / config.journal.folder,
            anchors=tuple(
                replace(anchor, file=_below(folder, anchor.file), roots=_below(folder, anchor.roots))
                for anchor in config.journal.anchors
            ),
        ),
        approvals=replace(
            config.approvals,
            reviewers=folder / config.approvals.reviewers,
            revoked=_below(folder, config.approvals.revoked),
        ),
    )


def _below(folder: Path, place: str) -> str:
    return place if not place or "://" in place else str(folder / place)


def _cause(error: OSError | UnicodeDecodeError) -> str:
    return (error.strerror or str(error)) if isinstance(error, OSError) else "not UTF-8"
