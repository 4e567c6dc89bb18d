"""Groups whose commands are loaded when they are used: a command line starts as fast as its smallest part."""

import importlib
from collections.abc import Mapping
from typing import Any, override

import click

type Places = Mapping[str, tuple[str, str, str]]
"""Name: module below `gatekeeper.cli`, attribute, and the line that `--help` shows without importing it."""


class LazyGroup(click.Group):
    """A group of the commands in `places`, in their order."""

    def __init__(self, *args: Any, places: Places, **more: Any) -> None:
        super().__init__(*args, **more)
        self._places = places

    @override
    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(self._places)

    @override
    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        place = self._places.get(cmd_name)
        if place is None:
            return None
        module, attribute, _ = place
        command: click.Command = getattr(importlib.import_module(f"gatekeeper.cli.{module}"), attribute)
        return command

    @override
    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl([(name, text) for name, (_, _, text) in self._places.items()])
