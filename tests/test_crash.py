"""The process dies by SIGKILL at every step of the path; nothing is lost, nothing said twice.

Each case is a chat of its own. Its question is brought to one step and stands still there;
when every chat stands at its step, the process is killed, once for all of them. What waited
behind the question is answered after it by the program that starts next.
"""

import re
from collections.abc import Callable, Sequence
from functools import partial
from hashlib import sha256
from pathlib import Path

import pytest

from tests.crash.child import written
from tests.crash.platforms import Discord, Kind, Platform, Telegram
from tests.crash.program import CHILD, START_SECONDS
from tests.crash.trial import Case, Trial, arm, check, crash, go_on, trials
from tests.crash.verdict import paid_twice
from tests.crash.world import Room, World, served

PRIVATE = (
    Case(steps=(("store.window", "after"),)),
    Case(steps=(("store.window", "before"),)),
    Case(steps=(("bot.preview", "before"),), is_finished=True),
    Case(steps=(("model.stream", "before"),)),
    Case(steps=(("model.delta", "after"),), asked=2),
    Case(steps=(("model.delta", "after", 3),), asked=2),
    Case(steps=(("model.stream", "after"),), asked=2),
    Case(held=(("done", "sendMessageDraft"),), is_finished=True),
    Case(steps=(("store.finish", "before"),), asked=2),
    Case(steps=(("store.finish", "after"),)),
    Case(steps=(("bot.final", "before"),)),
    Case(held=(("called", "sendMessage"),)),
    Case(held=(("done", "sendMessage"),), duplicates=1),
    Case(steps=(("bot.final", "after"),), duplicates=1),
    Case(steps=(("store.next", "before"),), duplicates=1),
    Case(steps=(("store.next", "after"),)),
)
GROUP = (
    Case(held=(("called", "sendMessage"),), is_finished=True),
    Case(held=(("done", "sendMessage"),), is_finished=True, duplicates=1),
    Case(steps=(("store.posted", "before"), ("model.stream", "after")), asked=2, duplicates=1),
    Case(steps=(("store.posted", "after"), ("model.stream", "after")), asked=2),
    Case(steps=(("model.stream", "after"),), asked=2),
    Case(steps=(("model.stream", "after"),), held=(("called", "editMessageText"),), asked=2),
    Case(steps=(("model.stream", "after"),), held=(("done", "editMessageText"),), asked=2),
    Case(steps=(("store.finish", "before"),), asked=2),
    Case(steps=(("store.finish", "after"),)),
    Case(steps=(("bot.final", "before"),)),
    Case(steps=(("bot.final", "after"),)),
    Case(steps=(("store.next", "before"),)),
    Case(steps=(("store.next", "after"),)),
)
LONG_GROUP = (
    Case(steps=(("store.posted", "before"),), is_finished=True, duplicates=1),
    Case(steps=(("store.posted", "after"),), is_finished=True),
    Case(steps=(("store.posted", "after", 2),), is_finished=True),
    Case(steps=(("store.finish", "before"),), asked=2),
    Case(steps=(("store.finish", "after"),)),
    Case(steps=(("store.next", "after"),)),
)
LONG = (
    *LONG_GROUP,
    Case(steps=(("bot.final", "after"),), duplicates=1),
    Case(steps=(("store.next", "before"),), duplicates=1),
)
VOICE = (
    Case(steps=(("bot.fetch", "before"),)),
    Case(steps=(("bot.fetch", "after"),)),
    Case(steps=(("transcriber.transcribe", "before"),)),
    Case(steps=(("transcriber.transcribe", "after"),), heard=2),
    Case(steps=(("store.heard", "before"),), heard=2),
    Case(steps=(("store.heard", "after"),)),
    Case(steps=(("model.delta", "after", 3),), asked=2),
    Case(steps=(("store.finish", "before"),), asked=2),
    Case(steps=(("store.finish", "after"),)),
)
DISCORD_VOICE = (
    Case(steps=(("bot.fetch", "after"),)),
    Case(steps=(("store.heard", "after"),)),
    Case(steps=(("store.finish", "before"),), asked=2),
)
NEW = (
    Case(steps=(("store.forget", "before"),), asked=0),
    Case(steps=(("store.forget", "after"),), asked=0),
    Case(steps=(("store.finish", "before"),), asked=0),
    Case(steps=(("store.finish", "after"),), asked=0),
    Case(steps=(("store.next", "after"),), asked=0),
)
# Answers without a preview; a post whose confirmation was lost is known again by its nonce.
DISCORD_NEW = (
    Case(held=(("called", "create_message"),), asked=0),
    Case(held=(("done", "create_message"),), asked=0),
    Case(steps=(("bot.final", "after"),), asked=0),
    Case(steps=(("store.next", "before"),), asked=0),
)
RETRY = (
    Case(steps=(("store.last_turn", "after"),), asked=2),
    Case(steps=(("model.delta", "after"),), asked=3),
    Case(steps=(("store.finish", "before"),), asked=3),
    Case(steps=(("store.finish", "after"),), asked=2),
    Case(steps=(("store.next", "before"),), asked=2, duplicates=1),
    Case(steps=(("store.next", "after"),), asked=2),
)
STOP = (
    Case(steps=(("model.delta", "after", 3), ("store.finish", "before"))),
    Case(steps=(("model.delta", "after", 3), ("store.finish", "after"))),
    Case(steps=(("model.delta", "after", 3), ("bot.final", "after")), duplicates=1),
    Case(steps=(("model.delta", "after", 3), ("store.finish", "before", 2))),
    Case(steps=(("model.delta", "after", 3), ("store.finish", "after", 2))),
)
# These hold up more than their own chat, so each needs a process of its own.
SHARED = (
    Case(steps=(("store.put", "before"),)),
    Case(steps=(("store.put", "after"),)),
    Case(steps=(("store.lease", "after"),)),
    Case(steps=(("model.delta", "after", 4),), asked=2),
    Case(steps=(("store.finish", "after"),)),
)
ASKING = (
    Case(steps=(("store.ask", "before"),)),
    Case(steps=(("store.ask", "after"),)),
    Case(steps=(("store.finish", "before"),)),
    Case(steps=(("store.finish", "after"),)),
    Case(steps=(("store.next", "after"),)),
)
APPROVING = (
    Case(steps=(("store.decide", "after"),)),
    Case(steps=(("store.finish", "before"),)),
    Case(steps=(("store.finish", "after"),)),
    Case(steps=(("store.next", "after"),)),
)
FOLDING = (
    Case(steps=(("store.compact", "before"),)),
    Case(steps=(("store.compact", "after"),)),
)
PLATFORMS = ("telegram", "discord")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Where the program runs and keeps its database."""
    return tmp_path


@pytest.mark.parametrize(
    ("cases", "size", "kind"),
    [
        (PRIVATE, "m", "private"),
        (GROUP, "m", "group"),
        (LONG, "l", "private"),
        (LONG_GROUP, "l", "group"),
    ],
    ids=["private", "group", "long", "long-group"],
)
async def test_a_killed_answer_is_given_once(
    folder: Path, cases: Sequence[Case], size: str, kind: Kind
) -> None:
    """Wherever the process dies, the next one gives one whole answer, in its place."""
    async with World(folder, Telegram()) as world:
        killed = trials(world, cases, size, kind)
        await crash(world, killed, lambda trial: world.ask(trial.room, trial.mark))
        check(world, killed)


@pytest.mark.parametrize(
    ("platform", "cases"), [(Telegram, VOICE), (Discord, DISCORD_VOICE)], ids=PLATFORMS
)
async def test_a_recording_is_heard_once(
    folder: Path, platform: Callable[[], Platform], cases: Sequence[Case]
) -> None:
    """What was heard is not paid for again, and is quoted above the answer."""
    async with World(folder, platform()) as world:
        killed = trials(world, cases, "m")
        recordings = {trial.mark: world.voice(trial.mark) for trial in killed}
        for trial in killed:
            trial.clues = (sha256(recordings[trial.mark]).hexdigest()[:16],)

        def speak(trial: Trial) -> None:
            trial.room.asked.append(trial.mark)
            trial.room.place.say_voice(recordings[trial.mark])

        await crash(world, killed, speak)
        check(world, killed)
        heard = {str(t.case): world.transcriptions(t.mark) for t in killed}
        assert heard == {str(t.case): t.case.heard for t in killed}


@pytest.mark.parametrize(
    ("platform", "cases"), [(Telegram, NEW), (Discord, DISCORD_NEW)], ids=PLATFORMS
)
async def test_a_new_start_is_made_once(
    folder: Path, platform: Callable[[], Platform], cases: Sequence[Case]
) -> None:
    """What comes after /new knows nothing of what came before it."""
    async with World(folder, platform()) as world:
        killed = trials(world, cases, "s", *world.platform.kinds)
        await crash(world, killed, lambda trial: say(trial.room, "/new"))
        check(world, killed)
        for trial in killed:
            requests = world.requests(trial.room.asked[-1])
            assert len(requests) == 1 or trial.case.is_let_go, trial.case
            for request in requests:
                assert [role for role, _ in request.texts] == ["system", "user"], trial.case
            assert not paid_twice(world, trial.room), trial.case


async def test_an_answer_is_replaced_once(folder: Path) -> None:
    """A /retry asks again, answers once more, and remembers the newer answer only."""
    async with World(folder, Telegram()) as world:
        killed = trials(world, RETRY, "s")

        def again(trial: Trial) -> None:
            trial.mark = trial.room.asked[0]
            say(trial.room, "/retry")

        # The question at hand is the first one, whose mark is not known before it is asked.
        for trial, number in zip(killed, range(len(killed)), strict=True):
            trial.clues = (f"m{len(killed) + 1 + number}s",)
        await crash(world, killed, again)
        for trial in killed:
            first, third = trial.room.asked
            assert first in trial.clues
            trial.asked = [first, first, third]
        check(world, killed)


async def test_a_stop_is_obeyed_once(folder: Path) -> None:
    """A stopped answer is not taken up again, nor paid for again."""
    async with World(folder, Telegram()) as world:
        killed = trials(world, STOP, "m")
        await crash(
            world,
            killed,
            lambda trial: world.ask(trial.room, trial.mark),
            then=lambda trial: say(trial.room, "/stop"),
        )
        for trial in killed:
            trial.asked = [mark for mark in trial.room.asked if mark != trial.mark]
            said = [text.text for text in world.ledger.outbox(trial.room.ref)]
            assert said.count("Stopped.") == 1
        check(world, killed, has_usage=False)


@pytest.mark.parametrize(
    ("platform", "cases"),
    [
        (Telegram, SHARED),
        (partial(Telegram, listeners=1), SHARED[:2]),
        (Discord, SHARED[:2]),
    ],
    ids=["telegram", "webhook", "discord"],
)
async def test_the_process_dies_at_steps_that_all_chats_share(
    folder: Path, platform: Callable[[], Platform], cases: Sequence[Case]
) -> None:
    """A message that was seen is answered, whether it was stored before the end or not."""
    async with World(folder, platform()) as world:
        killed = trials(world, cases, "m", *world.platform.kinds)
        for trial in killed:
            spots = written(trial.spots(kills=True))
            async with served(world, *CHILD, spots) as program:
                world.ask(trial.room)
                await arm(world, program)
                world.ask(trial.room, trial.mark)
                assert await program.wait() < 0
        await go_on(world)
        check(world, killed)


@pytest.mark.parametrize("platform", [Telegram, Discord], ids=PLATFORMS)
async def test_what_is_said_to_nobody_is_answered(
    folder: Path, platform: Callable[[], Platform]
) -> None:
    """What people write to a dead process, and while the next one starts, keeps its order."""
    async with World(folder, platform()) as world:
        rooms = [world.room(kind) for _ in range(3) for kind in world.platform.kinds]
        async with served(world) as program:
            for room in rooms:
                world.ask(room)
            await world.settle()
            await program.kill()
        async with world.program():
            for _ in range(8):
                for room in rooms:
                    world.ask(room)
                await a_few_calls(world.platform)
            await world.settle()
        found = world.ledger.problems()
        for room in rooms:
            found += world.problems(room) + world.unanswered(room)
        assert not found


async def test_a_code_is_given_once(folder: Path) -> None:
    """A stranger gets one code, and every owner hears of it, once."""
    async with World(folder, Telegram(), ACCESS="pairing") as world:
        owner = world.room()
        world.settings["OWNERS"] = owner.place.person
        world.ask(owner)
        killed = trials(world, ASKING, "s")
        async with served(
            world, *CHILD, written([s for t in killed for s in t.spots()])
        ) as program:
            await arm(world, program)
            for trial in killed:
                say(trial.room, "Let me in")
            await program.printed(*map(str, range(len(killed))))
            await world.sent(owner)
            await program.kill()
        await go_on(world)
        notices = [text.text for text in world.ledger.outbox(owner.ref) if text.turn is None]
        for trial in killed:
            (answer,) = trial.room.place.answers
            (code,) = re.findall(r"\b[A-Z0-9]{6}\b", answer.text)
            told = [text for text in notices if trial.room.place.person in text]
            assert len(told) == 1, trial.case
            assert code in told[0], trial.case
        assert not world.problems(owner)


async def test_somebody_is_let_in_once(folder: Path) -> None:
    """An owner's decision is confirmed to the owner and told to the stranger, once each."""
    async with World(folder, Telegram(), ACCESS="pairing") as world:
        killed = trials(world, APPROVING, "s")
        owners = ",".join(trial.room.place.person for trial in killed)
        world.settings["OWNERS"] = owners
        strangers = [world.room() for _ in killed]
        for trial, stranger in zip(killed, strangers, strict=True):
            trial.clues = (stranger.place.person,)
            world.ask(trial.room)
        async with served(
            world, *CHILD, written([s for t in killed for s in t.spots()])
        ) as program:
            await world.settle()
            for stranger in strangers:
                say(stranger, "Let me in")
            await arm(world, program)
            for trial, stranger in zip(killed, strangers, strict=True):
                say(trial.room, f"/approve {_code(stranger)}")
            await program.printed(*map(str, range(len(killed))))
            await world.sent(*strangers)
            await program.kill()
        await go_on(world)
        for trial, stranger in zip(killed, strangers, strict=True):
            said = [text.text for text in world.ledger.outbox(trial.room.ref)]
            assert sum("may talk to me now" in text for text in said) == 1, trial.case
            told = [message.text for message in stranger.place.answers]
            assert sum("has let you in" in text for text in told) == 1, trial.case
            assert not world.problems(trial.room), trial.case


async def test_memory_is_folded_whole_or_not_at_all(folder: Path) -> None:
    """A summary and what it stands for change places in one step."""
    async with World(folder, Telegram(), CONTEXT_TOKENS="700", REPLY_TOKENS="100") as world:
        killed = trials(world, FOLDING, "m")
        async with served(
            world, *CHILD, written([s for t in killed for s in t.spots()])
        ) as program:
            await arm(world, program)
            for _ in range(10):
                for trial in killed:
                    world.ask(trial.room, world.mark("m"))
                await world.settle()
            await program.printed(*map(str, range(len(killed))))
            await program.kill()
        for trial in killed:
            world.ask(trial.room)
        await go_on(world)
        found = world.ledger.problems()
        for trial in killed:
            found += world.problems(trial.room) + world.unanswered(trial.room)
            found += world.ledger.memory_problems(trial.room.ref)
        assert not found


async def a_few_calls(platform: Platform) -> None:
    """Wait until the program has made some more calls."""
    server, number = platform.server, len(platform.server.calls) + 2
    await server.until(lambda: len(server.calls) >= number, seconds=START_SECONDS)


def say(room: Room, text: str) -> None:
    """Say something that is no question."""
    room.place.say(text)


def _code(stranger: Room) -> str:
    (answer,) = stranger.place.answers
    (code,) = re.findall(r"\b[A-Z0-9]{6}\b", answer.text)
    return str(code)
