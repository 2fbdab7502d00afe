"""What a monitor is told: that we live, that we are ready, how we run; and where it may ask."""

import asyncio
import logging
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, nullcontext
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from bots.health import Health
from bots.settings import BotSettings
from core.errors import SettingsError, StoreError
from core.settings import load
from core.store import open_store
from tests.core.conftest import prepared
from tests.core.house import Faulty
from tests.core.stand_ins import incoming
from tests.core.test_sqlite import of
from tests.numbers import Numbers
from tests.servers.postgres import PostgresServer


@pytest.fixture
async def fault(tmp_path: Path) -> AsyncIterator[Faulty]:
    """A store that can fail."""
    opened = await open_store(tmp_path / "causerie.db")
    yield Faulty(opened)
    await opened.close()


@asynccontextmanager
async def served(health: Health) -> AsyncIterator[aiohttp.ClientSession]:
    """Let it answer; yield what asks it."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        address = f"127.0.0.1:{free.getsockname()[1]}"
    async with (
        health.served(address, is_default=False),
        aiohttp.ClientSession(f"http://{address}") as session,
    ):
        yield session


def opened(fault: Faulty, *, seconds: float = 10.0) -> Health:
    """Return what is known of a process; its store has so long to answer."""
    store: Any = fault
    return Health(store, seconds=seconds)


async def test_a_process_that_starts_or_ends_is_alive_but_not_ready(fault: Faulty) -> None:
    """Ready is only what takes messages in and answers them."""
    health = opened(fault)
    async with served(health) as session:
        for is_started in (False, True, False):
            with health.started() if is_started else nullcontext():
                async with session.get("/healthz") as answer:
                    assert answer.status == 200
                async with session.get("/readyz") as answer:
                    assert answer.status == (200 if is_started else 503)
                    found = await answer.json()
            wanted = "ok" if is_started else "starts or ends"
            assert found["ready"] is is_started
            assert found["checks"] == {"process": wanted, "store": "ok"}


async def test_what_is_wrong_is_named(fault: Faulty) -> None:
    """By the check that fails, without a secret."""
    health = opened(fault)
    health.checks |= {"telegram": lambda: "hears nothing", "worker": lambda: ""}
    async with served(health) as session:
        with health.started():
            async with session.get("/readyz") as answer:
                assert answer.status == 503
                found = await answer.json()
    assert found == {
        "ready": False,
        "checks": {
            "process": "ok",
            "telegram": "hears nothing",
            "worker": "ok",
            "store": "ok",
        },
    }


async def test_a_store_that_fails_is_not_ready(fault: Faulty) -> None:
    """And what waits in it is not known."""

    async def fail() -> None:
        raise StoreError("The disk is full.")

    fault.before["depth"] = fail
    health = opened(fault)
    async with served(health) as session:
        with health.started():
            async with session.get("/readyz") as answer:
                assert answer.status == 503
                assert (await answer.json())["checks"]["store"] == "fails"
            async with session.get("/metrics") as answer:
                assert answer.status == 200
                assert not Numbers(await answer.text()).is_known("queue_messages")


@pytest.mark.parametrize("kind", ["sqlite", "postgres"])
async def test_a_store_that_can_only_be_read_is_not_ready(
    tmp_path: Path, postgres_server: PostgresServer, kind: str
) -> None:
    """As on a full disk, or a server that follows another; it is again once that is over."""
    where: Path | str = tmp_path / "read.db"
    name = await prepared(postgres_server) if kind == "postgres" else ""
    if name:
        where = postgres_server.url(name)
    store = await open_store(where)

    async def set_read_only(value: str) -> None:
        if not name:
            await of(store)._connection.execute(f"PRAGMA query_only = {value}")
            return
        postgres_server.admin(
            f'ALTER DATABASE "{name}" SET default_transaction_read_only = {value}'
        )
        postgres_server.restart()

    async def ask(session: aiohttp.ClientSession) -> tuple[int, str]:
        async with session.get("/readyz") as answer:
            return answer.status, (await answer.json())["checks"]["store"]

    health = Health(store, seconds=10.0)
    async with served(health) as session:
        with health.started():
            await set_read_only("on")
            with pytest.raises(StoreError):
                await store.put(incoming(1, "hi"), "message")
            assert [await ask(session) for _ in range(2)] == [(503, "stores nothing")] * 2
            async with session.get("/metrics") as answer:
                assert Numbers(await answer.text())("queue_messages") == 0
            await set_read_only("off")
            assert await ask(session) == (200, "ok")
            assert await store.put(incoming(1, "hi"), "message")
            assert await ask(session) == (200, "ok")
    await store.close()


async def test_a_store_that_hangs_is_asked_once(fault: Faulty) -> None:
    """However often a monitor asks; it is ready again once the store answers."""
    gate = asyncio.Event()
    fault.before["depth"] = gate.wait
    health = opened(fault, seconds=0.05)
    async with served(health) as session:
        with health.started():
            for _ in range(3):
                async with session.get("/readyz") as answer:
                    assert answer.status == 503
                    wrong = (await answer.json())["checks"]["store"]
                    assert wrong == "does not answer within 0.05 s"
            assert fault.calls.count("depth") == 1
            gate.set()
            async with session.get("/readyz") as answer:
                assert answer.status == 200
            gate.clear()
            async with session.get("/readyz") as answer:
                assert answer.status == 503


async def test_a_store_that_fails_late_is_no_more_than_that(fault: Faulty) -> None:
    """Its error is read, though nobody waits for it any more."""
    gate = asyncio.Event()

    async def fail() -> None:
        await gate.wait()
        raise StoreError("late")

    fault.before["depth"] = fail
    async with served(opened(fault, seconds=0.05)) as session:
        async with session.get("/readyz") as answer:
            assert answer.status == 503
        gate.set()
        async with session.get("/healthz") as answer:
            assert answer.status == 200


async def test_a_scrape_asks_the_store_rarely(fault: Faulty) -> None:
    """Two monitors cost no more than one."""
    async with served(opened(fault)) as session:
        for _ in range(3):
            async with session.get("/metrics") as answer:
                assert answer.headers["Content-Type"].startswith("text/plain; version=0.0.4;")
                numbers = Numbers(await answer.text())
    assert fault.calls == ["depth"]
    assert numbers("queue_messages") == numbers("outbox_messages") == 0
    assert numbers("info") == 1
    assert numbers("uptime_seconds") > 0


async def test_what_is_no_http_stays_out_of_the_log(
    fault: Faulty, caplog: pytest.LogCaptureFixture
) -> None:
    """Whoever knocks gets a 400, and can neither fill the log nor write into it."""
    async with served(opened(fault)) as session:
        async with session.get("/healthz") as answer:
            host, port = answer.url.host, answer.url.port
        for line in ("GET / HTTP/1.1\r\nNo header\r\n\r\n", f"GET /{'x' * 20_000} HTTP/1.1\r\n"):
            reader, writer = await asyncio.open_connection(host, port)
            writer.write(line.encode())
            assert b" 400 " in await reader.readline()
            writer.close()
        async with session.get("/healthz") as answer:
            assert answer.status == 200
    assert not [record for record in caplog.records if record.levelno >= logging.WARNING]


async def test_a_port_that_is_taken(fault: Faulty, caplog: pytest.LogCaptureFixture) -> None:
    """It is an error if somebody chose it; else it goes on without."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        with pytest.raises(SettingsError, match="HEALTH_LISTEN: cannot listen on"):
            async with opened(fault).served(address, is_default=False):
                pass
        async with opened(fault).served(address, is_default=True):
            pass
    assert "no monitor can ask how this process runs: HEALTH_LISTEN" in caplog.text


@pytest.mark.parametrize("value", ["9464", "localhost", "localhost:x", ":9464", "host:70000"])
def test_a_wrong_address_is_named(monkeypatch: pytest.MonkeyPatch, value: str) -> None:
    """With what would be right."""
    monkeypatch.setenv("HEALTH_LISTEN", value)
    with pytest.raises(SettingsError, match="HEALTH_LISTEN: should look like"):
        load(BotSettings)


@pytest.mark.parametrize(
    ("value", "found"), [("Off", "off"), ("0.0.0.0:1 ", "0.0.0.0:1"), ("[::1]:80", "[::1]:80")]
)
def test_an_address(monkeypatch: pytest.MonkeyPatch, value: str, found: str) -> None:
    """Of this machine or for others, or none."""
    monkeypatch.setenv("HEALTH_LISTEN", value)
    assert load(BotSettings).health_listen == found
