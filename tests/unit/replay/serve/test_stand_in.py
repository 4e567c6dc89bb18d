"""The stand-in, with real clients: it answers from the recording and from nowhere else."""

import asyncio
import ssl
import time
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path

import httpx
import pytest
from journals import chunk, error, request, response, write_journal
from recorded import changed

from gatekeeper.config import MaskingConfig
from gatekeeper.journal import Content, Draft, Reader
from gatekeeper.masking import Masker
from gatekeeper.replay import calls
from gatekeeper.replay.serve import Cassette, StandIn

URL = "https://api.example.com/v1/chat"

type Standing = Callable[..., AbstractAsyncContextManager[tuple[httpx.AsyncClient, Cassette]]]


@pytest.fixture
def standing(tmp_path: Path) -> Standing:
    @asynccontextmanager
    async def stand(*drafts: Draft, timed: bool = False) -> AsyncIterator[tuple[httpx.AsyncClient, Cassette]]:
        await asyncio.to_thread(write_journal, tmp_path, drafts)
        with Reader(tmp_path / "journal", tmp_path / "keys") as reader:
            cassette = Cassette.of(calls(reader, reader.entries(0, reader.size)))
        stand_in = StandIn(cassette, Masker(MaskingConfig(), b"\0" * 32), 1 << 16, timed=timed)
        stand_in.write_authority(tmp_path / "ca.pem")
        port = await stand_in.start()
        try:
            proxy = f"http://127.0.0.1:{port}"
            async with httpx.AsyncClient(
                proxy=proxy, verify=ssl.create_default_context(cafile=tmp_path / "ca.pem"), timeout=10
            ) as client:
                yield client, cassette
        finally:
            await stand_in.stop()

    return stand


def test_a_recorded_call_is_answered_and_personal_data_in_it_does_not_matter(standing: Standing) -> None:
    asked = changed(request(1), content=Content("application/json", b'{"card":"<CREDIT_CARD>"}'))

    async def story() -> None:
        async with standing(asked, response(1)) as (client, cassette):
            answer = await client.post(URL, json={"card": "4111 1111 1111 1111"})
            assert (answer.status_code, answer.content) == (200, b'{"a":"world"}')
            assert cassette.left == []

    asyncio.run(story())


def test_what_is_not_recorded_is_refused_in_the_providers_shape_and_not_tried_again(standing: Standing) -> None:
    asked = changed(request(1), url="https://api.openai.com/v1/chat/completions")

    async def story() -> None:
        async with standing(asked, response(1)) as (client, cassette):
            answer = await client.post("https://api.openai.com/v1/chat/completions", json={"q": "other"})
            assert answer.status_code == 403
            assert answer.headers["x-should-retry"] == "false"
            assert "nearest is call 1" in answer.json()["error"]["message"]
            assert len(cassette.departures) == 1

    asyncio.run(story())


def test_several_requests_go_over_one_connection_and_a_large_one_is_refused(standing: Standing) -> None:
    async def story() -> None:
        async with standing(request(1), response(1), request(2), response(2)) as (client, cassette):
            for _ in range(2):
                assert (await client.post(URL, content=b'{"q":"hello"}')).status_code == 200
            with pytest.raises(httpx.HTTPError):
                await client.post(URL, content=b"x" * (1 << 17))
            assert cassette.served == 2

    asyncio.run(story())


def test_a_stream_comes_in_its_time(standing: Standing) -> None:
    first = changed(
        chunk(1, 0), content=Content("text/event-stream", b"data: 1\n\ndata: 2\n\n", ((1, 9), (300_000, 18)))
    )

    async def story() -> list[float]:
        async with (
            standing(request(1), first, response(1, chunks=1), timed=True) as (client, _),
            client.stream("POST", URL, content=b'{"q":"hello"}') as answer,
        ):
            return [time.monotonic() async for _piece in answer.aiter_raw()]

    moments = asyncio.run(story())
    assert len(moments) == 2
    assert moments[1] - moments[0] > 0.2


def test_a_call_whose_client_left_gets_no_answer_and_one_that_broke_an_error(standing: Standing) -> None:
    def broken(number: int, side: str) -> Draft:
        return changed(error(number), side=side)

    async def story() -> None:
        async with standing(request(1), broken(1, "client"), request(2), broken(2, "upstream")) as (client, _):
            with pytest.raises(httpx.HTTPError):
                await client.post(URL, content=b'{"q":"hello"}')
            answer = await client.post(URL, content=b'{"q":"hello"}')
            assert answer.status_code == 502

    asyncio.run(story())


def test_it_connects_to_nothing(standing: Standing, monkeypatch: pytest.MonkeyPatch) -> None:
    async def story() -> None:
        async with standing(request(1), response(1)) as (client, _):
            loop = asyncio.get_running_loop()
            asked: list[object] = []
            real = loop.getaddrinfo

            async def watched(host: object, *rest: object, **more: object) -> object:
                asked.append(host)
                return await real(host, *rest, **more)  # type: ignore[arg-type]

            monkeypatch.setattr(loop, "getaddrinfo", watched)
            await client.post(URL, content=b'{"q":"hello"}')
            await client.post("https://elsewhere.invalid/", content=b"x")
            assert set(asked) <= {"127.0.0.1"}

    asyncio.run(story())
