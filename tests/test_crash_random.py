"""The process dies by SIGKILL at random moments, with fifty chats in flight."""

import asyncio
import contextlib
import random
import sys
import time
from pathlib import Path

import pytest

from tests.crash.ledger import MARK
from tests.crash.trial import go_on
from tests.crash.world import Room, World, is_summary

PRIVATE_CHATS, GROUPS = 36, 14
KILLS, QUESTIONS_PER_LIFE = 8, 40
# Calls of the Bot API in a life: from "just begun" to "most of it answered".
FEWEST_CALLS, MOST_CALLS = 30, 110
# A turn that was cut off five times is given up, which is not what is looked at here: after so
# many kills a life goes on until everything is answered.
KILLS_IN_A_ROW = 4


@pytest.mark.parametrize("seed", [20261121])
async def test_nothing_is_lost_at_random_moments(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], seed: int
) -> None:
    """Every question is answered once and in order, however often the process dies."""
    rng = random.Random(seed)
    async with World(tmp_path) as world:
        world.openai.first_token_delay = 0.05
        world.openai.chunk_delay = 0.02
        rooms = [world.room(is_group=n >= PRIVATE_CHATS) for n in range(PRIVATE_CHATS + GROUPS)]
        weather = asyncio.create_task(disturb(world, rng))
        lost: set[tuple[str, int]] = set()
        for life in range(KILLS):
            if life and not life % KILLS_IN_A_ROW:
                await go_on(world)
            talking = asyncio.create_task(talk(world, rng, is_first=not life))
            lost |= await live_and_die(world, rng)
            await talking
        weather.cancel()
        await asyncio.wait({weather})
        await go_on(world)
        with capsys.disabled():
            sys.stdout.write(table(world, lost))
        found = world.ledger.problems()
        for room in rooms:
            found += world.problems(room, duplicates=None)
            found += world.unanswered(room) + world.usage_problems(room)
            found += paid_twice(world, room)
            windows = sum(ref == room.ref for ref, _ in lost)
            if (world.surplus(room) or 0) > windows:
                found.append(f"{room.ref}: {world.surplus(room)} surplus, {windows} windows")
        assert not found, "\n".join(found)
        assert "Traceback" not in world.log()


async def talk(world: World, rng: random.Random, *, is_first: bool) -> None:
    """Let people ask, whether somebody answers or not; the first time everybody asks."""
    rooms = list(world.rooms) if is_first else rng.choices(world.rooms, k=QUESTIONS_PER_LIFE)
    while rooms:
        for _ in range(rng.randint(1, 12)):
            if rooms:
                world.ask(rooms.pop(), world.mark(rng.choice("ssmmmxxxl")))
        await asyncio.sleep(rng.uniform(0, 0.6))


async def disturb(world: World, rng: random.Random) -> None:
    """Let Telegram refuse a call now and then."""
    telegram = world.telegram
    faults = [
        lambda: telegram.fail_next("sendMessage", retry_after=1),
        lambda: telegram.fail_next("sendMessage", status=502, is_html=True),
        lambda: telegram.fail_next("sendMessageDraft", retry_after=1),
        lambda: telegram.fail_next("editMessageText", retry_after=1),
        lambda: telegram.fail_next("editMessageText"),
        lambda: telegram.fail_next("getUpdates", status=502, is_html=True),
        lambda: telegram.drop_next("sendMessage"),
        lambda: telegram.drop_next("editMessageText", is_done=True),
        lambda: telegram.drop_next("getUpdates", is_done=True),
    ]
    while True:
        fault = rng.choice(faults)()
        try:
            await asyncio.sleep(rng.uniform(0, 0.3))
        finally:
            fault.release()


async def live_and_die(world: World, rng: random.Random) -> set[tuple[str, int]]:
    """Let a program live for some calls; return the messages it could not keep account of."""
    telegram = world.telegram
    end = len(telegram.calls) + rng.randint(FEWEST_CALLS, MOST_CALLS)
    async with world.program() as program:
        with contextlib.suppress(TimeoutError):  # nobody has anything more to say
            await telegram.until(lambda: len(telegram.calls) >= end, seconds=5)
        await asyncio.sleep(rng.uniform(0, 0.02))  # not only at the arrival of a call
        await program.kill()
    async with asyncio.timeout(10):
        while telegram.connections:  # noqa: ASYNC110 - what was under way is done or dropped
            await asyncio.sleep(0.01)
    return {(room.ref, number) for room in world.rooms for number in world.unaccounted(room)}


def paid_twice(world: World, room: Room) -> list[str]:
    """Return the questions for which the model was asked after their answer was committed."""
    found = []
    monotonic = time.time() - time.monotonic()
    for text in world.ledger.outbox(room.ref):
        for mark in MARK.findall(text.text)[:1]:
            late = [r for r in world.requests(mark) if (r.at + monotonic) * 1000 > text.at + 1]
            found += [f"{mark} was asked {len(late)} times after its answer"] if late else []
    return found


def table(world: World, lost: set[tuple[str, int]]) -> str:
    """Return what happened, for people."""
    asked = sum(len(room.asked) for room in world.rooms)
    answers = [text for room in world.rooms for text in world.ledger.outbox(room.ref)]
    wrong = [problem for room in world.rooms for problem in world.unanswered(room)]
    calls = world.telegram.calls
    requests = [request for request in world.openai.requests if not is_summary(request)]
    rows = {
        "processes killed by SIGKILL": KILLS,
        "chats in flight (groups)": f"{len(world.rooms)} ({GROUPS})",
        "questions asked": asked,
        "answers (several questions at once are one turn)": len(answers),
        "chats with a lost, repeated or misplaced answer": len(wrong),
        "texts whose platform call lost its reply to a kill": len(lost),
        "texts that stand twice because of it": sum(world.surplus(r) or 0 for r in world.rooms),
        "model requests": len(requests),
        "of them for answers cut off by a kill": len(requests) - len(answers),
        "model requests after the answer was committed": sum(
            len(paid_twice(world, room)) for room in world.rooms
        ),
        "Bot API calls": len(calls),
        "of them refused or dropped": sum(bool(call.error) for call in calls),
    }
    return "\n" + "".join(f"{name:<52}{value:>12}\n" for name, value in rows.items())
