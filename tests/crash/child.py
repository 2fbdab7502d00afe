"""The program under test with its outside edges watched: `python -m tests.crash.child SPOTS`.

It is composed by `bots.__main__` like any other; only what that obtains from outside (store,
model, transcriber, bot) is handed on behind a door. A door passes everything through until a
line on standard input arms it. Then the first call that a spot describes is reported on
standard output, by the spot's number, and stands still for good, or kills the process.
"""

import asyncio
import inspect
import json
import os
import signal
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Literal, cast

from bots import __main__ as command
from bots import serving as program
from bots.settings import BotSettings
from core.brain import Brain, Progress, open_brain
from core.protocols import Bot, ChatModel, Transcriber
from core.reply import Reply
from core.store import DatabaseStore, open_store
from core.types import Delta, Lease, Outgoing, Turn

When = Literal["before", "after"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Spot:
    """A place on the path, of one chat.

    Attributes:
        call: Such as `store.finish`, `bot.final`, `model.delta`.
        when: Before the call, or after it and before its caller knows.
        about: The call is meant if one of these occurs in what goes in or comes out.
        nth: The first such call, the second...
        kills: End the process there by SIGKILL instead of standing still.
    """

    call: str
    when: When
    about: tuple[str, ...]
    nth: int = 1
    kills: bool = False


class Gate:
    """Knows the spots and which calls have come by.

    Attributes:
        is_armed: Calls that begin now are compared with the spots.
    """

    def __init__(self, spots: list[Spot]) -> None:
        self._spots = spots
        self._left = [spot.nth for spot in spots]
        self.is_armed = False

    def listen(self) -> None:
        """Arm at the first line on standard input."""
        asyncio.get_running_loop().add_reader(sys.stdin.fileno(), self._arm)

    def _arm(self) -> None:
        asyncio.get_running_loop().remove_reader(sys.stdin.fileno())
        self.is_armed = True
        _report("armed")

    async def pass_by(self, call: str, when: When, about: str) -> None:
        """Let a call pass, unless it comes to a spot."""
        for number, spot in enumerate(self._spots):
            is_here = (spot.call, spot.when) == (call, when)
            if is_here and any(word in about for word in spot.about):
                self._left[number] -= 1
                if not self._left[number]:
                    await _stand(number, spot)


async def _stand(number: int, spot: Spot) -> None:
    _report(str(number))
    if spot.kills:
        os.kill(os.getpid(), signal.SIGKILL)
    await asyncio.Event().wait()


def _report(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


class Door:
    """Stands before something whose methods are coroutines; attributes are handed on."""

    def __init__(self, name: str, inner: object, gate: Gate) -> None:
        self._name = name
        self._inner = inner
        self._gate = gate
        self._places: dict[tuple[str, int], str] = {}

    def __getattr__(self, attribute: str) -> Any:
        inner = getattr(self._inner, attribute)
        if not inspect.iscoroutinefunction(inner):
            return inner

        async def call(*args: Any, **kwargs: Any) -> Any:
            if not self._gate.is_armed:  # nor is it after the call, whenever that ends
                result = await inner(*args, **kwargs)
                self._learn(result)
                return result
            name = f"{self._name}.{self._call(attribute, args)}"
            held = _held(args)
            about = held or self._about(attribute, args) + repr((args, kwargs))
            await self._gate.pass_by(name, "before", about)
            result = await inner(*args, **kwargs)
            self._learn(result)
            await self._gate.pass_by(name, "after", held or about + repr(result))
            return result

        return call

    def _call(self, attribute: str, args: tuple[Any, ...]) -> str:
        if attribute == "deliver":
            return "final" if args[0].is_final else "preview"
        return attribute

    def _about(self, attribute: str, args: tuple[Any, ...]) -> str:
        """Say which chat a call is about that names it by a number, or not readably."""
        if args and isinstance(args[0], Reply):
            return args[0].chat.ref
        if args and isinstance(args[0], int):
            return self._places.get(("turn" if attribute == "posted" else "chat", args[0]), "")
        return ""

    def _learn(self, result: object) -> None:
        match result:
            case (list(leases), _):
                for lease, work in leases:
                    self._learn(lease)
                    self._learn(work)
            case Lease(chat_id=chat_id, chat=chat):
                self._places["chat", chat_id] = chat.ref
            case Turn(messages=messages) as turn:
                self._places["turn", turn.id] = messages[0].chat.ref
            case Outgoing(id=number, turn=turn_id, chat=chat):
                self._places["turn", -number if turn_id is None else turn_id] = chat.ref


def _held(args: tuple[Any, ...]) -> str:
    """Say what who holds a chat works on: that chat alone, though what it says may name another.

    Empty for what is done without a lease.
    """
    match args:
        case (Lease(chat=chat), Turn(messages=messages), *_):
            return " ".join([chat.ref, *(message.text for message in messages)])
        case (Lease(chat=chat), *_):
            return chat.ref
    return ""


class ModelDoor:
    """Stands before a chat model; what it is asked tells which chat it is."""

    def __init__(self, inner: ChatModel, gate: Gate) -> None:
        self._inner = inner
        self._gate = gate
        self.close = inner.close

    async def stream(self, prompt: Any, **options: Any) -> AsyncIterator[Any]:
        """Yield the events of the reply."""
        about = repr(prompt[-1]) if self._gate.is_armed else ""
        await self._gate.pass_by("model.stream", "before", about)
        async for event in self._inner.stream(prompt, **options):
            if isinstance(event, Delta):
                await self._gate.pass_by("model.delta", "after", about)
            yield event
        await self._gate.pass_by("model.stream", "after", about)


def main() -> int:
    """Run the program."""
    gate = Gate([Spot(**spot) for spot in json.loads(sys.argv[1])])
    open_bots = vars(program)["_open_bots"]

    async def watched_store(where: Path | str) -> DatabaseStore:
        gate.listen()
        return cast("DatabaseStore", Door("store", await open_store(where), gate))

    async def watched_brain(
        settings: BotSettings, stack: AsyncExitStack, progress: Progress
    ) -> Brain:
        brain = await open_brain(settings, stack, progress)
        return replace(
            brain,
            model=cast("ChatModel", ModelDoor(brain.model, gate)),
            transcriber=cast("Transcriber", Door("transcriber", brain.transcriber, gate)),
        )

    def watched_bots(chosen: BotSettings, stack: AsyncExitStack, notice: str) -> Iterator[Bot]:
        for bot in open_bots(chosen, stack, notice):
            yield cast("Bot", Door("bot", bot, gate))

    outside: dict[str, object] = {
        "open_store": watched_store,
        "open_brain": watched_brain,
        "_open_bots": watched_bots,
    }
    vars(program).update(outside)
    return command.run([])


def written(spots: list[Spot]) -> str:
    """Return the argument that names these spots."""
    return json.dumps([asdict(spot) for spot in spots])


if __name__ == "__main__":
    sys.exit(main())
