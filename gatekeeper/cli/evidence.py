"""`gatekeeper evidence`: a period as a bundle that an auditor takes away, and its check."""

import asyncio
import contextlib
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Final

import click

from gatekeeper.cli.options import Moment, load_settings, settings_option
from gatekeeper.cli.problem import Problem
from gatekeeper.cli.read_entry import record_read
from gatekeeper.cli.reading import reading

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    from gatekeeper.config import Config
    from gatekeeper.evidence import Sources
    from gatekeeper.evidence.bundle import Progress
    from gatekeeper.journal import Reader

SAMPLE: Final = 25
"""Calls of each stratum: none wrong in so many still allows 11.3 % at 95 %."""


@click.group()
def evidence() -> None:
    """Build and verify evidence bundles."""


@evidence.command()
@click.option("--from", "start", type=Moment(), required=True, metavar="TIME", help="The period's begin.")
@click.option("--to", "stop", type=Moment(), required=True, metavar="TIME", help="Its end, not included.")
@click.option(
    "--out", type=click.Path(path_type=Path), required=True, metavar="DIR", help="A folder that is not there yet."
)
@click.option(
    "--sample", type=click.IntRange(0, 10_000), default=SAMPLE, show_default=True, metavar="N", help="Of each stratum."
)
@click.option("--nonce", default="", metavar="TEXT", help="The auditor's own words, which decide what is sampled.")
@click.option("--organisation", default="", metavar="NAME", help="Whose evidence it is.")
@click.option(
    "--reconcile",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="CSV of counts from outside: source,what,count.",
)
@click.option("--vkey", type=click.Path(path_type=Path), metavar="FILE", help="The log's key, from outside.")
@click.option("--sign", type=click.Path(path_type=Path), metavar="KEY", help="Sign it with your SSH key, too.")
@settings_option
def build(  # noqa: PLR0913, PLR0917 - an option each
    start: int, stop: int, out: Path, sample: int, nonce: str, organisation: str, reconcile: Path | None,
    vkey: Path | None, sign: Path | None,
) -> None:  # fmt: skip
    """Build the bundle of a period: report, tables, samples with proofs, the log itself, and a verifier.

    It opens with a browser, a spreadsheet, sqlite3, python3, openssl and ssh-keygen; START-HERE.txt says how.
    """
    from gatekeeper.evidence import Order, build_bundle
    from gatekeeper.evidence.outside import read_outside
    from gatekeeper.exchange import Instant

    if stop <= start:
        msg = "--to: the period ends before it begins"
        raise click.UsageError(msg)
    config = load_settings()
    try:
        order = Order(
            start=Instant(start),
            stop=Instant(stop),
            organisation=organisation,
            sample_size=sample,
            nonce=nonce,
            outside=read_outside(reconcile) if reconcile is not None else (),
        )
        key = _signing_key(config)
        with reading(config) as reader, _progress() as told:
            record_read(config, "evidence build", f"{reader.seq_at(order.start)}..{reader.seq_at(order.stop) - 1}")
            digest = build_bundle(order, _sources(config, reader, vkey, key), out, told)
    except (ValueError, LookupError) as error:
        raise Problem(str(error)) from error
    except FileExistsError as error:
        msg = f"{out}: is there already; name a folder that is not"
        raise Problem(msg) from error
    _sign(out, digest, config, key, sign)
    _stamp(out, config)
    click.echo(f"built {out}: manifest {digest}; begin with {out / 'START-HERE.txt'}")


@evidence.command()
@click.argument("folder", metavar="DIR", type=click.Path(path_type=Path, exists=True, file_okay=False))
@click.option("--vkey", type=click.Path(path_type=Path), metavar="FILE", help="The log's key, from outside.")
def verify(folder: Path, vkey: Path | None) -> None:
    """Check a bundle, with this installation's own copy of the verifier. Exit 1: something does not hold."""
    from gatekeeper.evidence import verifier
    from gatekeeper.evidence.bag import bag_faults

    faults = bag_faults(folder)
    if not faults and vkey is not None:
        inside = (folder / "data" / "keys" / "journal.vkey").read_text(encoding="utf-8").strip()
        if inside != vkey.read_text(encoding="utf-8").strip():
            faults.append("data/keys/journal.vkey: is not the key from outside")
    for fault in faults:
        click.echo(f"{click.style('FAILED', fg='red')}  {fault}")
    if faults:
        click.echo("NOT VERIFIED")
        sys.exit(1)
    # In a process of its own, isolated, as START-HERE.txt has an auditor run it.
    done = subprocess.run([sys.executable, "-I", verifier.__file__, str(folder)], check=False)  # noqa: S603 - our own script
    sys.exit(done.returncode)


def _sources(config: "Config", reader: "Reader", vkey: Path | None, signing: "Ed25519PrivateKey | None") -> "Sources":
    from gatekeeper.evidence import Sources
    from gatekeeper.journal.note import verification_key
    from gatekeeper.journal.timestamps import FOLDER
    from gatekeeper.masking import Masker

    folder = config.journal.folder
    key = (vkey or folder / "journal.vkey").read_text(encoding="utf-8")
    anchors = folder / "anchors.log"
    return Sources(
        reader=reader,
        masker=Masker(config.masking, b"\0" * 32),  # its operators' key plays no part in finding
        vkey=key,
        bundle_vkey=verification_key(config.journal.origin, signing).text() if signing is not None else "",
        key_from_outside=vkey is not None,
        anchors=anchors.read_bytes() if anchors.exists() else b"",
        owners=dict(config.approvals.owners),
        timestamps={path.name: path.read_bytes() for path in (folder / FOLDER).glob("*.tsr")},
    )


def _signing_key(config: "Config") -> "Ed25519PrivateKey | None":
    """Give the log's signing key where this user may read it."""
    from gatekeeper.journal.keys import load_signing_key

    path = config.keys / "journal.key"
    return load_signing_key(path) if os.access(path, os.R_OK) else None


def _sign(out: Path, digest: str, config: "Config", key: "Ed25519PrivateKey | None", person: Path | None) -> None:
    from gatekeeper.cli.signing import from_file
    from gatekeeper.evidence.bag import TAG_MANIFEST
    from gatekeeper.evidence.signing import SSH_NAMESPACE, sign_bundle

    if key is None:
        click.echo("not signed by the log's key, which you may not read; whoever runs the gateway can", err=True)
    else:
        sign_bundle(out, digest, config.journal.origin, key)
    if person is not None:
        manifest = (out / TAG_MANIFEST).read_bytes()
        signature = from_file(person).sign(manifest, SSH_NAMESPACE)
        (out / f"{TAG_MANIFEST}.sig").write_text(signature, encoding="utf-8")


def _stamp(out: Path, config: "Config") -> None:
    """Have the tag manifest stamped by the authority that checkpoints go to, where one is configured."""
    from gatekeeper.evidence.bag import TAG_MANIFEST
    from gatekeeper.journal.anchoring import SinkFailed
    from gatekeeper.journal.timestamps import stamp

    authority = next((anchor for anchor in config.journal.anchors if anchor.rfc3161), None)
    if authority is None:
        return
    try:
        answer = asyncio.run(stamp(authority.rfc3161, (out / TAG_MANIFEST).read_bytes(), Path(authority.roots)))
    except SinkFailed as error:
        click.echo(f"not time-stamped by {authority.label}: {error}", err=True)
        return
    (out / f"{TAG_MANIFEST}.tsr").write_bytes(answer)


@contextlib.contextmanager
def _progress() -> "Iterator[Progress]":
    """Show a bar on a terminal, and nothing where piped."""
    from rich.console import Console
    from rich.progress import Progress as Bars

    console = Console(stderr=True)
    with Bars(console=console, disable=not console.is_terminal, transient=True) as bars:
        task = bars.add_task("reading entries", total=None)
        yield lambda done, in_all: bars.update(task, completed=done, total=in_all)
