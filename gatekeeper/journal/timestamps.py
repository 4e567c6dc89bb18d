"""Time-stamps of checkpoints by an authority that others trust (RFC 3161): made, kept beside the anchors, verified."""

import re
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Final

import msgspec
from cryptography import x509
from rfc3161_client import (
    HashAlgorithm,
    TimeStampRequest,
    TimestampRequestBuilder,
    TimeStampResponse,
    VerificationError,
    VerifierBuilder,
    decode_timestamp_response,
)

from gatekeeper.exchange import Instant
from gatekeeper.journal.anchoring import SinkFailed
from gatekeeper.journal.files import PRIVATE_FOLDER, replace_file, sync_folder
from gatekeeper.journal.sinks import post

FOLDER: Final = "timestamps"
_NAME: Final = re.compile(r"(?P<size>[0-9]{12})-(?P<name>[A-Za-z0-9_.-]+)\.tsr")

MICROSECONDS: Final = 1_000_000


class Stamp(msgspec.Struct, frozen=True, kw_only=True):
    """A kept time-stamp: the checkpoint's size, who stamped it, when it says, and what is wrong with it."""

    size: int
    name: str
    time: Instant | None
    problem: str | None


class TimestampSink:
    """Has notes stamped, and keeps the answers in `timestamps/`, as `openssl ts -verify -in` reads them."""

    def __init__(self, name: str, url: str, roots: Path, folder: Path) -> None:
        self._name = name
        self._url = url
        self._roots = roots
        self._folder = folder / FOLDER

    async def send(self, note: str) -> None:
        """Have one note stamped; a stamp that does not verify is none."""
        raw = await stamp(self._url, note.encode(), self._roots)
        try:
            self._folder.mkdir(mode=PRIVATE_FOLDER, exist_ok=True)
            replace_file(self._folder / f"{int(note.split(chr(10), 2)[1]):012d}-{self._name}.tsr", raw)
            sync_folder(self._folder)
        except OSError as error:
            msg = f"the time-stamp can't be kept: {error.strerror}"
            raise SinkFailed(msg) from error


async def stamp(url: str, content: bytes, roots: Path) -> bytes:
    """Have an authority stamp something, and give its answer, verified; raises SinkFailed."""
    request = TimestampRequestBuilder().data(content).hash_algorithm(HashAlgorithm.SHA512).build()
    sent = {"Content-Type": "application/timestamp-query", "Accept": "application/timestamp-reply"}
    raw = await post(url, request.as_bytes(), sent)
    try:
        check_stamp(raw, content, read_roots(roots), request)
    except ValueError as error:
        raise SinkFailed(str(error)) from error
    return raw


def check_stamp(
    raw: bytes, content: bytes, roots: Iterable[x509.Certificate], request: TimeStampRequest | None = None
) -> Instant:
    """Verify a time-stamp over a note or another content under an authority's roots, and give its time; ValueError."""
    try:
        response = decode_timestamp_response(raw)
    except ValueError as error:
        msg = "the answer is no time-stamp (RFC 3161)"
        raise ValueError(msg) from error
    if response.status not in (0, 1):  # granted, granted with modifications (RFC 3161 §2.4.2)
        msg = "the authority refused to stamp"
        raise ValueError(msg)
    builder = VerifierBuilder() if request is None else VerifierBuilder.from_request(request)
    for root in roots:
        builder = builder.add_root_certificate(root)
    try:
        builder.build().verify_message(response, content)
    except (VerificationError, ValueError) as error:
        msg = "the time-stamp is not over this content, or not by the authority whose roots are given"
        raise ValueError(msg) from error
    return _time(response)


def read_roots(path: Path) -> list[x509.Certificate]:
    """Read an authority's root certificates; raises ValueError."""
    try:
        return x509.load_pem_x509_certificates(path.read_bytes())
    except (OSError, ValueError) as error:
        msg = f"{path}: is no file of PEM certificates"
        raise ValueError(msg) from error


def check_stamps(folder: Path, notes: Mapping[int, str], roots: Mapping[str, Path] | Path) -> Iterator[Stamp]:
    """Verify all time-stamps that a journal's folder keeps. `notes`: by size; `roots`: of each authority, or of all."""
    for path in sorted((folder / FOLDER).glob("*.tsr")):
        named = _NAME.fullmatch(path.name)
        if named is None:
            continue
        size, name = int(named["size"]), named["name"]
        time, problem = None, None
        try:
            note, root = notes.get(size), roots if isinstance(roots, Path) else roots.get(name)
            if note is None:
                problem = "no anchor of that size is in anchors.log"
            elif root is None:
                problem = "no roots are configured for this authority; --roots FILE names some"
            else:
                time = check_stamp(path.read_bytes(), note.encode(), read_roots(root))
        except ValueError as error:
            problem = str(error)
        yield Stamp(size=size, name=name, time=time, problem=problem)


def _time(response: TimeStampResponse) -> Instant:
    moment = response.tst_info.gen_time
    return Instant(int(moment.timestamp()) * MICROSECONDS + moment.microsecond)
