"""The image and the Compose files: built, started, asked, checked and ended for real."""

import asyncio
import dataclasses
import os
import re
import signal
import subprocess
from contextlib import AsyncExitStack
from pathlib import Path

from tests.crash.platforms import Telegram
from tests.crash.program import START_SECONDS, Program
from tests.crash.world import World, answered
from tests.deploy.box import needs_root
from tests.deploy.compose import POSTGRES, SQLITE, Container, contained, services
from tests.deploy.image import BLOCKS, Image
from tests.ports import free_address
from tests.servers.postgres import PostgresServer

STOP_SECONDS = 20.0  # as in the Compose files
USER = 10_001  # as in the Dockerfile

pytestmark = needs_root


def settings(world: World) -> dict[str, str]:
    """Return what an owner would set."""
    return {
        **world.platform.settings,
        "OPENAI_API_KEY": world.openai.key,
        "OPENAI_BASE_URL": world.openai.url,
        "ACCESS": "open",
        "HEALTH_LISTEN": free_address(),
    }


def run(container: Container, folder: Path) -> Program:
    """Return a container as a program that can be started."""
    executable, *arguments = container.command
    return Program(arguments, container.env, folder, executable=executable)


async def listening(world: World) -> None:
    """Wait until somebody hears what is said."""
    platform = world.platform
    await platform.server.until(lambda: platform.is_listened_to, seconds=START_SECONDS)


async def is_well(container: Container) -> bool:
    """Run the health check as the engine would."""
    check = await asyncio.create_subprocess_exec(*container.check, env=container.env)
    async with asyncio.timeout(START_SECONDS):
        return await check.wait() == 0


async def called(container: Container, *command: str) -> tuple[int | None, str]:
    """Run a command beside it; return its exit code and what it says."""
    process = await asyncio.create_subprocess_exec(
        *container.box.command(*command),
        env=container.env,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    async with asyncio.timeout(START_SECONDS):
        said, _ = await process.communicate()
    return process.returncode, said.decode()


def test_a_container_can_do_nothing(image: Image, tmp_path: Path) -> None:
    """What the other tests confine the program with holds: the rest of this file relies on it."""
    os.chown(tmp_path, USER, USER)
    service = services(SQLITE, tmp_path, {})["causerie"]
    box = contained(service, image, {"data": tmp_path}).box

    def tried(command: str) -> str:
        called = box.command("/bin/sh", "-c", command)
        done = subprocess.run(called, env=image.env, capture_output=True, text=True, check=False)
        return done.stdout

    written = "for p in / /opt/causerie /etc /dev /data /tmp; do touch $p/x 2>&- && echo $p; done"
    assert tried(written).split() == ["/data", "/tmp"]  # noqa: S108 - in the box
    assert tried("id -u; id -g; id -G").split() == [str(USER)] * 3
    rights = dict(re.findall(r"(Cap\w+|NoNewPrivs):\s+(\w+)", tried("cat /proc/self/status")))
    assert rights.pop("NoNewPrivs") == "1"
    assert {int(value, 16) for value in rights.values()} == {0}
    # What a new volume takes over.
    data = (image.root / "data").stat()
    assert (data.st_uid, data.st_gid, data.st_mode & 0o777) == (USER, USER, 0o700)


def test_a_large_database_is_written_anew(image: Image, tmp_path: Path) -> None:
    """What SQLite needs for that it puts into the volume: the other place is small."""
    os.chown(tmp_path, USER, USER)
    service = services(SQLITE, tmp_path, {})["causerie"]
    box = contained(service, image, {"data": tmp_path}).box
    program = (
        "import sqlite3; c = sqlite3.connect('large.db', isolation_level=None);"
        "c.execute('CREATE TABLE large AS SELECT zeroblob(70000000)'); c.execute('VACUUM')"
    )
    done = subprocess.run(
        box.command("/opt/causerie/bin/python", "-c", program),
        env=image.env,
        stderr=subprocess.PIPE,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")


async def test_a_container_answers_and_ends(image: Image, tmp_path: Path) -> None:
    """By `compose.yaml`: no rights, no place to write but its volume, well, and gone in time."""
    os.chown(tmp_path, USER, USER)
    async with World(tmp_path, Telegram()) as world:
        service = services(SQLITE, tmp_path, settings(world))["causerie"]
        container = contained(service, image, {"data": tmp_path})
        room = world.room()
        assert not await is_well(container)
        async with run(container, tmp_path) as program:
            await listening(world)
            world.ask(room)
            await world.settle()
            assert await is_well(container)
            for line in BLOCKS["command sqlite"].splitlines()[:2]:
                _, _, command = line.partition(" exec causerie ")
                code, said = await called(container, *command.split())
                assert code == 0, said
            program.send(signal.Signals[image.stop_signal])
            assert await program.wait(seconds=STOP_SECONDS) == 0
        assert not await is_well(container)
        assert not world.unanswered(room)
        assert not {"Traceback", "Read-only", "Permission"} & set(world.log().split())
    for name in ("causerie.db", "backup.db"):
        assert (tmp_path / name).stat().st_uid == USER


async def test_containers_answer_on_postgres(
    image: Image, tmp_path: Path, postgres_server: PostgresServer
) -> None:
    """By `compose.postgres.yaml`: two listeners and two workers, none with a place to write."""
    postgres_server.admin("CREATE DATABASE causerie")
    # There the address is a name of Compose's network.
    here = {"PGHOSTADDR": "127.0.0.1", "PGPORT": str(postgres_server.port)}
    try:
        async with World(tmp_path, Telegram()) as world, AsyncExitStack() as stack:
            found = services(
                POSTGRES, tmp_path, settings(world) | {"POSTGRES_PASSWORD": "in-no-log"}
            )
            ready = found["postgres"]["healthcheck"]["test"]
            assert ready.pop(0) == "CMD"
            await asyncio.to_thread(postgres_server.call, *ready, env=here)
            programs = []
            for name in ("listen", "work"):
                container = contained(found[name], image, {})
                assert found[name]["deploy"]["replicas"] == 2
                for _ in range(2):
                    env = container.env | here | {"HEALTH_LISTEN": free_address()}
                    one = dataclasses.replace(container, env=env)
                    programs.append(await stack.enter_async_context(run(one, tmp_path)))
            await listening(world)
            room = world.room()
            world.ask(room)
            (mark,) = room.asked
            await world.platform.server.until(
                lambda: any(mark in answered(shown.text) for shown in room.place.answers)
            )
            for program in programs:
                program.send(signal.Signals[image.stop_signal])
            for program in programs:
                assert await program.wait(seconds=STOP_SECONDS) == 0
            assert "Traceback" not in world.log()
    finally:
        postgres_server.drop("causerie")
