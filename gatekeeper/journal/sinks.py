"""The places that checkpoints are taken to: a file, syslog, a command, an HTTP endpoint."""

import asyncio
import datetime as dt
import json
import os
import socket
import ssl
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final
from urllib.parse import SplitResult, urlsplit

import certifi
import httpx

from gatekeeper.journal.anchoring import SinkFailed
from gatekeeper.journal.files import append_file

AUDIT_INFO: Final = 13 * 8 + 6
"""RFC 5424 §6.2.1: facility "log audit", severity informational."""

ENTERPRISE: Final = 32473
"""The private enterprise number that RFC 5612 keeps for examples: we have none of our own."""

KNOWN: Final = ("PATH", "HOME", "USER", "LANG", "LC_ALL", "SSH_AUTH_SOCK", "TMPDIR")
"""What a command gets of the environment: no credential that an upstream is given stands in these."""

DEFAULT_PORTS: Final = {"udp": 514, "tcp": 601, "tls": 6514}
"""RFC 5426 §3.3, RFC 6587, RFC 5425 §4.1"""


class FileSink:
    """Appends to a file as `anchors.log` is written: on another file system, it outlives this one."""

    def __init__(self, path: Path) -> None:
        self._path = path

    async def send(self, note: str) -> None:
        """Append and sync."""
        try:
            await asyncio.to_thread(append_file, self._path, f"{note}\n".encode())
        except OSError as error:
            msg = f"the file can't be written: {error.strerror}"
            raise SinkFailed(msg) from error


class SyslogSink:
    """RFC 5424 over UDP (RFC 5426), TCP (RFC 6587 §3.4.1, octet counting), TLS (RFC 5425) or a Unix socket."""

    def __init__(self, address: str, clock: Callable[[], dt.datetime] | None = None) -> None:
        self._address = urlsplit(address)
        self._clock = clock or (lambda: dt.datetime.now(dt.UTC))

    async def send(self, note: str) -> None:
        """Send one message; what has no answer is taken as delivered."""
        message = syslog_message(note, self._clock(), socket.gethostname())
        try:
            await _SENDERS[self._address.scheme](self._address, message)
        except OSError as error:
            msg = f"syslog can't be reached: {error.strerror or type(error).__name__}"
            raise SinkFailed(msg) from error


class CommandSink:
    """Runs a program with the note on its standard input; it has taken it if it ends with 0."""

    def __init__(self, command: tuple[str, ...], folder: Path) -> None:
        self._command = command
        self._folder = folder

    async def send(self, note: str) -> None:
        """Run it once."""
        environment = {name: os.environ[name] for name in KNOWN if name in os.environ}
        nowhere = asyncio.subprocess.DEVNULL
        try:
            process = await asyncio.create_subprocess_exec(
                *self._command,
                stdin=asyncio.subprocess.PIPE, stdout=nowhere, stderr=nowhere,
                cwd=self._folder, env=environment, start_new_session=True,
            )  # fmt: skip
        except OSError as error:
            msg = f"the command can't be run: {error.strerror}"
            raise SinkFailed(msg) from error
        try:
            await process.communicate(note.encode())
        finally:
            if process.returncode is None:
                process.kill()
                await process.wait()
        if process.returncode:
            msg = f"the command ended with {process.returncode}"
            raise SinkFailed(msg)


class HttpSink:
    """POSTs the note as text/plain; any 2xx has taken it. Redirects are not followed."""

    def __init__(self, url: str, headers: Mapping[str, Callable[[], str]]) -> None:
        self._url = url
        self._headers = headers

    async def send(self, note: str) -> None:
        """Send it once."""
        headers = {name: value() for name, value in self._headers.items()}
        await post(self._url, note.encode(), {"Content-Type": "text/plain; charset=utf-8", **headers})


async def post(url: str, content: bytes, headers: Mapping[str, str]) -> bytes:
    """POST and give the body of a 2xx answer; raises SinkFailed."""
    context = ssl.create_default_context(cafile=certifi.where())
    try:
        async with httpx.AsyncClient(trust_env=False, verify=context) as client:
            answer = await client.post(url, content=content, headers=dict(headers))
    except (httpx.HTTPError, OSError) as error:
        msg = f"the endpoint can't be reached ({type(error).__name__})"
        raise SinkFailed(msg) from error
    if not answer.is_success:
        msg = f"the endpoint answered {answer.status_code}"
        raise SinkFailed(msg)
    return answer.content


def syslog_message(note: str, at: dt.datetime, host: str) -> bytes:
    """Write a note as one RFC 5424 message: its parts as structured data, its exact text as a JSON string."""
    origin, size, root, *_ = note.split("\n")
    stamp = at.astimezone(dt.UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
    data = f'[checkpoint@{ENTERPRISE} origin="{_escaped(origin)}" size="{size}" root="{_escaped(root)}"]'
    head = f"<{AUDIT_INFO}>1 {stamp} {host or '-'} gatekeeper {os.getpid()} checkpoint {data} "
    return head.encode("ascii", "replace") + json.dumps(note).encode()


def read_syslog(line: str) -> str | None:
    """Give the note in a line of a log file; None where there is none."""
    _, found, rest = line.partition(f"checkpoint@{ENTERPRISE} ")
    _, separator, text = rest.partition("] ")
    if not found or not separator:
        return None
    try:
        note = json.loads(text.strip())
    except ValueError:
        return None
    return note if isinstance(note, str) else None


def _escaped(value: str) -> str:
    """RFC 5424 §6.3.3."""
    return value.replace("\\", "\\\\").replace('"', '\\"').replace("]", "\\]")


async def _udp(address: SplitResult, message: bytes) -> None:
    place = address.hostname or "", address.port or DEFAULT_PORTS["udp"]
    transport, _ = await asyncio.get_running_loop().create_datagram_endpoint(
        asyncio.DatagramProtocol, remote_addr=place
    )
    transport.sendto(message)
    transport.close()


async def _stream(address: SplitResult, message: bytes) -> None:
    context = ssl.create_default_context(cafile=certifi.where()) if address.scheme == "tls" else None
    port = address.port or DEFAULT_PORTS[address.scheme]
    _, writer = await asyncio.open_connection(address.hostname, port, ssl=context)
    try:
        writer.write(f"{len(message)} ".encode() + message)
        await writer.drain()
    finally:
        writer.close()
        await writer.wait_closed()


async def _unix(address: SplitResult, message: bytes) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK) as sender:
        sender.connect(address.path)
        await asyncio.get_running_loop().sock_sendall(sender, message)


_SENDERS: Final = {"udp": _udp, "tcp": _stream, "tls": _stream, "unix": _unix}
