"""`gatekeeper journal prove` and `checkpoint`: what somebody can take away and check against a key alone."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from gatekeeper.cli.options import load_settings, settings_option
from gatekeeper.cli.problem import Problem
from gatekeeper.cli.reading import reading

if TYPE_CHECKING:
    from gatekeeper.journal import Reader
    from gatekeeper.journal.note import Checkpoint, VerificationKey


@click.command()
@click.argument("seq", type=click.IntRange(min=0), required=False)
@click.option(
    "--since", metavar="FILE", type=click.Path(path_type=Path), help="Prove that the log extends this checkpoint."
)
@click.option("--out", metavar="FILE", type=click.Path(path_type=Path), help="Write here, not to standard output.")
@settings_option
def prove(seq: int | None, since: Path | None, out: Path | None) -> None:
    """Prove that entry SEQ is in the log (C2SP tlog-proof), or that the log extends an earlier checkpoint.

    `gatekeeper journal verify --proof FILE` checks either, anywhere.
    """
    if (seq is None) == (since is None):
        msg = "give either SEQ or --since FILE"
        raise click.UsageError(msg)
    with reading(load_settings()) as reader:
        text = _consistency(reader, since) if since is not None else _inclusion(reader, seq or 0)
    if out is None:
        click.echo(text, nl=False)
    else:
        out.write_text(text, encoding="utf-8")


def check_proof(path: Path, vkey: "VerificationKey", since: Path | None) -> str:
    """Check a proof and say what it proves; raises ValueError for one that is none."""
    from gatekeeper.journal.note import read_cosigned
    from gatekeeper.journal.proofs import HEADER, check_consistency, included_root, read_consistency, read_inclusion

    text = path.read_text(encoding="utf-8")
    if text.startswith(HEADER):
        proof = read_inclusion(text)
        head = read_cosigned(proof.note, vkey)
        if included_root(proof, head.size) != head.root:
            msg = "the proof does not lead to the root that its checkpoint signs"
            raise ValueError(msg)
        return f"entry {proof.index} is in the log of {head.size} entries:\n{proof.leaf.decode()}"
    consistency = read_consistency(text)
    head = read_cosigned(consistency.note, vkey)
    if since is None:
        msg = "the earlier checkpoint is needed too: --since FILE"
        raise ValueError(msg)
    old = read_cosigned(since.read_text(encoding="utf-8"), vkey)
    if old.size != consistency.old:
        msg = f"it is about a log of {consistency.old} entries, and the earlier checkpoint is over {old.size}"
        raise ValueError(msg)
    if not check_consistency(old.size, old.root, head.size, head.root, consistency.hashes):
        msg = "the proof does not lead from one root to the other: the log was changed, or the proof"
        raise ValueError(msg)
    return f"the log of {head.size} entries begins with the {old.size} of the earlier checkpoint"


def _inclusion(reader: "Reader", seq: int) -> str:
    from gatekeeper.journal.proofs import InclusionProof, prove_inclusion, write_inclusion

    size, note = reader.log.size, reader.log.note
    if seq >= size:
        click.echo(f"the journal has no entry {seq}; it has {size}, from {reader.start} on", err=True)
        sys.exit(1)
    leaf = reader.log.store_of(seq).leaf(seq)
    if leaf is None or reader.start > 0:
        msg = f"entries before {reader.start} were moved away: prove it where all segments are"
        raise Problem(msg)
    return write_inclusion(InclusionProof(seq, leaf, prove_inclusion(seq, size, reader.log.subtree), note))


def _consistency(reader: "Reader", since: Path) -> str:
    from gatekeeper.journal.proofs import ConsistencyProof, prove_consistency, write_consistency

    old = _earlier(reader, since)
    size = reader.log.size
    if old.size > size:
        click.echo(f"{since}: is over {old.size} entries and the log has {size}: entries are gone", err=True)
        sys.exit(1)
    if not old.size or reader.start > 0:
        msg = f"{since}: can't be proved from what is here"
        raise Problem(msg)
    return write_consistency(
        ConsistencyProof(old.size, prove_consistency(old.size, size, reader.log.subtree), reader.log.note)
    )


def _earlier(reader: "Reader", since: Path) -> "Checkpoint":
    from gatekeeper.journal.note import VerificationKey, read_cosigned

    note = since.read_text(encoding="utf-8")
    for store in reader.log.stores:
        try:
            return read_cosigned(note, VerificationKey.parse(store.meta().get("vkey", "")))
        except ValueError:
            continue
    msg = f"{since}: is no checkpoint of this journal"
    raise Problem(msg)
