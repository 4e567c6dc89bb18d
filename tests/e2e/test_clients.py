"""Real clients, told nothing but the proxy and a CA file: the answer arrives, masked; the journal has the exchange."""

import asyncio
from collections.abc import Callable, Iterator

import anthropic
import httpx
import openai
import pytest
import requests
from e2e.stage import ASKED_CARD, ASKED_EMAIL, CANARIES, CARD, EMAIL, Exchange, Installation
from langchain.agents import create_agent
from langchain_anthropic import ChatAnthropic
from langchain_core.language_models import BaseChatModel
from langchain_core.messages import AIMessage
from langchain_core.tools import tool
from langchain_google_genai import ChatGoogleGenerativeAI
from langchain_openai import ChatOpenAI, OpenAIEmbeddings

from gatekeeper.cli.demo.upstreams import Upstream

ANSWER = f"The customer is Ada, {EMAIL}, card {CARD}, for order A-1042."
MASKED = "The customer is Ada, <EMAIL_ADDRESS>, card <CREDIT_CARD>, for order A-1042."
QUESTION = f"Who paid with {ASKED_CARD}? It is not {ASKED_EMAIL}."
QUESTION_MASKED = "Who paid with <CREDIT_CARD>? It is not <EMAIL_ADDRESS>."

type Ask = Callable[[str], str]

LOOP = asyncio.Runner()
"""One for all: LangChain keeps its asynchronous connections for the next call."""

pytestmark = pytest.mark.usefixtures("as_client")


@pytest.fixture(scope="module", autouse=True)
def _close_loop() -> Iterator[None]:
    yield
    LOOP.close()


def _openai(url: str) -> ChatOpenAI:
    return ChatOpenAI(model="gpt-4o", base_url=f"{url}/v1", api_key="placeholder", max_retries=0)


def _anthropic(url: str) -> ChatAnthropic:
    return ChatAnthropic(model_name="claude-mock", base_url=f"{url}/anthropic", api_key="placeholder", timeout=30)


def _gemini(url: str) -> ChatGoogleGenerativeAI:
    return ChatGoogleGenerativeAI(
        model="gemini-2.5-flash", base_url=f"{url}/gemini", api_key="placeholder", max_retries=1
    )


type Make = Callable[[str], BaseChatModel]


def _whole(make: Make) -> Ask:
    return lambda url: make(url).invoke(QUESTION).text


def _streamed(make: Make) -> Ask:
    return lambda url: "".join(chunk.text for chunk in make(url).stream(QUESTION))


def _async(make: Make) -> Ask:
    async def ask(url: str) -> str:
        return (await make(url).ainvoke(QUESTION)).text

    return lambda url: LOOP.run(ask(url))


def _async_streamed(make: Make) -> Ask:
    async def ask(url: str) -> str:
        return "".join([chunk.text async for chunk in make(url).astream(QUESTION)])

    return lambda url: LOOP.run(ask(url))


BODY = {"model": "gpt-4o", "messages": [{"role": "user", "content": QUESTION}]}


def _requests(url: str) -> str:
    answer = requests.post(f"{url}/v1/chat/completions", json=BODY, timeout=30)
    return str(answer.json()["choices"][0]["message"]["content"])


def _httpx(url: str) -> str:
    answer = httpx.post(f"{url}/v1/chat/completions", json=BODY, timeout=30)
    return str(answer.json()["choices"][0]["message"]["content"])


def _openai_sdk(url: str) -> str:
    client = openai.OpenAI(base_url=f"{url}/v1", api_key="placeholder")
    answer = client.chat.completions.create(model="gpt-4o", messages=[{"role": "user", "content": QUESTION}])
    return answer.choices[0].message.content or ""


def _openai_sdk_streamed(url: str) -> str:
    client = openai.OpenAI(base_url=f"{url}/v1", api_key="placeholder")
    question = [{"role": "user", "content": QUESTION}]
    with client.chat.completions.create(model="gpt-4o", messages=question, stream=True) as stream:
        return "".join(chunk.choices[0].delta.content or "" for chunk in stream if chunk.choices)


def _anthropic_sdk(url: str) -> str:
    client = anthropic.Anthropic(base_url=f"{url}/anthropic", api_key="placeholder")
    answer = client.messages.create(
        model="claude-mock", max_tokens=100, messages=[{"role": "user", "content": QUESTION}]
    )
    return "".join(block.text for block in answer.content if block.type == "text")


CLIENTS: dict[str, Ask] = {
    "langchain openai": _whole(_openai),
    "langchain openai stream": _streamed(_openai),
    "langchain openai async": _async(_openai),
    "langchain openai async stream": _async_streamed(_openai),
    "langchain anthropic": _whole(_anthropic),
    "langchain anthropic stream": _streamed(_anthropic),
    "langchain gemini": _whole(_gemini),
    "langchain gemini stream": _streamed(_gemini),
    "openai sdk": _openai_sdk,
    "openai sdk stream": _openai_sdk_streamed,
    "anthropic sdk": _anthropic_sdk,
    "requests": _requests,
    "httpx": _httpx,
}


@pytest.mark.parametrize("ask", CLIENTS.values(), ids=CLIENTS)
def test_the_answer_arrives_masked_and_is_recorded(
    ask: Ask, gateway: Installation, model: Upstream, reply: Callable[..., None]
) -> None:
    reply(ANSWER)
    start = gateway.size
    assert ask(model.url) == MASKED
    (exchange,) = gateway.ended(start)
    _check_recorded(exchange, model)
    assert QUESTION_MASKED in exchange.asked
    assert exchange.request.data.findings == {"CREDIT_CARD": 1, "EMAIL_ADDRESS": 1}
    assert exchange.end.data.findings == {"CREDIT_CARD": 1, "EMAIL_ADDRESS": 1}
    assert "<EMAIL_ADDRESS>" in exchange.answered
    assert not [canary for canary in CANARIES if canary in exchange.asked + exchange.answered]


@pytest.mark.usefixtures("gateway")
def test_the_upstream_gets_what_was_sent(model: Upstream) -> None:
    # Masking of requests is off by default: what the journal has is a masked copy.
    echoed = httpx.post(
        f"{model.url}/v1/embeddings", json={"model": "m", "input": [QUESTION]}, timeout=30
    ).raise_for_status()
    direct = model.client.post("/v1/embeddings", json={"model": "m", "input": [QUESTION]})
    assert echoed.json() == direct.json()  # the mock's vector is a hash of the text


def test_langchain_embeddings(gateway: Installation, model: Upstream) -> None:
    start = gateway.size
    # The length check would fetch an encoding from the network.
    embeddings = OpenAIEmbeddings(
        base_url=f"{model.url}/v1", api_key="placeholder", check_embedding_ctx_length=False, max_retries=0
    )
    vectors = embeddings.embed_documents([QUESTION, "another"])
    assert [len(vector) for vector in vectors] == [1536, 1536]
    (exchange,) = gateway.ended(start)
    _check_recorded(exchange, model)
    assert QUESTION_MASKED in exchange.asked


@pytest.mark.parametrize("streaming", [False, True])
@pytest.mark.parametrize("make", [_openai, _anthropic], ids=["openai", "anthropic"])
def test_an_agent_calls_its_tool(
    make: Make, *, streaming: bool, gateway: Installation, model: Upstream, reply: Callable[..., None]
) -> None:
    got: list[tuple[str, str]] = []

    @tool
    def mail(to: str, text: str) -> str:
        """Send a mail."""
        got.append((to, text))
        return f"sent to {EMAIL}"

    reply("", tool_calls=[{"name": "mail", "arguments": {"to": EMAIL, "text": f"Card {CARD} is on file."}}])
    reply(ANSWER)
    start = gateway.size
    agent = create_agent(make(model.url), [mail])
    if streaming:
        updates = agent.stream({"messages": [{"role": "user", "content": QUESTION}]}, stream_mode="messages")
        said = "".join(message.text for message, _ in updates if isinstance(message, AIMessage))
    else:
        said = agent.invoke({"messages": [{"role": "user", "content": QUESTION}]})["messages"][-1].text
    assert said == MASKED
    assert got == [("<EMAIL_ADDRESS>", "Card <CREDIT_CARD> is on file.")]
    exchanges = gateway.ended(start, 2)
    assert len(exchanges) == 2
    assert exchanges[0].request.session == exchanges[1].request.session
    for exchange in exchanges:
        _check_recorded(exchange, model)
        assert not [canary for canary in CANARIES if canary in exchange.asked + exchange.answered]


def _check_recorded(exchange: Exchange, model: Upstream) -> None:
    request, end = exchange.request, exchange.end
    assert end is not None
    assert request.data.subject.sub == "library-bot"
    assert request.data.subject.iss == "https://gatekeeper.local"
    assert len(request.data.subject.token) == 64
    assert request.data.method == "POST"
    assert request.data.target.host == "localhost"
    assert request.data.target.port == model.port
    assert request.data.verdict.rule == "what is on this machine"
    assert end.kind == "response"
    assert end.data.by == "upstream"
    assert end.data.status == 200
    assert end.data.upstream.port == model.port
    assert 0 < end.data.timing.first <= end.data.timing.last
    assert request.time < end.time
    assert request.data.gen_ai
    assert request.data.dialect != "http"


def test_a_client_that_leaves_in_mid_stream_is_recorded_so(
    gateway: Installation, model: Upstream, reply: Callable[..., None]
) -> None:
    reply(ANSWER)
    fault = {"type": "stream_fault", "kind": "stall", "after_chunks": 6, "stall_seconds": 3}
    model.client.post("/_llmock/scenario", json={"behaviors": [fault]}).raise_for_status()
    start = gateway.size
    client = openai.OpenAI(base_url=f"{model.url}/v1", api_key="placeholder", max_retries=0)
    with client.chat.completions.create(model="gpt-4o", messages=BODY["messages"], stream=True) as stream:
        said = "".join(chunk.choices[0].delta.content or "" for chunk, _ in zip(stream, range(4), strict=False))
    assert said
    (exchange,) = gateway.ended(start)
    assert (exchange.end.kind, exchange.end.data.reason, exchange.end.data.side) == ("error", "client-gone", "client")
    assert said.split()[0] in exchange.answered
