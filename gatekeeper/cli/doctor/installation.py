"""Is the gateway's own installation in order: its files and who may read them, socket, clock, disk, port, reviewers."""

import datetime as dt
import shutil
import socket
import stat
import subprocess
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Final

from cryptography import x509

from gatekeeper.cli.doctor.outcome import Outcome, note, ok, skipped, wrong
from gatekeeper.config import Action, Config
from gatekeeper.config.check import listen_address

ROOM: Final = 1 << 30
"""Bytes; with less the journal may stop, and with it everything."""

CLOSE_TO_ITS_END: Final = dt.timedelta(days=30)
CLOCK_SLACK: Final = 5
"""Seconds by which the journal's last entry may be ahead of the clock."""

OLDEST_SSH: Final = (9, 1)


def installation(config: Config, environment: Mapping[str, str], now: dt.datetime) -> Iterator[Outcome]:
    """Look at each thing."""
    yield from _keys(config)
    yield _authority(config, now)
    yield _reviewers(config)
    yield _ssh()
    yield _socket(config)
    yield _port(config)
    yield _disk(config)
    yield _clock(config, now)
    yield from _secrets(config, environment)


def _keys(config: Config) -> Iterator[Outcome]:
    folder = config.keys
    if not folder.is_dir():
        yield skipped("private keys", f"{folder} is made by the first `gatekeeper run`")
        return
    for path in (folder, *sorted(folder.iterdir())):
        mode = stat.S_IMODE(path.stat().st_mode)
        wanted = 0o700 if path.is_dir() else 0o600
        if mode & 0o077:
            yield wrong(str(path), f"has mode {mode:04o}: others may read it", f"chmod {wanted:04o} {path}")
    yield ok("private keys", f"{folder}: looked at each file's mode")


def _authority(config: Config, now: dt.datetime) -> Outcome:
    path = config.proxy.certs / "ca.pem"
    try:
        certificate = x509.load_pem_x509_certificate(path.read_bytes())
    except FileNotFoundError:
        return skipped("CA", f"{path} is made by the first `gatekeeper run`")
    except (OSError, ValueError):
        return wrong("CA", f"{path} can't be read", "put it back from a backup, or remove it and data/keys/ca.key")
    left = certificate.not_valid_after_utc - now
    if left < CLOSE_TO_ITS_END:
        return wrong(
            "CA", f"{path} ends in {left.days} days", "remove ca.pem and data/keys/ca.key, and hand out the new"
        )
    return ok("CA", f"valid until {certificate.not_valid_after_utc:%Y-%m-%d}")


def _reviewers(config: Config) -> Outcome:
    path = config.approvals.reviewers
    needed = any(rule.action is Action.HOLD for rule in config.rules)
    try:
        mode, text = stat.S_IMODE(path.stat().st_mode), path.read_text()
    except OSError:
        if needed:
            return wrong("reviewers", f"{path} is missing, and rules hold calls", "add the reviewers' keys to it")
        return skipped("reviewers", "no rule holds calls")
    lines = [line for line in text.splitlines() if line.strip() and not line.startswith("#")]
    known = {name for line in lines for name in line.split()[0].split(",")}
    absent = sorted({name for group in config.approvals.groups.values() for name in group} - known)
    if mode & 0o022:
        return wrong("reviewers", f"{path} has mode {mode:04o}: others may add keys", f"chmod 0644 {path}")
    if open_ended := [line.split()[0] for line in lines if 'namespaces="gatekeeper-approval"' not in line]:
        mend = 'add namespaces="gatekeeper-approval" to the line, or signatures for other purposes count too'
        return wrong("reviewers", f"{', '.join(open_ended)} has a key for any purpose", mend)
    if absent:
        return wrong("reviewers", f"{', '.join(absent)} has no key in {path}", "add a line for each, or take them out")
    return ok("reviewers", f"{len(known)} with keys")


def _ssh() -> Outcome:
    program = shutil.which("ssh")
    if program is None:
        return wrong("OpenSSH", "is not installed, so no approval can be verified", "install openssh-client")
    said = subprocess.run([program, "-V"], capture_output=True, text=True, check=False).stderr  # noqa: S603 - our own
    digits = said.removeprefix("OpenSSH_").partition("p")[0].split(".")
    if not all(digit.isdecimal() for digit in digits) or tuple(map(int, digits)) < OLDEST_SSH:
        return wrong("OpenSSH", f"{said.strip()[:40]} is too old, or not OpenSSH", "install 9.1 or newer")
    return ok("OpenSSH", said.partition(",")[0])


def _socket(config: Config) -> Outcome:
    path = config.admin_socket
    if not path.exists():
        return note("admin socket", f"{path} is not there: the gateway does not run")
    mode, folder = stat.S_IMODE(path.stat().st_mode), stat.S_IMODE(path.parent.stat().st_mode)
    if mode & 0o007 or folder & 0o007:
        return wrong("admin socket", f"{path} may be opened by anyone", f"chmod 0750 {path.parent}; chmod 0660 {path}")
    return ok("admin socket", f"{path}: {mode:04o}, group {_group(path)}")


def _group(path: Path) -> str:
    try:
        return path.group()
    except KeyError:
        return str(path.stat().st_gid)


def _port(config: Config) -> Outcome:
    host, port = listen_address(config.proxy.listen)
    try:
        with socket.create_connection((host if host not in {"0.0.0.0", "::"} else "localhost", port), timeout=5) as one:  # noqa: S104 - compared
            one.sendall(
                b"CONNECT gatekeeper-doctor.invalid:443 HTTP/1.1\r\nHost: gatekeeper-doctor.invalid:443\r\n\r\n"
            )
            answer = one.recv(256)
    except OSError:
        return note(
            "proxy port", f"nothing answers at {config.proxy.listen}: the gateway does not run", "gatekeeper run"
        )
    if answer.startswith((b"HTTP/1.1 407 ", b"HTTP/1.1 200 ")) and (
        answer.startswith(b"HTTP/1.1 407 ") or config.identity.header_identity
    ):
        return ok("proxy port", f"{config.proxy.listen} asks for an identity")
    return wrong("proxy port", f"what answers at {config.proxy.listen} asks for no identity", "see what listens there")


def _disk(config: Config) -> Outcome:
    folder = next(path for path in (config.journal.folder, *config.journal.folder.parents) if path.exists())
    usage = shutil.disk_usage(folder)
    if usage.free < ROOM:
        mend = "free some: when the journal can't write, nothing passes"
        return wrong("disk", f"{usage.free >> 20} MiB left under {folder}", mend)
    return ok("disk", f"{usage.free >> 30} GiB left under {folder}")


def _clock(config: Config, now: dt.datetime) -> Outcome:
    from gatekeeper.journal import Reader

    try:
        with Reader(config.journal.folder, None) as reader:
            last = next(iter(reader.entries(reader.size - 1, reader.size)), None)
    except (OSError, ValueError, RuntimeError):
        return skipped("clock", "there is no journal yet to compare it with")
    ahead = last.time / 1e6 - now.timestamp() if last is not None else 0
    if ahead > CLOCK_SLACK:
        mend = "set the clock (NTP): tokens are judged by it, and entries keep the later time until it catches up"
        return wrong("clock", f"is {ahead:.0f}s behind the journal's last entry", mend)
    return ok("clock", "is not behind the journal")


def _secrets(config: Config, environment: Mapping[str, str]) -> Iterator[Outcome]:
    from gatekeeper.credentials import CredentialUnavailable, Vault

    vault = Vault.load(config.credentials, environment, b"", service=config.vault)
    for host in config.credentials:
        try:
            vault.look(host)
        except CredentialUnavailable as error:
            yield wrong(f"credential of {host}", str(error), "mend it; until then calls to this host get 503")
        else:
            yield ok(f"credential of {host}", "is there, or is fetched when it is needed")
