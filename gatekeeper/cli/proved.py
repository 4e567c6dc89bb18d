"""Whether what is shown is what was signed: each entry is proved to be in the tree of the log's newest checkpoint.

That is less than `journal verify`, and costs a few reads: it says nothing of entries that are not shown.
"""

from collections.abc import Iterable
from typing import TYPE_CHECKING, Final

import click
import msgspec

from gatekeeper.cli.visible import visible

if TYPE_CHECKING:
    from pathlib import Path

    from gatekeeper.journal import Entry, Reader

NAMED: Final = 5
"""Entries that are named where they are not proved."""


class Proof(msgspec.Struct, frozen=True, kw_only=True):
    """The checkpoint that all entries were `proved` to be in, or which were not; `problem`: why it proves nothing."""

    size: int
    root: str
    key: str
    proved: bool
    not_proved: tuple[int, ...]
    problem: str | None = None


def prove(reader: "Reader", folder: "Path", entries: "Iterable[Entry]") -> Proof:
    """Prove entries under the folder's own key: RFC 9162 §2.1.3, from the tiles."""
    from gatekeeper.journal.files import JournalFiles
    from gatekeeper.journal.note import VerificationKey, read_checkpoint
    from gatekeeper.journal.proofs import prove_inclusion, root_of_inclusion

    log, shown = reader.log, list(entries)
    try:
        key = VerificationKey.parse(JournalFiles(folder).vkey.read_text())
        checkpoint = read_checkpoint(log.note, key)
    except (OSError, ValueError) as error:
        seqs = tuple(entry.seq for entry in shown)
        return Proof(size=log.size, root="", key="", proved=False, not_proved=seqs, problem=visible(str(error)))

    def proved(entry: "Entry") -> bool:
        try:
            path = prove_inclusion(entry.seq, checkpoint.size, log.subtree)
            return root_of_inclusion(entry.seq, checkpoint.size, entry.leaf_hash, path) == checkpoint.root
        except ValueError:
            return False

    missing = tuple(entry.seq for entry in shown if not proved(entry))
    return Proof(
        size=checkpoint.size, root=checkpoint.root.hex(), key=key.text(), proved=not missing, not_proved=missing
    )


def proof_line(proof: Proof) -> str:
    """Say what was verified, and how to have all of it verified."""
    if proof.proved:
        return (
            f"proved by the checkpoint over {proof.size}, under the folder's own key; `journal verify` checks the rest"
        )
    bad = click.style("NOT PROVED", fg="red", bold=True)
    if proof.problem is not None:
        return f"{bad}: {proof.problem}; `gatekeeper journal verify` says more"
    more = f" and {len(proof.not_proved) - NAMED} more" if len(proof.not_proved) > NAMED else ""
    named = ", ".join(map(str, proof.not_proved[:NAMED]))
    return f"{bad}: {named}{more} not in the checkpoint over {proof.size}; `gatekeeper journal verify` says more"
