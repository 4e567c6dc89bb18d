"""One sampled call or refusal, as files that an auditor opens: its entries with proofs, bodies in clear, decisions."""

from collections.abc import Sequence
from pathlib import Path

import msgspec
from msgspec import UNSET

from gatekeeper.exchange import Seq
from gatekeeper.journal import DecisionData, DenyData, Entry, Reader, ReleaseData
from gatekeeper.journal.entries import GrantData
from gatekeeper.journal.signature import verify_time

type Signers = Sequence[tuple[Seq, str]]
"""From which entry on which text of allowed_signers was in force, in order."""


class ProvedEntry(msgspec.Struct, frozen=True):
    """A leaf's exact text, and its inclusion proof (hex, RFC 6962 §2.1.1) in the tree at the end checkpoint."""

    seq: int
    leaf: str
    proof: tuple[str, ...]


def write_sample(reader: Reader, folder: Path, seqs: Sequence[Seq], end_size: int, signers: Signers) -> None:
    """Write the entries `seqs` of one call, and the decisions that its end names."""
    folder.mkdir(parents=True)
    entries = [reader.entry(seq) for seq in seqs]
    decisions = [reader.entry(seq) for entry in entries for seq in _decided_by(entry)]
    members = sorted({entry.seq: entry for entry in (*entries, *decisions)}.items())
    proved = [_proved(reader, seq, end_size) for seq, _ in members]
    (folder / "entries.json").write_bytes(msgspec.json.format(msgspec.json.encode(proved), indent=1) + b"\n")
    for _, entry in members:
        _write_body(reader, folder, entry)
        if isinstance(entry.data, DecisionData | GrantData):
            _write_statement(folder, entry, entry.data, signers)


def _proved(reader: Reader, seq: Seq, size: int) -> ProvedEntry:
    ((_, leaf),) = reader.log.leaves(seq, seq + 1)
    path = reader.inclusion(seq, size)
    return ProvedEntry(seq, leaf.decode(), tuple(node.hex() for node in path))


def _decided_by(entry: Entry) -> tuple[Seq, ...]:
    match entry.data:
        case ReleaseData(grant=grant) if grant is not UNSET:
            return (grant,)
        case ReleaseData(decisions=decisions) if decisions is not UNSET:
            return decisions
        case DenyData(decisions=decisions):
            return decisions
        case _:
            return ()


def _write_body(reader: Reader, folder: Path, entry: Entry) -> None:
    """Write the masked body in clear, and beside it what kind of text it is; nothing where its key is gone."""
    content = reader.content(entry)
    if content is not None:
        (folder / f"{entry.seq}.body").write_bytes(content.data)
        (folder / f"{entry.seq}.media").write_text(content.media + "\n", encoding="utf-8")


def _write_statement(folder: Path, entry: Entry, data: DecisionData | GrantData, signers: Signers) -> None:
    in_force = next((text for seq, text in reversed(signers) if seq < entry.seq), "")
    place = folder / str(entry.seq)
    place.with_suffix(".statement").write_bytes(data.statement.encode())
    place.with_suffix(".sig").write_text(data.signature, encoding="utf-8")
    place.with_suffix(".signers").write_text(in_force, encoding="utf-8")
    place.with_suffix(".time").write_text(verify_time(entry.time) + "\n", encoding="utf-8")
