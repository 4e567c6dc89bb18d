"""What a token costs, beside PyJWT's own verification; and what other callers notice while an issuer misbehaves.

    uv run python benchmarks/identity.py [--write]

* A token that comes first is read and checked whole; one that was seen on this connection is looked up. PyJWT decodes
  and verifies the same tokens, with the same key at hand.
* Meanwhile: one caller with a known key verifies every millisecond, while strangers bring tokens with unknown keys and
  their issuer is down, silent, drips, or answers with a key set as large as may be. What such a caller waits for
  is the processor time that the process spends between two of its calls, the misbehaving server's included, since that
  runs in the same one. Its p99 is compared with that of an issuer that answers well, in the same interleaved rounds.

`--write` keeps the figures in `benchmarks/results/identity.md`.
"""

import asyncio
import contextlib
import datetime as dt
import ssl
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final

import issuers
import jwt
from issuer_pages import Page, drips, is_silent, large, never_ends, well
from issuers import table
from machine import busy_seconds, facts
from tokens import ISSUER, KEYS, key_set, token

from gatekeeper.cli.demo.certificates import make_certificate
from gatekeeper.config import IdentityConfig, IssuerConfig
from gatekeeper.exchange import now
from gatekeeper.identity import IdentityError, Verifier
from gatekeeper.identity.fetch import https_fetch, trusted_roots

ROUNDS: Final = 5
TOKENS: Final = 300
LOOKS: Final = 20_000
SECONDS: Final = 1.0
STRANGERS: Final = 200
"""Tokens with unknown keys a second."""

RESULTS: Final = Path(__file__).parent / "results" / "identity.md"


def verifier(folder: Path, jwks: str = "") -> Verifier:
    """Open one over a file, or over a URL."""
    path = folder / "jwks.json"
    path.write_bytes(key_set())
    issuer = IssuerConfig(issuer=ISSUER, jwks=jwks or str(path), algorithms=tuple(KEYS))
    fetch = https_fetch(lambda: trusted_roots(str(folder / "tls" / "ca.pem")), time_limit=20)
    return Verifier.load(IdentityConfig(issuers=(issuer,)), fetch=fetch)


def per_call(calls: int, work: Callable[[], object]) -> float:
    """Give µs of processor time a call, which other programs change less than the clock on the wall."""
    began = time.thread_time()
    work()
    return (time.thread_time() - began) / calls * 1e6


def token_costs(folder: Path) -> Iterator[str]:
    """Measure new and seen tokens beside PyJWT."""
    public = {alg: key.public_key() for alg, key in KEYS.items()}
    for alg in KEYS:
        samples: list[tuple[float, float, float]] = []
        for round_ in range(ROUNDS):
            made = [token(alg, round_ * TOKENS + number) for number in range(TOKENS)]
            one, at, last = verifier(folder), now(), made[-1]
            new = per_call(TOKENS, lambda one=one, made=made, at=at: [one.verify(each, at) for each in made])
            peer = per_call(
                TOKENS,
                lambda made=made, alg=alg: [
                    jwt.decode(each, public[alg], algorithms=[alg], audience="gatekeeper", issuer=ISSUER)
                    for each in made
                ],
            )
            seen = per_call(LOOKS, lambda one=one, last=last, at=at: [one.verify(last, at) for _ in range(LOOKS)])
            samples.append((new, peer, seen))
        new, peer, seen = (statistics.median(column) for column in zip(*samples, strict=True))
        ratio = statistics.median(new / peer for new, peer, _ in samples)
        yield f"| {alg} | {new:.0f} | {peer:.0f} | {ratio:.2f}x | {seen:.1f} | {peer / seen:.0f}x |"


PAGES: Final[dict[str, Page | None]] = {
    "answers well": well,
    "is down": None,
    "is silent": is_silent,
    "drips": drips,
    "never ends": never_ends,
    "answers with 100 keys": large,
}


async def p99(folder: Path, page: Page | None, *, strangers: bool) -> float:
    """Give the p99, in µs, of what is spent between two calls of a caller that verifies every millisecond."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError, asyncio.IncompleteReadError):
            await reader.readuntil(b"\r\n\r\n")
            await (well if page is None or not warmed else page)(writer)
        writer.close()

    warmed = False
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder / "tls" / "server.pem", folder / "tls" / "server.key")
    server = await asyncio.start_server(serve, "localhost", 0, ssl=context)
    one = verifier(folder, f"https://localhost:{server.sockets[0].getsockname()[1]}/jwks")
    await one.warm()
    warmed = True
    if page is None:
        server.close()
    known = token("EdDSA", 0)
    one.verify(known, now())
    asking = asyncio.create_task(_strangers(one)) if strangers else None
    late: list[float] = []
    began = time.perf_counter()
    for number in range(int(SECONDS * 1000)):
        due = began + number / 1000
        spent = time.process_time()
        await asyncio.sleep(max(0.0, due - time.perf_counter()))
        await one.identify(known, now())
        late.append(time.process_time() - spent)
    if asking is not None:
        asking.cancel()
    server.close()
    server.abort_clients()
    return sorted(late)[int(len(late) * 0.99)] * 1e6


async def _strangers(one: Verifier) -> None:
    """Bring tokens with unknown keys, each awaited by its own caller; every so often one is let ask the issuer."""
    tasks: set[asyncio.Task[None]] = set()
    made = [token("EdDSA", number, f"unknown-{number}") for number in range(STRANGERS)]
    number = 0

    async def bring(stranger: str) -> None:
        with contextlib.suppress(IdentityError):
            await one.identify(stranger, now())

    while True:
        task = asyncio.create_task(bring(made[number % STRANGERS]))
        tasks.add(task)
        task.add_done_callback(tasks.discard)
        number += 1
        await asyncio.sleep(1 / STRANGERS)


def neighbours(folder: Path) -> Iterator[str]:
    """Measure what a caller with a known key notices of an issuer that misbehaves."""
    samples: dict[str, list[float]] = {"quiet": [], **{name: [] for name in PAGES}}
    for _ in range(ROUNDS):
        samples["quiet"].append(asyncio.run(p99(folder, well, strangers=False)))
        for name, page in PAGES.items():
            samples[name].append(asyncio.run(p99(folder, page, strangers=True)))
    for name, values in samples.items():
        ratios = sorted(value / usual for value, usual in zip(values, samples["answers well"], strict=True))
        spread = f"{statistics.median(ratios):.2f}x ({ratios[0]:.2f} to {ratios[-1]:.2f})"
        yield f"| {name} | {statistics.median(values):.0f} | {spread} |"


def report(folder: Path) -> str:
    """Measure all, and write it up."""
    make_certificate(folder / "tls")
    busy, began = busy_seconds(), time.perf_counter()
    costs, noticed, callers = list(token_costs(folder)), list(neighbours(folder)), list(issuers.neighbours(folder))
    others = (busy_seconds() - busy) / (time.perf_counter() - began) / 2
    lines = [
        "# Identity", "", *(__doc__ or "").split("\n\n", 1)[1].strip().splitlines(), "",
        *(f"* {fact}" for fact in facts(folder, [others])),
        f"* {ROUNDS} rounds, {dt.datetime.now(dt.UTC):%Y-%m-%d}; all but the last table in processor time", "",
        "## A token", "",
        "| | new, µs | PyJWT, µs | ratio | seen, µs | PyJWT / seen |", "| --- | ---: | ---: | ---: | ---: | ---: |",
        *costs, "",
        "## A caller with a known key, while strangers bring 200 unknown keys a second and their issuer …", "",
        "| | p99, µs | to an issuer that answers well |", "| --- | ---: | ---: |", *noticed, "",
        "## Callers of a running gateway, while strangers ask for 100 tunnels a second and their issuer …", "",
        *(issuers.__doc__ or "").split("\n\n", 1)[1].strip().splitlines(), "",
        *table(callers), "",
    ]  # fmt: skip
    return "\n".join(lines)


def main() -> None:
    """Print the report, and keep it where asked."""
    with tempfile.TemporaryDirectory() as folder:
        text = report(Path(folder))
    print(text)
    if "--write" in sys.argv:
        RESULTS.write_text(text)


if __name__ == "__main__":
    main()
