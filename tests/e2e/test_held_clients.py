"""A call of a real client is held, and released at once, after the client gave up and came again, after a restart:
exactly one request reaches the upstream, and the answer reaches the client.

Each client is a program of its own that knows the proxy and a CA file. It repeats its call until it is answered, as
whoever runs it would; what its library repeats of its own accord comes on top.
"""

import json
import shutil
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Final

import pytest
from e2e.stage import PATIENCE, REVIEWER, Installation, python, wait_for
from harness import Authority, Upstream

from gatekeeper.approvals import ApprovalView
from gatekeeper.cli.admin_client import AdminClient

GIVES_UP: Final = 2
"""Seconds after which each client gives up on one try."""

AGAIN: Final = """
import sys, time
url, words, limit = sys.argv[1], sys.argv[2], float(sys.argv[3])
def repeat(ask):
    while True:
        try:
            print(ask(), flush=True)
            return
        except Exception as error:
            print("again:", type(error).__name__, str(error)[:200], flush=True)
            time.sleep(0.2)
"""

OPENAI: Final = f"""{AGAIN}
from langchain_openai import ChatOpenAI
model = ChatOpenAI(model="gpt-4o", base_url=f"{{url}}/v1", api_key="placeholder", timeout=limit)
repeat(lambda: model.invoke(words).text)
"""

ANTHROPIC: Final = f"""{AGAIN}
from langchain_anthropic import ChatAnthropic
model = ChatAnthropic(model_name="claude", base_url=f"{{url}}/anthropic", api_key="placeholder", timeout=limit)
repeat(lambda: model.invoke(words).text)
"""

BOTO3: Final = f"""{AGAIN}
import boto3
from botocore.config import Config
client = boto3.client(
    "bedrock-runtime", region_name="us-east-1", endpoint_url=url, config=Config(read_timeout=limit),
    aws_access_key_id="placeholder", aws_secret_access_key="placeholder",
)
def ask():
    answer = client.converse(modelId="m", messages=[{{"role": "user", "content": [{{"text": words}}]}}])
    return answer["output"]["message"]["content"][0]["text"]
repeat(ask)
"""

AIOHTTP: Final = f"""{AGAIN}
import asyncio, aiohttp
async def call():
    timeout = aiohttp.ClientTimeout(total=limit)
    async with aiohttp.ClientSession(trust_env=True, timeout=timeout, raise_for_status=True) as session:
        async with session.post(f"{{url}}/tickets", json={{"words": words}}) as answer:
            return (await answer.json())["said"]
repeat(lambda: asyncio.run(call()))
"""

NODE: Final = """
const http = require("node:http"), https = require("node:https");
const [url, words, limit] = process.argv.slice(1);
const proxy = new URL(process.env.HTTPS_PROXY), target = new URL(`${url}/tickets`);
const secret = Buffer.from(`${decodeURIComponent(proxy.username)}:${decodeURIComponent(proxy.password)}`);
const body = JSON.stringify({ words });
function ask() {
  return new Promise((resolve, reject) => {
    const headers = { Host: target.host, "Proxy-Authorization": `Basic ${secret.toString("base64")}` };
    const tunnel = http.request(
      { host: proxy.hostname, port: proxy.port, method: "CONNECT", path: target.host, headers });
    tunnel.on("error", reject).on("connect", (head, socket) => {
      if (head.statusCode !== 200) return reject(new Error(`CONNECT: ${head.statusCode}`));
      const call = https.request(target, { method: "POST", socket, agent: false, servername: target.hostname,
        headers: { "Content-Type": "application/json", "Content-Length": Buffer.byteLength(body) } });
      call.setTimeout(limit * 1000, () => call.destroy(new Error("timeout")));
      call.on("error", reject).on("response", (answer) => {
        let text = "";
        answer.on("data", (piece) => (text += piece)).on("error", reject).on("end", () =>
          answer.statusCode === 200 ? resolve(JSON.parse(text).said) : reject(new Error(text)));
      });
      call.end(body);
    });
    tunnel.end();
  });
}
function repeat() {
  ask().then(console.log, (error) => { console.log(`again: ${error.message}`); setTimeout(repeat, 200); });
}
repeat();
"""

SAID: Final = "the customer agreed"
CONFIG: Final = """
[proxy]
listen = "127.0.0.1:{port}"
upstream_ca = "{ca}"
[egress]
ports = [{upstream}]
private_networks = ["127.0.0.0/8", "::1/128"]
[approvals.groups]
finance-leads = ["{reviewer}"]
[[rules]]
name = "somebody looks at each call"
hosts = ["localhost"]
action = "hold"
reviewers = ["finance-leads"]
wait = "50s"
"""


def _answer(head: bytes) -> bytes:
    path = head.split(b" ", 2)[1].decode()
    whole = {"id": "x", "model": "m", "usage": {"input_tokens": 1, "output_tokens": 1}}
    bodies = {
        "/v1/chat/completions": {
            **whole,
            "object": "chat.completion",
            "created": 1,
            "choices": [{"index": 0, "finish_reason": "stop", "message": {"role": "assistant", "content": SAID}}],
            "usage": {"prompt_tokens": 1, "completion_tokens": 1, "total_tokens": 2},
        },
        "/anthropic/v1/messages": {
            **whole, "type": "message", "role": "assistant", "stop_reason": "end_turn", "stop_sequence": None,
            "content": [{"type": "text", "text": SAID}],
        },
        "/model/m/converse": {
            "output": {"message": {"role": "assistant", "content": [{"text": SAID}]}},
            "stopReason": "end_turn",
            "usage": {"inputTokens": 1, "outputTokens": 1, "totalTokens": 2},
            "metrics": {"latencyMs": 1},
        },
        "/tickets": {"said": SAID},
    }  # fmt: skip
    body = json.dumps(bodies[path]).encode()
    return b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%b" % (len(body), body)


@dataclass
class Scene:
    """A gateway that holds every call, with a client that makes one."""

    gateway: Installation
    upstream: Upstream
    client: "subprocess.Popen[bytes]"
    start: int

    def waiting(self) -> ApprovalView | None:
        """Give the approval for which a call waits now."""
        with AdminClient(self.gateway.folder / "run" / "gatekeeper.sock") as admin:
            return next((view for view in admin.approvals() if view.state == "pending" and view.waiting), None)

    def held(self) -> ApprovalView:
        return wait_for(self.waiting, "a held call")

    def approve(self) -> None:
        self.gateway.decide("approve", self.held().id)

    def came(self) -> int:
        return self.upstream.received.count(b"POST /")

    def ends(self) -> str:
        """Give what the client printed; its last line is the answer."""
        printed, _ = self.client.communicate(timeout=PATIENCE)
        assert self.client.returncode == 0, printed
        return printed.decode()


def _at_once(scene: Scene) -> None:
    """Released after a second."""
    scene.held()
    time.sleep(1)
    assert scene.came() == 0
    scene.approve()


def _after_the_client_gave_up(scene: Scene) -> None:
    """Released when the client has left, and come again."""
    first = scene.held()
    wait_for(lambda: "abandon" in scene.gateway.kinds(scene.start), "the end of the first try")
    assert scene.came() == 0
    assert scene.held().id == first.id
    scene.approve()


def _after_a_restart(scene: Scene) -> None:
    """Released when the gateway was killed, and runs again."""
    first = scene.held()
    scene.gateway.kill()
    assert scene.came() == 0
    scene.gateway.start()
    assert scene.held().id == first.id
    scene.approve()


@pytest.fixture(scope="module")
def gateway(
    tmp_path_factory: pytest.TempPathFactory, authority: Authority, upstream: Upstream
) -> Iterator[Installation]:
    """A gateway that holds every call, on the same port after each start."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    running = Installation(tmp_path_factory.mktemp("gateway"))
    running.make_reviewer()
    running.configure(CONFIG.format(port=port, ca=authority.certificate, upstream=upstream.port, reviewer=REVIEWER))
    running.start()
    try:
        yield running
        assert running.stop() == 0
        running.command("journal", "verify")
    finally:
        running.kill()


CLIENTS: Final = {"openai": OPENAI, "anthropic": ANTHROPIC, "boto3": BOTO3, "aiohttp": AIOHTTP, "node": NODE}


@pytest.mark.slow
@pytest.mark.parametrize("released", [_at_once, _after_the_client_gave_up, _after_a_restart])
@pytest.mark.parametrize("client", CLIENTS)
def test_one_request_goes_out_and_its_answer_arrives(
    client: str, released: Callable[[Scene], None], gateway: Installation, upstream: Upstream
) -> None:
    upstream.reset(_answer)
    start = gateway.size
    limit = GIVES_UP if released is _after_the_client_gave_up else PATIENCE
    # The words are another call for each test: one that was made already would not be made again.
    arguments = (f"https://localhost:{upstream.port}", f"May it be refunded? {released.__name__}", str(limit))
    environment = gateway.client("library-bot")
    environment |= dict.fromkeys(("AWS_CA_BUNDLE", "NODE_EXTRA_CA_CERTS"), str(gateway.bundle))
    scene = Scene(gateway, upstream, begin(client, arguments, environment), start)
    try:
        released(scene)
        assert scene.ends().splitlines()[-1] == SAID
    finally:
        scene.client.kill()
        scene.client.wait()
    assert scene.came() == 1
    kinds = gateway.kinds(start)
    assert (kinds.count("release"), kinds.count("decision")) == (1, 1)


def begin(client: str, arguments: tuple[str, ...], environment: dict[str, str]) -> "subprocess.Popen[bytes]":
    if client != "node":
        return python(CLIENTS[client], *arguments, environment=environment)
    if (node := shutil.which("node")) is None:
        pytest.skip("Node is not here")
    command = [node, "-e", NODE, *arguments]
    return subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
