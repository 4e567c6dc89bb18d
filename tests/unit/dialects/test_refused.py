import json
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import anthropic
import openai
import pytest
from google import genai
from google.genai import errors, types

from gatekeeper.dialects import dialect_of, error_answer
from gatekeeper.exchange import DialectName, Reason, Refusal

EXCHANGE = "0123456789abcdef"
DENIED = Refusal(status=403, reason=Reason.NO_RULE, message="no rule allows POST https://x/. Add one.")
PENDING = Refusal(
    status=403, reason=Reason.PENDING, message="a reviewer has not decided yet.", rule="refunds", approval="ap-1"
)


class Refusing(ThreadingHTTPServer):
    """Answers everything as the gateway would, and counts."""

    def __init__(self, status: int) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.status, self.calls = status, 0


class Handler(BaseHTTPRequestHandler):
    server: Refusing

    def do_POST(self) -> None:
        self.server.calls += 1
        self.rfile.read(int(self.headers["Content-Length"]))
        refusal = Refusal(status=self.server.status, reason=Reason.NO_RULE, message=DENIED.message)
        headers, body = error_answer(dialect_of("localhost", self.path.partition("?")[0]), refusal, EXCHANGE)
        self.send_response(refusal.status)
        for name, value in (*headers, ("content-length", str(len(body)))):
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def serve() -> Iterator[Callable[[int], Refusing]]:
    servers: list[Refusing] = []

    def start(status: int) -> Refusing:
        server = Refusing(status)
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        servers.append(server)
        return server

    yield start
    for server in servers:
        server.shutdown()
        server.server_close()


def ask_openai(base: str) -> None:
    client = openai.OpenAI(api_key="k", base_url=f"{base}/v1")
    client.chat.completions.create(model="m", messages=[{"role": "user", "content": "hello"}])


def stream_openai(base: str) -> None:
    client = openai.OpenAI(api_key="k", base_url=f"{base}/v1")
    list(client.responses.create(model="m", input="hello", stream=True))


def ask_anthropic(base: str) -> None:
    client = anthropic.Anthropic(api_key="k", base_url=base)
    client.messages.create(model="m", max_tokens=5, messages=[{"role": "user", "content": "hello"}])


def ask_gemini(base: str) -> None:
    client = genai.Client(api_key="k", http_options=types.HttpOptions(base_url=base))
    client.models.generate_content(model="m", contents="hello")


CLIENTS = [
    (ask_openai, openai.APIStatusError),
    (stream_openai, openai.APIStatusError),
    (ask_anthropic, anthropic.APIStatusError),
    (ask_gemini, errors.APIError),
]


@pytest.mark.parametrize("status", [401, 403, 413, 503])
@pytest.mark.parametrize(("ask", "error"), CLIENTS)
def test_the_provider_s_own_client_shows_the_message_and_tries_once(
    serve: Callable[[int], Refusing], ask: Callable[[str], None], error: type[Exception], status: int
) -> None:
    server = serve(status)
    with pytest.raises(error) as caught:
        ask(f"http://127.0.0.1:{server.server_port}")
    assert DENIED.message in str(caught.value)
    assert EXCHANGE in str(caught.value)
    assert server.calls == 1


def shape(dialect: DialectName, refusal: Refusal) -> dict[str, Any]:
    body: dict[str, Any] = json.loads(error_answer(dialect, refusal, EXCHANGE)[1])
    return body


MESSAGE = f"Gatekeeper: {DENIED.message} (exchange {EXCHANGE})"


@pytest.mark.parametrize(
    ("dialect", "body"),
    [
        (DialectName.OPENAI, {"error": {"message": MESSAGE, "type": "permission_error", "param": None,
                                        "code": "no-rule"}}),
        (DialectName.ANTHROPIC, {"type": "error", "error": {"type": "permission_error", "message": MESSAGE}}),
        (DialectName.GEMINI, {"error": {"code": 403, "message": MESSAGE, "status": "PERMISSION_DENIED"}}),
        (DialectName.HTTP, {"error": {"message": MESSAGE, "reason": "no-rule"}}),
    ],
)  # fmt: skip
def test_the_body_has_the_provider_s_shape(dialect: DialectName, body: dict[str, Any]) -> None:
    assert shape(dialect, DENIED) == body


def test_an_unusual_status_has_a_general_type() -> None:
    broken = Refusal(status=502, reason=Reason.UPSTREAM_MALFORMED, message="the upstream's answer is broken.")
    assert shape(DialectName.OPENAI, broken)["error"]["type"] == "api_error"
    assert shape(DialectName.GEMINI, broken)["error"]["status"] == "INTERNAL"


@pytest.mark.parametrize("dialect", list(DialectName))
def test_headers_forbid_repeats_and_caches_and_name_the_exchange(dialect: DialectName) -> None:
    headers = dict(error_answer(dialect, DENIED, EXCHANGE)[0])
    assert headers == {
        "content-type": "application/json",
        "cache-control": "no-store",
        "x-should-retry": "false",
        "x-gatekeeper-exchange": EXCHANGE,
        "x-gatekeeper-reason": "no-rule",
    }


def test_rule_and_approval_are_named_where_there_are_any() -> None:
    headers, body = error_answer(DialectName.HTTP, PENDING, EXCHANGE)
    assert ("x-gatekeeper-approval", "ap-1") in headers
    assert json.loads(body)["error"]["message"].endswith(f"(rule 'refunds', approval ap-1, exchange {EXCHANGE})")


def test_what_the_message_says_already_is_not_said_twice() -> None:
    refusal = Refusal(
        status=403, reason=Reason.PENDING, message="'refunds' waits: ap-1.", rule="refunds", approval="ap-1"
    )
    assert shape(DialectName.HTTP, refusal)["error"]["message"] == (
        f"Gatekeeper: 'refunds' waits: ap-1. (exchange {EXCHANGE})"
    )
