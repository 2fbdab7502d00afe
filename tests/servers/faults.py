"""What goes wrong on request, whatever the platform."""

import asyncio
from collections.abc import Collection
from dataclasses import dataclass, field
from typing import Literal, Protocol

Kind = Literal["error", "html", "drop", "lose", "delay", "hold"]


class Place(Protocol):
    """What a call is about: a chat, a channel."""

    id: int


@dataclass(slots=True, kw_only=True)
class Fault:
    """Something that goes wrong at the next calls of a name.

    Attributes:
        name: Of the calls: a method or route; `*` for any.
        kind: `error`: refused as JSON; `html`: refused by a gateway, in HTML; `drop`: the
            connection closes and nothing was done; `lose`: it closes after it was done;
            `delay`: it takes `seconds`, or until `release`; `hold`: it is done, but the answer
            takes until `release`.
        left: How many more calls it strikes.
        place: Id of the only chat or channel that it strikes.
        status: HTTP status of a gateway's page.
        refusal: What an `error` is.
        retry_after: Seconds that it asks to wait.
        used: How many calls it has struck.
    """

    name: str
    kind: Kind
    left: int = 1
    place: int | None = None
    status: int = 502
    refusal: Exception | None = None
    retry_after: float | None = None
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


class Faults:
    """The faults to come, by name; `*` strikes any call."""

    def __init__(self) -> None:
        self._faults: dict[str, list[Fault]] = {}

    def add(self, fault: Fault) -> Fault:
        """Arm a fault, after those that are there."""
        self._faults.setdefault(fault.name.lower(), []).append(fault)
        return fault

    def take(self, name: str, place: object) -> Fault | None:
        """Return the fault that strikes this call, used up by one."""
        for key in (name.lower(), "*") if self._faults else ():
            for fault in self._faults.get(key, ()):
                if fault.left > 0 and (fault.place is None or fault.place == place):
                    fault.left -= 1
                    fault.used += 1
                    return fault
        return None

    def release(self) -> None:
        """Let go of everything that is held."""
        for faults in self._faults.values():
            for fault in faults:
                fault.release()


class Unreliable:
    """A server whose calls go wrong on request.

    Args:
        names: Of all its calls, in small letters.

    Attributes:
        faults: Those to come.
    """

    def __init__(self, names: Collection[str]) -> None:
        self._names = {*names, "*"}
        self.faults = Faults()

    def strike(
        self,
        name: str,
        kind: Kind,
        *,
        times: int = 1,
        place: Place | None = None,
        status: int = 502,
        refusal: Exception | None = None,
        retry_after: float | None = None,
        seconds: float | None = None,
    ) -> Fault:
        """Let something go wrong at the next calls of a name; see `Fault`."""
        assert name.lower() in self._names, f"there is no call {name}"
        fault = Fault(
            name=name,
            kind=kind,
            left=times,
            place=place.id if place else None,
            status=status,
            refusal=refusal,
            retry_after=retry_after,
            seconds=seconds,
        )
        return self.faults.add(fault)

    def drop_next(
        self, name: str, *, is_done: bool = False, times: int = 1, place: Place | None = None
    ) -> Fault:
        """Close the connection instead of answering; `is_done`: after having done it."""
        return self.strike(name, "lose" if is_done else "drop", times=times, place=place)

    def delay_next(
        self,
        name: str,
        *,
        seconds: float | None = None,
        times: int = 1,
        place: Place | None = None,
    ) -> Fault:
        """Let the next calls take `seconds`, or until `release()` of the returned fault."""
        return self.strike(name, "delay", seconds=seconds, times=times, place=place)

    def hold_next(self, name: str, *, times: int = 1, place: Place | None = None) -> Fault:
        """Do the next calls, but keep their answers until `release()` of the returned fault."""
        return self.strike(name, "hold", times=times, place=place)
