"""How the command runs, as a monitor sees it."""

import asyncio
import json
import signal
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any, get_args

import aiohttp
import pytest

from core.types import Kind
from tests.crash.platforms import Discord, Platform, Telegram
from tests.crash.program import START_SECONDS
from tests.crash.world import World, served
from tests.numbers import Numbers
from tests.ports import free_address
from tests.servers.openai import broken, rate_limited
from tests.servers.postgres import PostgresServer

DEFAULT_PORT = 9464


@asynccontextmanager
async def monitored(world: World) -> AsyncIterator[aiohttp.ClientSession]:
    """Run the command; yield what asks it how it runs."""
    world.is_measured = True
    async with served(world) as program:
        url = f"http://{world.settings['HEALTH_LISTEN']}"
        async with aiohttp.ClientSession(url) as session:
            await answering(session)
            yield session
        program.send(signal.SIGTERM)
        assert await program.wait() == 0


async def answering(session: aiohttp.ClientSession) -> None:
    """Wait until it answers at all."""
    async with asyncio.timeout(START_SECONDS):
        while True:
            try:
                async with session.get("/healthz") as answer:
                    assert answer.status == 200
                    return
            except aiohttp.ClientConnectorError:
                await asyncio.sleep(0.05)


async def ready(session: aiohttp.ClientSession, *, is_ready: bool = True) -> dict[str, Any]:
    """Wait until it is ready, or is not; return what it says."""
    async with asyncio.timeout(START_SECONDS):
        while True:
            async with session.get("/readyz") as answer:
                found: dict[str, Any] = await answer.json()
                assert answer.status == (200 if found["ready"] else 503)
            if found["ready"] is is_ready:
                return found
            await asyncio.sleep(0.02)


async def scrape(session: aiohttp.ClientSession) -> Numbers:
    """Return what the metrics say."""
    async with session.get("/metrics") as answer:
        return Numbers(await answer.text())


@pytest.mark.parametrize("platform", [Telegram, Discord])
async def test_a_process_says_how_it_runs(
    tmp_path: Path, platform: Callable[[], Platform]
) -> None:
    """What was asked, answered, refused by others and tried again, in numbers that agree."""
    async with World(
        tmp_path, platform(), HEALTH_LISTEN=free_address(), LOG_FORMAT="json", LOG_LEVEL="DEBUG"
    ) as world:
        name = type(world.platform).__name__.lower()
        async with monitored(world) as session:
            assert (await ready(session))["checks"] == {
                "process": "ok",
                "store": "ok",
                name: "ok",
                "worker": "ok",
            }
            rare = [
                sample.labels["kind"]
                for sample in (await scrape(session)).samples
                if sample.labels.items() >= {"platform": name, "outcome": "buried"}.items()
            ]
            assert set(rare) == set(get_args(Kind))
            world.openai.fail(rate_limited(retry_after=0.01))
            world.openai.fail(broken())
            post = {"telegram": "sendMessage", "discord": "create_message"}[name]
            server: Any = world.platform.server
            if name == "telegram":
                server.fail_next(post, retry_after=1)
            else:
                server.limit_next(post, 0.2)
            for _ in range(3):
                room = world.room()
                for _ in range(2):
                    world.ask(room, world.mark("m"))
                    await world.settle()
            found = await scrape(session)
    assert found("received_total", platform=name, kind="message") == 6
    assert found("turns_total", platform=name, kind="message", outcome="answered") == 6
    assert found("turns_total") == 6
    causes = {cause: found("model_failures_total", cause=cause) for cause in ("busy", "broken")}
    assert causes == {"busy": 1, "broken": 1}
    assert found("retries_total", where="model") == 2
    assert found("rate_limited_total", platform=name) >= 1
    assert found("model_calls_total", purpose="chat") == 6
    assert found("tokens_total", direction="input") > found("tokens_total", direction="output")
    assert found("cost_usd_total") > 0
    assert found("holds_total", result="held") == 6
    for step in ("waiting", "prepare", "first_token", "model", "commit", "deliver", "total"):
        assert found("step_seconds_count", step=step) == 6, step
    assert found("step_seconds_count", step="visible") >= 1
    waiting = ("queue_messages", "outbox_messages", "dead_messages", "holds_open", "held_chats")
    assert [found(metric) for metric in waiting] == [0] * len(waiting)
    assert found("leases_lost_total") == found("store_failures_total") == 0
    assert found("store_seconds_count") >= 6 * 5
    _check_log(world.log())


def _check_log(log: str) -> None:
    """See that every line of a step names the turn, and no turn another's chat."""
    lines = [json.loads(line) for line in log.splitlines()]
    chats: dict[int, set[int]] = {}
    for line in lines:
        if "turn" in line:
            chats.setdefault(line["turn"], set()).add(line["chat"])
    assert len(chats) == 6
    assert all(len(found) == 1 for found in chats.values())
    for words in ("turn begins", "turn chat=", "model call failed"):
        told = [line for line in lines if line["event"].startswith(words)]
        assert told
        assert all("turn" in line for line in told)


async def test_a_bot_that_hears_nothing_is_not_ready(tmp_path: Path) -> None:
    """And is again once it does."""
    telegram = Telegram()
    async with (
        World(tmp_path, telegram, HEALTH_LISTEN=free_address()) as world,
        monitored(world) as session,
    ):
        await ready(session)
        telegram.server.fail_next("getUpdates", status=502, is_html=True)
        world.ask(world.room())  # ends the poll under way
        found = await ready(session, is_ready=False)
        assert found["checks"]["telegram"] == "hears nothing"
        await ready(session)


async def test_what_ends_is_not_ready(tmp_path: Path) -> None:
    """From the signal on, also while what platforms have begun to post is waited for."""
    telegram = Telegram(listeners=1)
    async with World(tmp_path, telegram, HEALTH_LISTEN=free_address()) as world:
        world.is_measured = True
        url = f"http://{world.settings['HEALTH_LISTEN']}"
        async with served(world) as program, aiohttp.ClientSession(url) as session:
            await ready(session)
            webhook = telegram.server.updates.webhook or {}
            host, _, port = telegram.addresses[0].partition(":")
            reader, writer = await asyncio.open_connection(host, int(port))
            head = (
                f"POST /telegram/causerie HTTP/1.1\r\nHost: {host}\r\nContent-Length: 2\r\n"
                f"X-Telegram-Bot-Api-Secret-Token: {webhook['secret_token']}\r\n"
                "Expect: 100-continue\r\n\r\n"
            )
            writer.write(head.encode())
            assert b"100" in await reader.readline()
            program.send(signal.SIGTERM)
            found = await ready(session, is_ready=False)
            assert found["checks"]["process"] == "starts or ends"
            writer.close()
            assert await program.wait() == 0


async def test_a_default_port_that_is_taken_is_no_hindrance(tmp_path: Path) -> None:
    """A second process on a machine serves all the same; a warning says what is missing."""
    async with World(tmp_path, Telegram(), HEALTH_LISTEN="") as world:
        try:
            taken = await asyncio.start_server(lambda *_: None, "127.0.0.1", DEFAULT_PORT)
        except OSError:  # another program of this machine has taken it
            taken = None
        room = world.room()
        async with served(world):
            world.ask(room)
            await world.settle()
        if taken:
            taken.close()
            await taken.wait_closed()
        assert "no monitor can ask how this process runs" in world.log()


async def test_a_chosen_port_that_is_taken_is_an_error(tmp_path: Path) -> None:
    """In one line, with exit code 2."""
    taken = await asyncio.start_server(lambda *_: None, "127.0.0.1", 0)
    port = taken.sockets[0].getsockname()[1]
    async with (
        World(tmp_path, Telegram(), HEALTH_LISTEN=f"127.0.0.1:{port}", LOG_LEVEL="WARNING") as w,
        w.program() as program,
    ):
        assert await program.wait() == 2
        assert w.log().startswith(f"HEALTH_LISTEN: cannot listen on 127.0.0.1:{port}")
    taken.close()
    await taken.wait_closed()


async def test_each_role_says_whether_it_is_ready(
    tmp_path: Path, postgres_server: PostgresServer
) -> None:
    """Who listens, who stands by for them, and who answers, over one database."""
    name = postgres_server.create()
    expected = {
        "listen": {"process": "ok", "store": "ok", "telegram": "ok"},
        "work": {"process": "ok", "store": "ok", "worker": "ok"},
    }
    async with World(tmp_path, Telegram(), DATABASE_URL=postgres_server.url(name)) as world:
        async with AsyncExitStack() as stack:
            for role in ("listen", "listen", "work"):
                address = free_address()
                program = world.program("-m", "bots", role, HEALTH_LISTEN=address)
                await stack.enter_async_context(program)
                session = await stack.enter_async_context(
                    aiohttp.ClientSession(f"http://{address}")
                )
                await answering(session)
                assert (await ready(session))["checks"] == expected[role]
        assert "Traceback" not in world.log()
    postgres_server.drop(name)
