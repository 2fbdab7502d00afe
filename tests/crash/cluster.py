"""Processes that serve a platform together: listeners and workers, each killed now and then."""

import asyncio
import random
import signal
from collections.abc import Awaitable, Callable, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from typing import Self

from tests.crash.program import START_SECONDS, Program
from tests.crash.world import World

Role = str
Act = Callable[[random.Random], Awaitable[None]]
SETTINGS = {"HEALTH_LISTEN": "off"}


@dataclass(slots=True, kw_only=True)
class Cluster:
    """So many processes of each role; one that dies is followed by another.

    Attributes:
        kills: How many were killed, by role.
    """

    world: World
    roles: Sequence[Role]
    kills: dict[Role, int] = field(default_factory=dict)
    _programs: list[Program] = field(default_factory=list)
    _frozen: list[Program] = field(default_factory=list)
    _tending: asyncio.Task[None] | None = None
    _open: AsyncExitStack = field(default_factory=AsyncExitStack)

    async def __aenter__(self) -> Self:
        self._programs = [await self._start(role) for role in self.roles]
        platform = self.world.platform
        await platform.server.until(lambda: platform.is_listened_to, seconds=START_SECONDS)
        self._tending = asyncio.create_task(self._tend())
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._tending:
            self._tending.cancel()
            await asyncio.wait({self._tending})
        await self._open.aclose()

    async def kill_one(self, rng: random.Random) -> None:
        """Kill a process at random, of the role of which the smallest share was killed."""
        role = min(
            dict.fromkeys(self.roles),
            key=lambda role: (self.kills.get(role, 0) / self.roles.count(role), rng.random()),
        )
        number = rng.choice([n for n, other in enumerate(self.roles) if other == role])
        await self._programs[number].kill()
        self.kills[role] = self.kills.get(role, 0) + 1

    async def _tend(self) -> None:
        """Start another in the place of each that ended, as whoever supervises them does."""
        while True:
            for number, role in enumerate(self.roles):
                if not self._programs[number].is_running:
                    self._programs[number] = await self._start(role)
            await asyncio.sleep(0.3)

    async def freeze_one(self, rng: random.Random, *, seconds: float) -> None:
        """Let a process stand still for so long, as one that is cut off, and then go on."""
        program = rng.choice(self._programs)
        if not program.is_running:
            return
        program.send(signal.SIGSTOP)
        self._frozen.append(program)
        try:
            await asyncio.sleep(seconds)
        finally:
            self.thaw()

    def thaw(self) -> None:
        """Let what stands still go on."""
        while self._frozen:
            program = self._frozen.pop()
            if program.is_running:
                program.send(signal.SIGCONT)

    async def disturb(
        self, rng: random.Random, *, pause: tuple[float, float], others: Sequence[Act] = ()
    ) -> None:
        """Let something go wrong again and again, until cancelled; mostly, a process dies."""
        while True:
            await asyncio.sleep(rng.uniform(*pause))
            await rng.choice([self.kill_one, self.kill_one, *others])(rng)

    async def _start(self, role: Role) -> Program:
        program = self.world.program("-m", "bots", role, **SETTINGS)
        return await self._open.enter_async_context(program)
