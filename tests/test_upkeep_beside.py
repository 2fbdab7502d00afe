"""What an owner runs beside a bot that runs: `dead`, `backup`, `usage`."""

import asyncio
import csv
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.commands import Done, causerie
from tests.core.contents import contents, execute
from tests.crash.platforms import Telegram
from tests.crash.world import Room, World, served
from tests.servers.postgres import PostgresServer

BURIED = "INSERT INTO dead SELECT id, chat_id, body, '5 attempts failed', 0 FROM inbox"
UNSENT = "UPDATE outbox SET sent_at = NULL, failures = 5"


@pytest.fixture(params=["sqlite", "postgres"])
async def where(
    request: pytest.FixtureRequest, tmp_path: Path, postgres_server: PostgresServer
) -> AsyncIterator[Path | str]:
    """Where everything is kept."""
    if request.param == "sqlite":
        yield tmp_path / "causerie.db"
        return
    name = postgres_server.create()
    yield postgres_server.url(name)
    postgres_server.drop(name)


@pytest.fixture
async def world(tmp_path: Path, where: Path | str) -> AsyncIterator[World]:
    """Telegram, and a folder for the program."""
    url = f"sqlite:///{where}" if isinstance(where, Path) else where
    async with World(tmp_path, Telegram(), LOG_LEVEL="WARNING", DATABASE_URL=url) as world:
        yield world


async def command(world: World, *arguments: str) -> Done:
    """Run a command beside the bot."""
    return await causerie(world.folder, *arguments, DATABASE_URL=world.settings["DATABASE_URL"])


async def answered(world: World, room: Room, number: int) -> None:
    """Wait for the answers in a room, and until they are known to be there."""
    await world.platform.server.until(lambda: len(room.place.answers) == number, seconds=30)
    url = world.settings["DATABASE_URL"]
    where = Path(url.removeprefix("sqlite:///")) if url.startswith("sqlite") else url
    async with asyncio.timeout(30):
        # Another process writes there, so there is nothing to wake us.
        while execute(where, "SELECT 1 FROM outbox WHERE sent_at IS NULL"):  # noqa: ASYNC110
            await asyncio.sleep(0.02)


async def test_what_was_given_up_is_answered_by_the_bot_that_runs(
    world: World, where: Path | str
) -> None:
    """Within seconds, once, below the question; then there is nothing more to retry."""
    room = world.room()
    async with served(world):
        assert (await command(world, "dead")).out == "Nothing was given up.\n"
        world.ask(room)
        await answered(world, room, 1)
        assert (await command(world, "dead", "retry", "all")).out == "Nothing was given up.\n"
        execute(where, BURIED)
        listed = await command(world, "dead", "list")
        head, line = listed.out.splitlines()
        assert head.split() == ["ID", "SINCE", "CHAT", "KIND", "TRIES", "REASON"]
        assert line.split()[0] == "m1"
        assert line.endswith(f"telegram:{room.ref}  message  0      5 attempts failed")
        done = await command(world, "dead", "retry", "m1", "M1", "t7")
        assert (done.code, done.out.split(":")[0]) == (1, "m1")
        assert "nothing that was given up is called t7" in done.err
        await answered(world, room, 2)
        assert len(world.openai.requests) == 2
        assert not contents(where)["dead"]
        assert (await command(world, "dead", "retry", "m1")).code == 1


async def test_a_text_that_was_left_behind_is_sent_by_the_bot_that_runs(
    world: World, where: Path | str
) -> None:
    """As it was, without asking the model again."""
    room = world.room()
    async with served(world):
        world.ask(room)
        await answered(world, room, 1)
        execute(where, UNSENT)
        execute(where, "DELETE FROM receipt")
        assert (await command(world, "dead", "list")).out.splitlines()[1].split()[0] == "t1"
        done = await command(world, "dead", "retry", "all")
        assert (done.code, done.out[:3]) == (0, "t1:")
        await answered(world, room, 2)
    first, second = room.place.answers
    assert first.text == second.text
    assert len(world.openai.requests) == 1


async def test_what_is_dropped_is_gone(world: World, where: Path | str) -> None:
    """From the database while the bot runs, which goes on."""
    room = world.room()
    async with served(world):
        world.ask(room)
        await answered(world, room, 1)
        execute(where, BURIED)
        done = await command(world, "dead", "drop", "all")
        assert (done.code, done.out) == (0, "m1: deleted for good\n")
        assert "What about" not in repr(contents(where))
        world.ask(room)
        await answered(world, room, 2)


async def test_a_backup_is_written_and_the_ledger_read_meanwhile(
    world: World, where: Path | str
) -> None:
    """Both are there in full; the backup starts a bot that goes on where this one was."""
    room = world.room()
    async with served(world):
        world.ask(room)
        await answered(world, room, 1)
        done = await command(world, "backup", "b.db")
        assert (done.code, done.out.partition(" holds everything")[0]) == (0, "b.db")
        again = await command(world, "backup", "b.db")
        assert (again.code, "b.db exists already" in again.err) == (1, True)
        usage = await command(world, "usage", "--csv")
        rows = list(csv.DictReader(usage.out.splitlines()))
        assert [(row["person"], row["purpose"]) for row in rows] == [(room.place.person, "chat")]
        refused = await command(world, "restore", "b.db", "--force")
        assert refused.code == 1
        assert "runs on the database" in refused.err or "Another causerie" in refused.err
    assert contents(world.folder / "b.db")["message"] == contents(where)["message"]
