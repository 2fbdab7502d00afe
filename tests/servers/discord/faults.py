"""What goes wrong on request."""

import asyncio
from dataclasses import dataclass, field
from typing import Literal

from tests.servers.discord.errors import ApiError
from tests.servers.discord.limits import Scope, TooMany

Kind = Literal["error", "html", "drop", "lose", "delay", "hold"]


@dataclass(slots=True, kw_only=True)
class Fault:
    """Something that goes wrong at the next calls of a route.

    Attributes:
        kind: `error`: refused as JSON; `html`: refused by a gateway, in HTML; `drop`: the
            connection closes and nothing was done; `lose`: it closes after it was done;
            `delay`: it takes `seconds`, or until `release`; `hold`: it is done, but the answer
            takes until `release`.
        left: How many more calls it strikes.
        used: How many it has struck.
    """

    route: str
    kind: Kind
    left: int = 1
    channel: int | None = None
    status: int = 500
    code: int = 0
    message: str = "500: Internal Server Error"
    retry_after: float | None = None
    scope: Scope = "user"
    seconds: float | None = None
    used: int = 0
    released: asyncio.Event = field(default_factory=asyncio.Event)

    def release(self) -> None:
        """Let calls go on that it holds; it strikes no more."""
        self.left = 0
        self.released.set()

    async def hold(self) -> None:
        """Wait as long as the delay lasts."""
        try:
            await asyncio.wait_for(self.released.wait(), self.seconds)
        except TimeoutError:
            return

    def error(self) -> ApiError:
        """Return the refusal."""
        if self.retry_after is not None:
            return TooMany(self.retry_after, scope=self.scope)
        return ApiError(self.status, self.code, self.message)


class Faults:
    """The faults to come, by route; `*` strikes any."""

    def __init__(self) -> None:
        self._faults: dict[str, list[Fault]] = {}

    def add(self, fault: Fault) -> Fault:
        """Arm a fault, after those that are there."""
        self._faults.setdefault(fault.route, []).append(fault)
        return fault

    def take(self, route: str, channel: object) -> Fault | None:
        """Return the fault that strikes this call, used up by one."""
        for key in (route, "*") if self._faults else ():
            for fault in self._faults.get(key, ()):
                if fault.left > 0 and (fault.channel is None or fault.channel == channel):
                    fault.left -= 1
                    fault.used += 1
                    return fault
        return None

    def release(self) -> None:
        """Let go of everything that is held."""
        for faults in self._faults.values():
            for fault in faults:
                fault.release()
