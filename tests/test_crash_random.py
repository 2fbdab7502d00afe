"""The process dies by SIGKILL at random moments, with fifty chats in flight."""

import asyncio
import contextlib
import random
import sys
from collections.abc import Callable, Sequence
from itertools import cycle
from pathlib import Path

import pytest

from tests.crash.platforms import Discord, Kind, Platform, Telegram, quiet
from tests.crash.trial import go_on
from tests.crash.verdict import paid_twice
from tests.crash.world import World, is_summary, served

CHATS = 50
KILLS, QUESTIONS_PER_LIFE = 8, 40
# A turn that was cut off five times is given up, which is not what is looked at here: after so
# many kills a life goes on until everything is answered.
KILLS_IN_A_ROW = 4


@pytest.mark.parametrize(
    ("platform", "kinds"),
    [(Telegram, Telegram.kinds), (Discord, (*Discord.kinds, "command"))],
    ids=("telegram", "discord"),
)
@pytest.mark.parametrize("seed", [20261121])
async def test_nothing_is_lost_at_random_moments(
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    platform: Callable[[], Platform],
    kinds: Sequence[Kind],
    seed: int,
) -> None:
    """Every question is answered once and in order, however often the process dies."""
    rng = random.Random(seed)
    async with World(tmp_path, platform()) as world:
        world.openai.first_token_delay = 0.05
        world.openai.chunk_delay = 0.02
        for _, kind in zip(range(CHATS), cycle(kinds), strict=False):
            world.room(kind)
        await greet(world)
        weather = asyncio.create_task(disturb(world, rng))
        lost: set[tuple[str, int]] = set()
        for life in range(KILLS):
            if life and not life % KILLS_IN_A_ROW:
                await go_on(world)
            lost |= await live_and_die(world, rng)
        weather.cancel()
        await asyncio.wait({weather})
        await go_on(world)
        with capsys.disabled():
            sys.stdout.write(table(world, lost))
        found = world.ledger.problems()
        for room in world.rooms:
            found += world.problems(room, duplicates=None)
            found += world.unanswered(room) + world.usage_problems(room)
            found += paid_twice(world, room)
            windows = sum(ref == room.ref for ref, _ in lost) if room.place.can_double else 0
            if (world.surplus(room) or 0) > windows:
                found.append(f"{room.ref}: {world.surplus(room)} surplus, {windows} windows")
        assert not found, "\n".join(found)
        assert "Traceback" not in world.log()
        # A new process does not know what the last one was told.
        remarks = world.platform.server.remarks
        assert not [remark for remark in remarks if "before its retry_after" not in remark]


async def greet(world: World) -> None:
    """Let everybody ask something: where the bot has never been, it misses nothing."""
    async with served(world) as program:
        for room in world.rooms:
            world.ask(room)
        await world.settle()
        await program.kill()


async def talk(world: World, rng: random.Random) -> None:
    """Let people ask, a few at a time."""
    rooms = rng.choices(world.rooms, k=QUESTIONS_PER_LIFE // 2)
    while rooms:
        for _ in range(rng.randint(1, 12)):
            if rooms:
                world.ask(rooms.pop(), world.mark(rng.choice("ssmmmxxxw")))
        await asyncio.sleep(rng.uniform(0, 0.6))


async def disturb(world: World, rng: random.Random) -> None:
    """Let something go wrong now and then."""
    faults = world.platform.disturbances()
    while True:
        fault = rng.choice(faults)()
        try:
            await asyncio.sleep(rng.uniform(0, 0.3))
        finally:
            if fault:
                fault.release()


async def live_and_die(world: World, rng: random.Random) -> set[tuple[str, int]]:
    """Let a program live for some calls; return the messages it could not keep account of.

    Half of what people say to it they say before it listens.
    """
    platform, server = world.platform, world.platform.server
    async with world.program() as program:
        talking = [asyncio.create_task(talk(world, rng))]
        with contextlib.suppress(TimeoutError):  # disturbed, or nobody has anything more to say
            await server.until(lambda: platform.is_listened_to, seconds=5)
            talking.append(asyncio.create_task(talk(world, rng)))
            end = len(server.calls) + rng.randint(*platform.calls_of_life)
            await server.until(lambda: len(server.calls) >= end, seconds=5)
        await asyncio.sleep(rng.uniform(0, 0.02))  # not only at the arrival of a call
        await program.kill()
    await asyncio.wait(talking)
    await quiet(platform)
    return {(room.ref, number) for room in world.rooms for number in world.unaccounted(room)}


def table(world: World, lost: set[tuple[str, int]]) -> str:
    """Return what happened, for people."""
    asked = sum(len(room.asked) for room in world.rooms)
    heard = sum(len(world.heard(room)) for room in world.rooms)
    answers = [text for room in world.rooms for text in world.ledger.outbox(room.ref)]
    wrong = [problem for room in world.rooms for problem in world.unanswered(room)]
    calls = world.platform.server.calls
    requests = [request for request in world.openai.requests if not is_summary(request)]
    rows = {
        "processes killed by SIGKILL": KILLS,
        f"chats in flight on {type(world.platform).__name__}": len(world.rooms),
        "questions asked": asked,
        "of them commands that Discord said nobody heard": asked - heard,
        "answers (several questions at once are one turn)": len(answers),
        "chats with a lost, repeated or misplaced answer": len(wrong),
        "texts whose platform call lost its reply to a kill": len(lost),
        "texts that stand twice because of it": sum(world.surplus(r) or 0 for r in world.rooms),
        "model requests": len(requests),
        "of them for answers cut off by a kill": len(requests) - len(answers),
        "model requests after the answer was committed": sum(
            len(paid_twice(world, room)) for room in world.rooms
        ),
        "platform calls": len(calls),
        "of them refused or dropped": sum(bool(call.error) for call in calls),
    }
    return "\n" + "".join(f"{name:<52}{value:>12}\n" for name, value in rows.items())
