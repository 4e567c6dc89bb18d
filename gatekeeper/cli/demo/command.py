"""The command: a folder for the demo, kept or not, and an end in order on Ctrl-C and failure."""

import shutil
import signal
import sys
import tempfile
from pathlib import Path
from types import FrameType
from typing import Never

import click


@click.command()
@click.option(
    "--keep",
    metavar="DIR",
    type=click.Path(path_type=Path, file_okay=False),
    help="Keep configuration, data, certificates and the reviewer's key in DIR, a new folder.",
)
def demo(*, keep: Path | None) -> None:
    """Run the whole story in a minute: agent, masking, hold, approval, replay, verify."""
    from gatekeeper.cli.demo.installation import check_folder, check_requirements

    check_requirements()
    if keep is not None:
        check_folder(keep)
        keep.mkdir(mode=0o700, parents=True, exist_ok=True)
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, _leave)
    folder = keep.resolve() if keep else Path(tempfile.mkdtemp(prefix="gatekeeper-demo-"))
    failed = False
    try:
        _tell(folder, kept=keep is not None)
    except click.ClickException:
        failed = True  # its log is what a person needs now
        raise
    finally:
        if keep is None and not failed:
            shutil.rmtree(folder)


def _tell(folder: Path, *, kept: bool) -> None:
    from gatekeeper.cli.demo.processes import Processes, StepFailed
    from gatekeeper.cli.demo.screen import Screen
    from gatekeeper.cli.demo.story import Story

    with Processes(folder) as processes:
        try:
            Story(folder, processes, Screen(), kept=kept).tell()
        except StepFailed as error:
            msg = f"demo: {error}"
            raise click.ClickException(msg) from error


def _leave(number: int, _: FrameType | None) -> Never:
    sys.exit(128 + number)
