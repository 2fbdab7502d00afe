"""A bot under test: a process of its own, against loopback servers of its own."""

import asyncio
import os
import signal
import sys
import tempfile
import time
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Self

from tests.bench.talk import Town

ROOT = Path(__file__).parents[2]
START_SECONDS = 30.0
# A disk: where /tmp is memory, an fsync would cost nothing.
DISK = "/var/tmp"  # noqa: S108 - a directory of random name is made in it
_TICKS = os.sysconf("SC_CLK_TCK")


class Subject:
    """Runs one of its world's commands while the context is open; in it, it is being served.

    Attributes:
        name: Of the command.
        town: The people it serves.
        started_at: When its process was started, monotonic seconds.
    """

    def __init__(self, name: str, town: Town) -> None:
        self.name = name
        self.town = town
        self.started_at = 0.0
        self._stack = AsyncExitStack()
        self._process: asyncio.subprocess.Process | None = None

    async def __aenter__(self) -> Self:
        async with AsyncExitStack() as stack:
            await stack.enter_async_context(self.town)
            folder = stack.enter_context(tempfile.TemporaryDirectory(dir=DISK))
            self.started_at = time.monotonic()
            with (Path(folder) / "log").open("wb") as log:
                self._process = await asyncio.create_subprocess_exec(
                    *(sys.executable, "-m", *self.town.world.commands[self.name]),
                    env=self._environment(),
                    cwd=folder,
                    stdout=log,
                    stderr=log,
                )
            stack.push_async_callback(self._end, self._process)
            await self.town.world.ready(seconds=START_SECONDS)
            self._stack = stack.pop_all()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._stack.aclose()

    def _environment(self) -> dict[str, str]:
        return {
            "PATH": os.environ["PATH"],
            "PYTHONPATH": str(ROOT),
            "ACCESS": "open",
            "DATABASE_URL": "sqlite:///causerie.db",
            **self.town.environment,
        }

    async def _end(self, process: asyncio.subprocess.Process) -> None:
        if process.returncode is None:
            process.send_signal(signal.SIGTERM)
        await process.wait()

    @property
    def cpu(self) -> float:
        """Seconds of CPU it has used, user and system, in all its threads."""
        fields = self._proc("stat").rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / _TICKS

    @property
    def memory(self) -> int:
        """Bytes of memory it occupies (RSS)."""
        return int(self._proc("statm").split()[1]) * os.sysconf("SC_PAGE_SIZE")

    @property
    def pid(self) -> int:
        """Of its process."""
        assert self._process
        return self._process.pid

    def _proc(self, name: str) -> str:
        return Path(f"/proc/{self.pid}/{name}").read_text()
