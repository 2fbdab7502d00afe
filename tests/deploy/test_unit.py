"""The systemd units: checked by systemd's own tools, and run by a real systemd in a sandbox."""

import asyncio
import re
import shutil
import stat
import subprocess
from pathlib import Path

import aiohttp
import pytest

from tests.crash.ledger import Ledger
from tests.crash.platforms import Telegram
from tests.crash.program import START_SECONDS
from tests.crash.world import World, answered
from tests.deploy.image import BLOCKS, ROOT, Image
from tests.deploy.machine import OURS, UNITS, Machine, needs_systemd
from tests.deploy.test_container import listening, settings
from tests.ports import free_address
from tests.servers.postgres import PostgresServer

# As `systemd-analyze security` counts: tenths, of 10 that are worst.
MOST_EXPOSED = 15
# What the dashboard shows of a process.
PROCESS = re.findall(r"process_\w+", (ROOT / "deploy" / "grafana.json").read_text())
ENV = Path("etc/causerie/causerie.env")
analyze = pytest.mark.skipif(not shutil.which("systemd-analyze"), reason="needs systemd-analyze")


@analyze
@pytest.mark.parametrize("name", OURS)
def test_a_unit_is_hardened(name: str) -> None:
    """What systemd itself says of how exposed it is, at most 1.5 of 10."""
    threshold = f"--threshold={MOST_EXPOSED}"
    unit = str(ROOT / "deploy" / name)
    asked = ("systemd-analyze", "security", "--offline=true", "--no-pager", threshold, unit)
    done = subprocess.run(asked, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout


def test_the_units_differ_only_in_what_they_run() -> None:
    """What holds for one process on SQLite holds for each of several."""
    role, alone = ((ROOT / "deploy" / name).read_text() for name in reversed(OURS))
    own = re.compile(r"#|Description=|ExecStart=|Environment(File)?=|\w+Directory=")
    shared = [[line for line in t.splitlines() if not own.match(line)] for t in (role, alone)]
    assert shared[0] == shared[1]


def environment(text: dict[str, str]) -> str:
    """Return a file of settings."""
    return "".join(f"{name}={value}\n" for name, value in text.items())


async def measured(address: str) -> set[str]:
    """Return the names of what is measured of the process itself."""
    url = f"http://{address}/metrics"
    async with aiohttp.ClientSession() as session, session.get(url) as answer:
        return set(re.findall(r"^(process_\w+)", await answer.text(), re.MULTILINE))


async def shown(machine: Machine, **wanted: str) -> None:
    """Wait until systemd says this of the service."""
    found: dict[str, str] = {}
    async with asyncio.timeout(START_SECONDS):
        while found != wanted:
            names = [f"--property={name}" for name in wanted]
            said = await machine.call("systemctl", "show", *names, "causerie")
            found = dict(line.split("=", 1) for line in said.splitlines())
            await asyncio.sleep(0.1)


@needs_systemd
async def test_a_service_answers_and_is_started_again(image: Image, tmp_path: Path) -> None:
    """Killed it comes back, stopped it ends well, with something set wrong it stays down.

    All that the dashboard shows of a process is measured there.
    """
    machine = Machine(tmp_path / "machine", image)
    state = machine.root / "var" / "lib" / "private" / "causerie"
    async with World(tmp_path, Telegram()) as world:
        chosen = settings(world)
        machine.write(ENV, environment(chosen))
        room = world.room()
        async with machine:
            assert await machine.call("systemd-analyze", "verify", f"/{UNITS}/{OURS[0]}") == ""
            await machine.call("systemctl", "daemon-reload")
            said = await machine.call("systemctl", "enable", "--now", "causerie")
            assert said.startswith("Created symlink")
            await listening(world)
            assert await measured(chosen["HEALTH_LISTEN"]) >= set(PROCESS)
            world.ask(room)
            world.ledger = Ledger(f"sqlite:///{state}/causerie.db")
            await world.settle()
            assert not world.unanswered(room)
            said = await machine.call("sh", "-euc", BLOCKS["command systemd"])
            assert "has schema" in said
            assert "No faults" in said, said
            await machine.call("systemctl", "kill", "--signal=SIGKILL", "causerie")
            await shown(machine, NRestarts="1", ActiveState="active")
            await listening(world)
            world.ask(room)
            await world.settle()
            assert await machine.call("systemctl", "stop", "causerie") == ""
            await shown(machine, ActiveState="inactive", Result="success", ExecMainStatus="0")
            assert not world.unanswered(room)
            machine.write(ENV, environment(settings(world) | {"ACCESS": "everybody"}))
            await machine.call("systemctl", "start", "causerie")
            await shown(machine, ActiveState="failed", NRestarts="0", ExecMainStatus="2")
    assert stat.filemode(state.stat().st_mode) == "drwx------"
    assert "ACCESS: " in machine.log()
    assert not {"Traceback", "Read-only", "Permission"} & set(machine.log().split())


@needs_systemd
async def test_roles_are_services_of_their_own(
    image: Image, tmp_path: Path, postgres_server: PostgresServer
) -> None:
    """`causerie@listen` and `causerie@work` on one machine serve together."""
    name = postgres_server.create()
    machine = Machine(tmp_path / "machine", image)
    async with World(tmp_path, Telegram()) as world:
        shared = settings(world) | {"DATABASE_URL": postgres_server.url(name)}
        machine.write(ENV, environment(shared))
        machine.write(ENV.with_name("work.env"), f"HEALTH_LISTEN={free_address()}\n")
        room = world.room()
        async with machine:
            assert (
                await machine.call("systemctl", "start", "causerie@listen", "causerie@work") == ""
            )
            await listening(world)
            world.ask(room)
            (mark,) = room.asked
            await world.platform.server.until(
                lambda: any(mark in answered(shown.text) for shown in room.place.answers)
            )
            assert (
                await machine.call("systemctl", "stop", "causerie@listen", "causerie@work") == ""
            )
    postgres_server.drop(name)
    assert "Traceback" not in machine.log()
