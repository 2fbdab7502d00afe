"""The program as a process of its own, which a test starts, stops and kills."""

import asyncio
import contextlib
import os
import signal
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Self

from tests import leaks
from tests.servers.openai import OpenAIServer

ROOT = Path(__file__).parents[2]
START_SECONDS = 60.0  # for a machine that is busy with something else
PLAIN = ("-m", "bots")
CHILD = ("-m", "tests.crash.child")  # the same, to be killed


class Program:
    """A process of `python ...` or another program, and what it says.

    Attributes:
        log: File that its standard error is added to.
        lines: What it has printed so far.
    """

    def __init__(
        self,
        arguments: Sequence[str],
        environment: Mapping[str, str],
        folder: Path,
        *,
        executable: str = sys.executable,
    ) -> None:
        self.lines: list[str] = []
        self.log = folder / "stderr.txt"
        self._command = (executable, *arguments)
        self._environment = environment
        self._folder = folder
        self._printed = asyncio.Event()
        self._process: asyncio.subprocess.Process | None = None
        self._reading: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        with self.log.open("ab") as log:
            self._process = await asyncio.create_subprocess_exec(
                *self._command,
                env=dict(self._environment),
                cwd=self._folder,
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
                stderr=log,
            )
        self._reading = asyncio.create_task(self._read())
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.kill()
        leaks.written(self.log.read_text())

    @property
    def _running(self) -> asyncio.subprocess.Process:
        assert self._process
        return self._process

    @property
    def megabytes(self) -> int:
        """The most memory it has ever had, on Linux."""
        status = Path(f"/proc/{self._running.pid}/status").read_text()
        return int(status.partition("VmHWM:")[2].split()[0]) // 1024

    @property
    def pid(self) -> int:
        """Its number."""
        return self._running.pid

    @property
    def is_running(self) -> bool:
        """Whether it has not ended."""
        return self._running.returncode is None

    async def kill(self) -> None:
        """End it by SIGKILL, wherever it is."""
        if self._running.returncode is None:
            self._running.kill()
        await self.wait()

    def send(self, number: signal.Signals) -> None:
        """Send it a signal, if it runs.

        Not by its own method, which looks whether it has ended, and so may learn its exit code
        before asyncio does, which then knows none.
        """
        with contextlib.suppress(ProcessLookupError):
            os.kill(self._running.pid, number)

    async def wait(self, *, seconds: float = START_SECONDS) -> int:
        """Wait for its end; return its exit code, negative for a signal.

        Args:
            seconds: It may take, on a machine with no more to do than it has cores for.

        Raises:
            TimeoutError: It still runs.
        """
        load = os.getloadavg()[0] / (os.cpu_count() or 1)
        async with asyncio.timeout(seconds * max(1.0, load)):
            code = await self._running.wait()
        assert self._reading
        await self._reading
        return code

    async def say(self, line: str) -> None:
        """Write a line to its standard input."""
        assert self._running.stdin
        self._running.stdin.write(f"{line}\n".encode())
        await self._running.stdin.drain()

    async def printed(self, *lines: str) -> None:
        """Wait until it has printed all these lines.

        Raises:
            TimeoutError: With those that are missing.
        """
        wanted = set(lines)
        try:
            async with asyncio.timeout(START_SECONDS):
                while not wanted <= set(self.lines):
                    self._printed.clear()
                    await self._printed.wait()
        except TimeoutError:
            raise TimeoutError(f"not printed: {sorted(wanted - set(self.lines))}") from None

    async def _read(self) -> None:
        assert self._running.stdout
        async for line in self._running.stdout:
            self.lines.append(line.decode().strip())
            self._printed.set()


def environment(
    openai: OpenAIServer, folder: Path, settings: Mapping[str, str], *, is_measured: bool
) -> dict[str, str]:
    """Return what a program needs to be told besides `settings`; it is open to everybody.

    Args:
        openai: Whom it asks.
        folder: Where its database is, unless the settings say so.
        settings: Further ones.
        is_measured: Its coverage counts, if that of the tests does.
    """
    kept = {
        name: value
        for name, value in os.environ.items()
        if name in {"PATH", "HOME", "LANG"} or (is_measured and name.startswith("COVERAGE_"))
    }
    return {
        **kept,
        "PYTHONPATH": str(ROOT),
        "OPENAI_API_KEY": openai.key,
        "OPENAI_BASE_URL": openai.url,
        "DATABASE_URL": f"sqlite:///{folder / 'causerie.db'}",
        "ACCESS": "open",
        "LOG_FORMAT": "text",
        "HEALTH_LISTEN": "off",
        **settings,
    }
