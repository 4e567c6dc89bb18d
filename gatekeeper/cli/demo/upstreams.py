"""The demo's upstreams: a mock model that others wrote, and the refunds API; real processes behind real TLS."""

import socket
import ssl
import sys
from typing import Final

import httpx
import msgspec

from gatekeeper.cli.demo.certificates import HOST, ServerCertificate
from gatekeeper.cli.demo.processes import PATIENCE, Processes, Started, StepFailed

# Made up: a test number that passes the Luhn check, and a domain that is reserved for examples (RFC 2606).
CARD: Final = "4111 1111 1111 1111"
EMAIL: Final = "ada@example.com"

FOUND: Final = f"Found Ada Lovelace, {EMAIL}, card {CARD}. I refund 25.00 to it."
CLOSING: Final = "Done: order A-1042 is refunded."


class Upstream(msgspec.Struct, frozen=True):
    """A server of the demo, and a way to ask it directly, beside the gateway."""

    port: int
    started: Started
    client: httpx.Client

    @property
    def url(self) -> str:
        """Where it is."""
        return f"https://{HOST}:{self.port}"


def start_upstream(processes: Processes, name: str, app: str, certificate: ServerCertificate) -> Upstream:
    """Serve an ASGI application with uvicorn on a free port, which it is handed so that nobody takes it before."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        tls = ("--ssl-keyfile", str(certificate.key), "--ssl-certfile", str(certificate.certificate))
        serving = ("--fd", str(listening.fileno()), "--loop", "asyncio", "--timeout-graceful-shutdown", "1", *tls)
        command = (sys.executable, "-m", "uvicorn", app, *serving)
        started = processes.start(name, command, {}, listening)
        port: int = listening.getsockname()[1]
    context = ssl.create_default_context(cafile=str(certificate.ca))
    client = httpx.Client(base_url=f"https://{HOST}:{port}", verify=context, timeout=PATIENCE, trust_env=False)
    return Upstream(port, started, client)


def write_script(model: Upstream) -> None:
    """Tell the mock model what to say: first a customer's data and a tool call, then a closing line."""
    call = {"name": "issue_refund", "arguments": {"order": "A-1042", "amount": "25.00"}}
    script = [{"type": "reply", "text": FOUND, "tool_calls": [call]}, {"type": "reply", "text": CLOSING}]
    try:
        model.client.post("/_llmock/scenario", json={"behaviors": script}).raise_for_status()
    except httpx.HTTPError as error:
        msg = "the mock model does not answer"
        raise StepFailed(msg, model.started.log) from error


def paid_orders(refunds: Upstream) -> list[str]:
    """Ask the refunds API which orders it has refunded."""
    try:
        answer = refunds.client.get("/v1/refunds").raise_for_status()
    except httpx.HTTPError as error:
        msg = "the refunds API does not answer"
        raise StepFailed(msg, refunds.started.log) from error
    return msgspec.convert(answer.json()["paid"], list[str])
