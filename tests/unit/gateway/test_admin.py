"""The admin API over a real Unix socket: what it answers, what it refuses, who may open it."""

import asyncio
import json
import os
import signal
import socket
import stat
from collections.abc import Awaitable, Callable
from pathlib import Path

import httpx
import pytest
from reviewing import ALICE, SigningKey, Station, a_hold, allowed_signers, config_for, held, statement_on

from gatekeeper.approvals import Desk
from gatekeeper.gateway.admin import create_admin, serve_admin
from gatekeeper.gateway.answers import BODY_LIMIT
from gatekeeper.gateway.health import Health
from gatekeeper.journal.entries import DecisionData

NO_MORE = {"config": "", "reload": "ok", "disk": "ok", "wal": "ok", "anchors": {}}
WELL = Health(journal=None, listening=True)
SECRET_WORD = "4111"

type Story = Callable[[Desk, httpx.AsyncClient], Awaitable[None]]


@pytest.fixture(scope="module")
def key(tmp_path_factory: pytest.TempPathFactory) -> SigningKey:
    return SigningKey.make(tmp_path_factory.mktemp("key"), ALICE)


@pytest.fixture
def station(tmp_path: Path, key: SigningKey) -> Station:
    return Station(tmp_path, config_for(tmp_path, allowed_signers({ALICE: key})))


def tell(station: Station, story: Story, health: Health = WELL) -> None:
    """Run a story against a served desk with one call held."""

    async def run() -> None:
        desk = await station.open()
        path = station.folder / "run" / "admin.sock"
        admin = await serve_admin(create_admin(desk, lambda: health, lambda text: SECRET_WORD in text), path)
        await held(desk, a_hold())
        transport = httpx.AsyncHTTPTransport(uds=str(path))
        async with httpx.AsyncClient(transport=transport, base_url="http://gatekeeper") as client:
            await story(desk, client)
        await desk.close()
        await admin.stop()
        assert not path.exists()

    asyncio.run(asyncio.wait_for(run(), 30))


def body_of(statement: bytes, key: SigningKey) -> dict[str, str]:
    return {"statement": statement.decode(), "signature": key.sign(statement)}


@pytest.mark.parametrize(
    ("health", "status", "said"),
    [
        (WELL, 200, {"status": "ok", "journal": "ok", "listening": True, "held": 1} | NO_MORE),
        (
            Health(journal="disk full", listening=True),
            503,
            {"status": "failing", "journal": "disk full", "listening": True, "held": 1} | NO_MORE,
        ),
        (
            Health(journal=None, listening=True, wal=80 << 20),
            200,
            {"status": "ok", "journal": "ok", "listening": True, "held": 1}
            | NO_MORE
            | {"wal": "80 MiB: somebody reads in one long transaction"},
        ),
        (
            Health(journal=None, listening=False),
            503,
            {"status": "failing", "journal": "ok", "listening": False, "held": 1} | NO_MORE,
        ),
    ],
)
def test_health_says_how_it_is(station: Station, health: Health, status: int, said: dict[str, object]) -> None:
    async def story(_: Desk, client: httpx.AsyncClient) -> None:
        answer = await client.get("/healthz")
        assert (answer.status_code, answer.json()) == (status, said)

    tell(station, story, health)


def test_an_approval_is_listed_shown_and_decided_on(station: Station, key: SigningKey) -> None:
    async def story(desk: Desk, client: httpx.AsyncClient) -> None:
        (listed,) = (await client.get("/v1/approvals")).json()
        shown = (await client.get(f"/v1/approvals/{listed['id'][:8]}")).json()
        assert shown["approval"] == listed
        assert {name: listed[name] for name in ("state", "digest", "request", "url", "waiting")} == {
            "state": "pending",
            "digest": a_hold().digest,
            "request": a_hold().request.leaf,
            "url": a_hold().view.url,
            "waiting": 1,
        }
        assert json.loads(shown["body"]) == {"card": "<CREDIT_CARD>", "amount": 20.5}
        second = asyncio.create_task(desk.hold(a_hold(2), asyncio.Event()))
        answer = await client.post(
            f"/v1/approvals/{listed['id']}/decisions", json=body_of(statement_on(desk.pending()[0], ALICE), key)
        )
        assert (answer.status_code, answer.json()) == (
            200,
            {"approval": listed["id"], "state": "used", "approved": 1, "quorum": 1, "grant": None},
        )
        await second

    tell(station, story)


@pytest.mark.parametrize(
    ("method", "path", "status", "said"),
    [
        ("GET", "/", 404, "Not Found"),
        ("GET", "/v1/approvals/apr-aaaaaaaaaa", 404, "there is no approval"),
        ("GET", "/v1/approvals/%1b%5b31m", 404, "there is no approval"),
        ("POST", "/v1/approvals", 405, "Method Not Allowed"),
        ("DELETE", "/v1/approvals/apr-aaaaaaaaaa", 405, "Method Not Allowed"),
        ("POST", "/v1/approvals/apr-aaaaaaaaaa/decisions", 400, "expected"),
    ],
)
def test_what_is_not_there_is_one_line_of_json(
    station: Station, method: str, path: str, status: int, said: str
) -> None:
    async def story(_: Desk, client: httpx.AsyncClient) -> None:
        answer = await client.request(method, path)
        assert answer.status_code == status
        assert said in answer.json()["error"]
        assert "\n" not in answer.json()["error"]

    tell(station, story)


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"[]",
        b"{}",
        b"\xff",
        b'{"statement": 1, "signature": ""}',
        b'{"statement": "", "signature": "", "more": 1}',
        b'{"statement": "\\ud800", "signature": ""}',
    ],
)
def test_a_decision_of_another_form_is_refused(station: Station, body: bytes) -> None:
    async def story(desk: Desk, client: httpx.AsyncClient) -> None:
        answer = await client.post(f"/v1/approvals/{desk.pending()[0].id}/decisions", content=body)
        assert answer.status_code == 400
        assert "expected" in answer.json()["error"]

    tell(station, story)


def test_a_body_over_the_limit_is_refused(station: Station) -> None:
    async def story(desk: Desk, client: httpx.AsyncClient) -> None:
        place = f"/v1/approvals/{desk.pending()[0].id}/decisions"
        for size, status in ((BODY_LIMIT, 400), (BODY_LIMIT + 1, 413)):
            answer = await client.post(place, content=b"x" * size)
            assert answer.status_code == status
            assert answer.json()["error"]

    tell(station, story)


def test_decisions_that_do_not_count_are_refused_with_the_reason(station: Station, key: SigningKey) -> None:
    async def story(desk: Desk, client: httpx.AsyncClient) -> None:
        (view,) = desk.pending()
        place = f"/v1/approvals/{view.id}/decisions"
        for statement, said in (
            (statement_on(view, "mallory@example.com"), "no reviewer"),
            (statement_on(view, ALICE, approval="apr-bbbbbbbbbb"), "another approval"),
            (statement_on(view, ALICE, reason=f"card {SECRET_WORD}"), "personal data"),
        ):
            answer = await client.post(place, json=body_of(statement, key))
            assert answer.status_code == 403
            assert said in answer.json()["error"]
        assert station.recording.of(DecisionData) == []

    tell(station, story)


def test_a_journal_that_is_down_is_said(station: Station, key: SigningKey) -> None:
    async def story(desk: Desk, client: httpx.AsyncClient) -> None:
        (view,) = desk.pending()
        station.recording.down_for = lambda data: isinstance(data, DecisionData)
        answer = await client.post(f"/v1/approvals/{view.id}/decisions", json=body_of(statement_on(view, ALICE), key))
        assert (answer.status_code, answer.json()) == (503, {"error": "the disk is full"})

    tell(station, story)


def test_the_socket_is_never_wider_than_its_group(station: Station) -> None:
    async def story(_desk: Desk, _client: httpx.AsyncClient) -> None:
        path = station.folder / "run" / "admin.sock"
        assert stat.S_IMODE(path.stat().st_mode) == 0o660
        assert stat.S_IMODE(path.parent.stat().st_mode) == 0o750

    old = os.umask(0)
    try:
        tell(station, story)
        assert os.umask(0) == 0
    finally:
        os.umask(old)


def test_the_signals_stay_the_gateway_s(station: Station) -> None:
    def mine(_number: int, _frame: object) -> None: ...

    before = signal.signal(signal.SIGTERM, mine)

    async def story(_desk: Desk, _client: httpx.AsyncClient) -> None:
        assert signal.getsignal(signal.SIGTERM) is mine

    try:
        tell(station, story)
        assert signal.getsignal(signal.SIGTERM) is mine
    finally:
        signal.signal(signal.SIGTERM, before)


def test_a_socket_that_a_killed_gateway_left_is_replaced(station: Station) -> None:
    path = station.folder / "run" / "admin.sock"
    path.parent.mkdir()
    with socket.socket(socket.AF_UNIX) as left:
        left.bind(str(path))

    async def story(_: Desk, client: httpx.AsyncClient) -> None:
        assert (await client.get("/healthz")).status_code == 200

    tell(station, story)


def test_a_socket_that_is_answered_stays_and_so_does_anything_else(station: Station) -> None:
    async def begin(path: Path) -> None:
        await serve_admin(create_admin(await station.open(), lambda: WELL, lambda _: False), path)

    with socket.socket(socket.AF_UNIX) as other:
        path = station.folder / "other.sock"
        other.bind(str(path))
        other.listen()
        with pytest.raises(OSError, match=f"{path}: another gateway answers there"):
            asyncio.run(begin(path))
    plain = station.folder / "plain"
    plain.write_text("precious")
    with pytest.raises(FileExistsError, match="no socket"):
        asyncio.run(begin(plain))
    assert plain.read_text() == "precious"


def test_a_path_too_long_for_a_socket_and_a_group_that_is_not_there_are_said(station: Station) -> None:
    async def begin(path: Path, group: str | None) -> None:
        await serve_admin(create_admin(await station.open(), lambda: WELL, lambda _: False), path, group)

    with pytest.raises(OSError, match="too long for a socket"):
        asyncio.run(begin(station.folder / ("x" * 120), None))
    with pytest.raises(PermissionError, match="no-such-group"):
        asyncio.run(begin(station.folder / "admin.sock", "no-such-group"))


def test_stopping_leaves_a_socket_that_another_gateway_has_put_there(station: Station) -> None:
    path = station.folder / "admin.sock"

    async def run() -> None:
        desk = await station.open()
        admin = await serve_admin(create_admin(desk, lambda: WELL, lambda _: False), path)
        path.unlink()
        with socket.socket(socket.AF_UNIX) as other:
            other.bind(str(path))
            await admin.stop()
            assert path.exists()
        await desk.close()

    asyncio.run(run())


def test_answers_of_a_closed_desk_are_still_json(station: Station, key: SigningKey) -> None:
    async def story(desk: Desk, client: httpx.AsyncClient) -> None:
        (view,) = desk.pending()
        await desk.close()
        assert (await client.get(f"/v1/approvals/{view.id}")).status_code == 404
        answer = await client.post(f"/v1/approvals/{view.id}/decisions", json=body_of(statement_on(view, ALICE), key))
        assert answer.status_code == 403
        assert "stopping" in answer.json()["error"]

    async def run() -> None:
        desk = await station.open()
        path = station.folder / "admin.sock"
        admin = await serve_admin(create_admin(desk, lambda: WELL, lambda _: False), path)
        await held(desk, a_hold())
        async with httpx.AsyncClient(
            transport=httpx.AsyncHTTPTransport(uds=str(path)), base_url="http://gatekeeper"
        ) as client:
            await story(desk, client)
        await admin.stop()

    asyncio.run(run())
