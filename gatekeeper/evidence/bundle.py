"""Builds an evidence bundle: one pass over the period, then the samples, the page, and the seal.

A folder that is half built has no manifest, so it can't be taken for a bundle.
"""

import shutil
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Final

import msgspec

from gatekeeper import VERSION
from gatekeeper.evidence import verifier
from gatekeeper.evidence.bag import PAYLOAD, seal_bag
from gatekeeper.evidence.controls import assess, load_controls
from gatekeeper.evidence.cut import Cut, find_cut
from gatekeeper.evidence.exceptions import Exceptions, Kind, Owners
from gatekeeper.evidence.log_copy import LogCopy
from gatekeeper.evidence.page import page_bytes
from gatekeeper.evidence.report import (
    Reconciled,
    Report,
    Scope,
    control_figures,
    read_measured,
    report_bytes,
    sample_figures,
)
from gatekeeper.evidence.sample_files import Signers, write_sample
from gatekeeper.evidence.samples import Sampler, sample_seed
from gatekeeper.evidence.sheets import Sheets
from gatekeeper.evidence.start_here import START_HERE
from gatekeeper.evidence.survey import Rescan, Survey
from gatekeeper.exchange import Instant, Seq
from gatekeeper.journal import Entry, Reader
from gatekeeper.journal.entries import ConfigData, OpenData
from gatekeeper.journal.note import checkpoint_of
from gatekeeper.journal.timestamps import FOLDER as TIMESTAMPS
from gatekeeper.masking import Masker
from gatekeeper.masking.catalogue import catalogue_digest
from gatekeeper.replay.calls import Call, calls
from gatekeeper.replay.export import har_pieces
from gatekeeper.replay.export.values import iso_time
from gatekeeper.replay.flows import write_flows

REPORTED_EVERY: Final = 500
"""Entries between two words on progress."""

type Progress = Callable[[int, int], None]
"""(entries done, entries in all)"""


class Order(msgspec.Struct, frozen=True, kw_only=True):
    """What is asked for: `start` <= time < `stop`, and how it is sampled."""

    start: Instant
    stop: Instant
    organisation: str = ""
    sample_size: int = 25
    nonce: str = ""
    outside: tuple[tuple[str, str, int], ...] = ()
    """(source, what, count): counts from elsewhere; `what` is a host, `host:port`, or `all`."""


class Sources(msgspec.Struct, frozen=True):
    """Where it comes from.

    `anchors` is anchors.log's text; `vkey` that of the key that signed the start, from outside or the folder's;
    `bundle_vkey` of the key that will sign the bundle, where there is one; `timestamps` are checkpoints', by name.
    """

    reader: Reader
    masker: Masker
    vkey: str
    bundle_vkey: str
    key_from_outside: bool
    anchors: bytes
    owners: Owners
    timestamps: Mapping[str, bytes]


def build_bundle(order: Order, sources: Sources, out: Path, progress: Progress) -> str:
    """Build a bundle in `out`, which must not be there yet; gives the SHA-256 hex of its tag manifest.

    Raises FileExistsError, and LookupError where the period has nothing in it or no checkpoint after it.
    """
    cut = find_cut(sources.reader, order.start, order.stop)
    out.mkdir(parents=True)
    data = out / PAYLOAD
    for name in ("journal", "samples", "replay", "policy", "keys", "verify"):
        (data / name).mkdir(parents=True)
    report = _survey(order, sources, cut, data, progress)
    (data / "report.json").write_bytes(report_bytes(report))
    (data / "report.html").write_bytes(page_bytes(report))
    _write_keys(sources, cut, data)
    shutil.copyfile(verifier.__file__, data / "verify" / "verify.py")
    (out / "START-HERE.txt").write_text(START_HERE, encoding="utf-8")
    return seal_bag(out, _info(report))


def _survey(order: Order, sources: Sources, cut: Cut, data: Path, progress: Progress) -> Report:
    reader = sources.reader
    start_root = reader.frontier(cut.start_size).root()
    end_root = checkpoint_of(cut.end_note).root
    sampler = Sampler(sample_seed(order.nonce, end_root), order.sample_size)
    with Sheets(data / "csv") as sheets:
        exceptions = Exceptions(sheets, sources.owners)
        rescan = Rescan(reader, sources.masker, exceptions, order.stop)
        survey = Survey(sheets, exceptions, sampler, order.stop, rescan)
        with LogCopy(data / "journal" / "log.db", reader) as copy:
            copy.copy_peaks(cut.start_size)
            entries = copy.entries(cut.start_size, cut.end_size)
            survey.take_all(_told(_of_period(entries, order.start), cut, progress))
        surveyed = survey.finish()
        reconciled = _reconcile(order, surveyed.traffic.by_host, sheets, exceptions)
        chosen = sampler.chosen()
        before = reader.log.newest_of(("open", "config"), cut.first)
        signers = [*([(before.seq, _signers_of(before))] if before is not None else []), *survey.changes.signers]
        for stratum, seqs in chosen.items():
            for seq in seqs:
                folder = data / "samples" / stratum.value / f"{seq:012}"
                write_sample(reader, folder, survey.traffic.members[seq], cut.end_size, signers)
        _write_replay(
            reader, [survey.traffic.members[seq] for seqs in chosen.values() for seq in seqs], data / "replay"
        )
        _write_policies(reader, [before, *survey.changes.config_entries.values()], data / "policy")
        _write_signers(signers, data / "keys")
        assessed = assess(load_controls(), surveyed.present(), exceptions.counts)
        return Report(
            scope=Scope(
                organisation=order.organisation,
                origin=checkpoint_of(cut.end_note).origin,
                start=iso_time(order.start),
                end=iso_time(order.stop),
                start_us=order.start,
                end_us=order.stop,
                first=cut.first,
                last=cut.last,
                start_size=cut.start_size,
                start_root=start_root.hex(),
                end_size=cut.end_size,
                end_root=end_root.hex(),
                key_from_outside=sources.key_from_outside,
                nonce=order.nonce,
                seed=sampler.seed,
                rule_set=catalogue_digest(),
            ),
            surveyed=surveyed,
            samples=sample_figures(sampler.counts, chosen),
            reconciliation=reconciled,
            measured=read_measured(),
            controls=control_figures(assessed),
            exceptions=dict(sorted(exceptions.counts.items())),
        )


def _of_period(entries: Iterable[Entry], start: Instant) -> Iterator[Entry]:
    """Leave out what is copied only because the checkpoint before the period is older than it."""
    return (entry for entry in entries if entry.time >= start)


def _told(entries: Iterable[Entry], cut: Cut, progress: Progress) -> Iterator[Entry]:
    in_all = cut.end_size - cut.start_size
    for entry in entries:
        yield entry
        done = entry.seq + 1 - cut.start_size
        if done % REPORTED_EVERY == 0 or done == in_all:
            progress(done, in_all)


def _reconcile(order: Order, by_host: dict[str, int], sheets: Sheets, exceptions: Exceptions) -> tuple[Reconciled, ...]:
    told: list[Reconciled] = []
    for source, what, outside in order.outside:
        recorded = sum(count for host, count in by_host.items() if what in {"all", host, host.rpartition(":")[0]})
        told.append(Reconciled(source, what, outside, recorded))
        sheets.write("reconciliation", (source, what, str(outside), str(recorded), str(recorded - outside)))
        if recorded != outside:
            text = f"{source} counts {outside} for {what}, the log {recorded}"
            exceptions.add(Kind.RECONCILIATION, None, text)
    return tuple(told)


def _write_replay(reader: Reader, members: list[list[Seq]], folder: Path) -> None:
    """Write the sampled calls in the forms that other tools open."""

    def sampled() -> Iterator[Call]:
        for seqs in sorted(members):
            yield from calls(reader, (reader.entry(seq) for seq in seqs))

    with (folder / "samples.har").open("w", encoding="utf-8") as file:
        file.writelines(har_pieces(sampled(), VERSION))
    with (folder / "samples.mitm").open("wb") as flows:
        write_flows(sampled(), flows)


def _write_policies(reader: Reader, entries: Iterable[Entry | None], folder: Path) -> None:
    for entry in entries:
        if entry is not None and isinstance(entry.data, OpenData | ConfigData):
            content = reader.content(entry)
            if content is not None:
                (folder / f"{entry.data.config}.toml").write_bytes(content.data)


def _write_signers(signers: Signers, folder: Path) -> None:
    written: dict[str, None] = {}
    for seq, text in signers:
        if text not in written:
            written[text] = None
            (folder / f"allowed_signers-from-{seq}").write_text(text, encoding="utf-8")


def _signers_of(entry: Entry) -> str:
    return entry.data.signers if isinstance(entry.data, OpenData | ConfigData) else ""


def _write_keys(sources: Sources, cut: Cut, data: Path) -> None:
    (data / "keys" / "journal.vkey").write_text(sources.vkey.strip() + "\n", encoding="utf-8")
    if sources.bundle_vkey:
        (data / "keys" / "bundle.vkey").write_text(sources.bundle_vkey + "\n", encoding="utf-8")
    if cut.start_note is not None:
        (data / "journal" / "start.note").write_text(cut.start_note, encoding="utf-8")
    (data / "journal" / "end.note").write_text(cut.end_note, encoding="utf-8")
    (data / "journal" / "anchors.log").write_bytes(sources.anchors)
    for name, stamped in sorted(sources.timestamps.items()):
        (data / "journal" / TIMESTAMPS).mkdir(exist_ok=True)
        (data / "journal" / TIMESTAMPS / name).write_bytes(stamped)
    proof = sources.reader.consistency(cut.start_size, cut.end_size) if cut.start_size else ()
    lines = "".join(f"{node.hex()}\n" for node in proof)
    (data / "journal" / "consistency.txt").write_text(lines, encoding="ascii")


def _info(report: Report) -> dict[str, str]:
    scope = report.scope
    return {
        "Source-Organization": scope.organisation or "not named",
        "External-Description": f"Evidence of {scope.origin}, {scope.start} to {scope.end}",
        "External-Identifier": f"{scope.origin}@{scope.end_size}",
        "Bag-Software-Agent": f"Gatekeeper {VERSION}",
    }
