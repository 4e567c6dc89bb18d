"""Where proxy cases play: a gateway in this process, and an upstream that records every byte and answers as told."""

import enum
import re
import socket
import ssl
import time
from dataclasses import dataclass

from harness import RunningGateway, Upstream
from security.conftest import Check

from gatekeeper.journal import ErrorData, Reader, RefusedData, ResponseData

PATIENCE = 4.0
"""Seconds after which an answer counts as never coming; the gateway's own limits in these tests are a second."""

CANARY = b"c4n4ry-of-the-upstream"


class Place(enum.Enum):
    """Where the bytes of a case are said."""

    PROXY = "at the proxy port"
    TUNNEL = "inside a tunnel, in TLS"
    CLEAR = "inside a tunnel, without TLS"
    ANSWER = "by the upstream"


@dataclass(frozen=True)
class Case:
    """Bytes, and what must hold: `status` 0 is a close without an answer, `reason` stands in the journal."""

    name: str
    check: Check
    place: Place
    data: bytes
    status: int
    reason: str

    def hold(self, stage: "Stage") -> None:
        stage.play(self)


@dataclass
class Stage:
    """A gateway and its upstream."""

    gateway: RunningGateway
    upstream: Upstream

    def play(self, case: Case) -> None:
        """Send what the case says and look at all that must hold; raises AssertionError."""
        start = self.forget()
        data = self.filled(case.data)
        self.upstream.reset(data if case.place is Place.ANSWER else _answer(CANARY))
        match case.place:
            case Place.ANSWER:
                answer = self.in_tunnel(self.filled(b"GET /thing HTTP/1.1\r\nHost: localhost:%PORT\r\n\r\n"))
            case Place.TUNNEL:
                answer = self.in_tunnel(data)
            case Place.CLEAR:
                answer = self.in_clear_tunnel(data)
            case Place.PROXY:
                answer = self.at_proxy(data)
        assert status_of(answer) == case.status, answer[:300]
        assert CANARY not in answer, answer
        assert b"mitmproxy" not in answer, answer
        if case.place is not Place.ANSWER:
            assert bytes(self.upstream.received) == b"", bytes(self.upstream.received)
        self.await_reason(start, case.reason)

    def filled(self, data: bytes) -> bytes:
        """Put in what is known only now: the upstream's port, a token, the canary."""
        data = data.replace(b"%PORT", str(self.upstream.port).encode()).replace(b"%CANARY", CANARY)
        return data.replace(b"%TOKEN", self.gateway.token().encode()) if b"%TOKEN" in data else data

    def forget(self) -> int:
        """Begin a new window of the refusals, of which equal ones are one entry; gives the next entry's number."""

        async def flush() -> None:
            self.gateway.parts.refusals.flush()

        self.gateway.background.run(flush())
        return self.size

    @property
    def size(self) -> int:
        with Reader(self.gateway.config.journal.folder, None) as reader:
            return reader.size

    def reasons(self, start: int) -> list[str]:
        with Reader(self.gateway.config.journal.folder, None) as reader:
            entries = [entry.data for entry in reader.entries(start, reader.size)]
        ends = [data for data in entries if isinstance(data, RefusedData | ErrorData)]
        own = [data for data in entries if isinstance(data, ResponseData) and data.by == "gateway"]
        return [end.reason for end in ends] + [str(answer.reason) for answer in own]

    def await_reason(self, start: int, reason: str) -> None:
        """Wait for an entry with that reason, from entry `start` on."""
        deadline = time.monotonic() + PATIENCE
        while reason not in self.reasons(start):
            assert time.monotonic() < deadline, f"{reason} is not recorded but {self.reasons(start)}"
            time.sleep(0.02)

    # ways to speak

    def at_proxy(self, data: bytes) -> bytes:
        with socket.create_connection(("127.0.0.1", self.gateway.port), timeout=PATIENCE) as connection:
            return said(connection, data)

    def in_tunnel(self, data: bytes) -> bytes:
        with self.gateway.tls("localhost", self.upstream.port) as tunnel:
            tunnel.settimeout(PATIENCE)
            return said(tunnel, data)

    def in_clear_tunnel(self, data: bytes) -> bytes:
        with self.gateway.connect("localhost", self.upstream.port) as tunnel:
            tunnel.settimeout(PATIENCE)
            return said(tunnel, data)


def said(connection: socket.socket | ssl.SSLSocket, data: bytes) -> bytes:
    """Say bytes and give what is answered until the end of the answer or of the connection."""
    answer = b""
    try:
        if data:
            connection.sendall(data)
        while not complete(answer):
            piece = connection.recv(65536)
            if not piece:
                break
            answer += piece
    except TimeoutError as error:
        msg = f"neither an answer nor a close, but {answer[:200]!r}"
        raise AssertionError(msg) from error
    except (ConnectionError, ssl.SSLError):
        pass
    return answer


_LENGTH = re.compile(rb"\r\ncontent-length: *([0-9]+)", re.IGNORECASE)


def complete(answer: bytes) -> bool:
    """Tell whether a whole answer is there; one without a length ends with its connection."""
    head, found, body = answer.partition(b"\r\n\r\n")
    if not found:
        return False
    if head.startswith(b"HTTP/1.1 1"):
        return head.startswith(b"HTTP/1.1 101 ") or complete(body)
    length = _LENGTH.search(head)
    return bool(length and len(body) >= int(length[1])) or (b"chunked" in head.lower() and body.endswith(b"0\r\n\r\n"))


def status_of(answer: bytes) -> int:
    """Give the status of an answer; 0 where there is none."""
    return int(answer[9:12]) if answer.startswith(b"HTTP/1.") and answer[9:12].isdigit() else 0


def _answer(body: bytes) -> bytes:
    return b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: %d\r\n\r\n%s" % (len(body), body)
