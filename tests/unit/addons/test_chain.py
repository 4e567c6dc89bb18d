"""Generations of links: a flow stays with the one it began on."""

import asyncio
import gc

from mitmproxy.test.tflow import tflow

from addons.chain import Chain


class Link:
    def __init__(self, name: str, told: list[str]) -> None:
        self.told_name, self.told = name, told

    async def requestheaders(self, _flow: object) -> None:
        self.told.append(f"{self.told_name} begins")

    async def request(self, _flow: object) -> None:
        self.told.append(f"{self.told_name} asks")

    def client_disconnected(self, _client: object) -> None:
        self.told.append(f"{self.told_name} is left")


def test_a_flow_that_has_begun_stays_with_its_links_and_a_new_one_gets_the_new() -> None:
    told: list[str] = []
    chain = Chain([Link("old", told)])
    old, new = tflow(), tflow()

    async def story() -> None:
        await chain.requestheaders(old)
        chain.replace([Link("new", told)])
        await chain.request(old)
        await chain.requestheaders(new)
        await chain.request(new)
        chain.client_disconnected(None)

    asyncio.run(story())
    assert told == ["old begins", "old asks", "new begins", "new asks", "new is left"]


def test_old_links_go_with_their_last_flow() -> None:
    chain = Chain([Link("old", [])])
    flow = tflow()
    asyncio.run(chain.requestheaders(flow))
    chain.replace([Link("new", [])])
    assert len(chain._begun) == 1
    del flow
    gc.collect()
    assert not chain._begun
