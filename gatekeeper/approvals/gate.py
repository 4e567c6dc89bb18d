"""A gate: many may be inside at once, or one alone who changes what they all rely on."""

import asyncio
import contextlib
from collections.abc import AsyncIterator


class Gate:
    """Fair to the one alone: while it waits, nobody else comes in."""

    def __init__(self) -> None:
        self._door = asyncio.Lock()
        self._inside = 0
        self._empty = asyncio.Event()
        self._empty.set()

    @contextlib.asynccontextmanager
    async def among_others(self) -> AsyncIterator[None]:
        """Be inside together with others."""
        async with self._door:
            self._inside += 1
            self._empty.clear()
        try:
            yield
        finally:
            self._inside -= 1
            if not self._inside:
                self._empty.set()

    @contextlib.asynccontextmanager
    async def alone(self) -> AsyncIterator[None]:
        """Wait until all have left, and keep others out."""
        async with self._door:
            await self._empty.wait()
            yield
