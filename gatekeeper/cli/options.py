"""Options that many commands share, and the configuration that they lead to."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, override

import click

import gatekeeper
from gatekeeper.cli.problem import Problem

if TYPE_CHECKING:
    from gatekeeper.config import Config

FILE_NAME: Final = "config.toml"
FILE_VARIABLE: Final = "GATEKEEPER_CONFIG"
NO_KEYS: Final = frozenset({FILE_VARIABLE, "GATEKEEPER_SOCKET"})
"""Variables that lead to the gateway; the others that begin so are keys of the configuration."""

_FILE: Final = "gatekeeper.config"
_SETTINGS: Final = "gatekeeper.settings"


def config_option[**P, R](command: Callable[P, R]) -> Callable[P, R]:
    """Add `--config`; what stands nearer to the command wins."""
    option = click.option(
        "--config",
        metavar="FILE",
        type=click.Path(path_type=Path),
        expose_value=False,
        callback=_remember_file,
        help=f"The configuration.  [default: {FILE_NAME} here, else in the checkout]",
    )
    return option(command)


def settings_option[**P, R](command: Callable[P, R]) -> Callable[P, R]:
    """Add `--config` and `--set`."""
    option = click.option(
        "--set",
        metavar="KEY=VALUE",
        multiple=True,
        expose_value=False,
        callback=_remember_settings,
        help="Override a key, such as proxy.listen=127.0.0.1:9090.",
    )
    return config_option(option(command))


def json_option[**P, R](command: Callable[P, R]) -> Callable[P, R]:
    """Add `--json`."""
    return click.option("--json", "as_json", is_flag=True, help="Print JSON.")(command)


def config_file() -> Path:
    """Give the configuration file: the one that was named, the one here, or the checkout's."""
    named: Path | str | None = click.get_current_context().meta.get(_FILE) or os.environ.get(FILE_VARIABLE)
    if named:
        return Path(named)
    here = Path(FILE_NAME)
    if here.exists():
        return here
    checkout = Path(gatekeeper.__file__).parents[1]
    if (checkout / "pyproject.toml").exists() and (checkout / FILE_NAME).exists():
        return checkout / FILE_NAME
    msg = f"{here.absolute()}: there is no such file, nor one in a checkout; name yours with --config FILE"
    raise Problem(msg)


def load_settings() -> "Config":
    """Load the configuration that the options lead to; raises ConfigError."""
    from gatekeeper.config import load_config

    keys = {name: value for name, value in os.environ.items() if name not in NO_KEYS}
    return load_config(config_file(), click.get_current_context().meta.get(_SETTINGS, ()), keys)


class Duration(click.ParamType[float]):
    """A duration such as `10s`, `9m` or `1h`, in seconds."""

    name = "duration"

    @override
    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        from gatekeeper.config import Seconds

        try:
            return Seconds.parse(str(value))
        except ValueError as error:
            self.fail(str(error), param, ctx)


class Address(click.ParamType[tuple[str, int]]):
    """A `HOST:PORT`."""

    name = "address"

    @override
    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> tuple[str, int]:
        from gatekeeper.config.check import listen_address

        try:
            return listen_address(str(value))
        except ValueError as error:
            self.fail(str(error), param, ctx)


class Moment(click.ParamType[int]):
    """A moment such as `2026-11-25`, RFC 3339, or `2h` (ago), in µs since 1970."""

    name = "moment"

    @override
    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        from gatekeeper.cli.times import parse_instant
        from gatekeeper.exchange import now

        try:
            return parse_instant(str(value), now())
        except ValueError as error:
            self.fail(str(error), param, ctx)


def _remember_file(ctx: click.Context, _: click.Parameter, value: Path | None) -> None:
    if value is not None:
        ctx.meta[_FILE] = value


def _remember_settings(ctx: click.Context, _: click.Parameter, value: tuple[str, ...]) -> None:
    ctx.meta[_SETTINGS] = value
