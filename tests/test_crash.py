"""The process dies by SIGKILL at every step of the path; nothing is lost, nothing said twice.

Each case is a chat of its own. Its question is brought to one step and stands still there;
when every chat stands at its step, the process is killed, once for all of them. What waited
behind the question is answered after it by the program that starts next.
"""

import re
from collections.abc import Sequence
from hashlib import sha256
from pathlib import Path

import pytest

from tests.crash.child import written
from tests.crash.trial import CHILD, Case, Trial, arm, check, crash, go_on, trials
from tests.crash.world import Room, World, served

PRIVATE = (
    Case(steps=(("store.known", "before"),)),
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
    Case(steps=(("store.posted", "before"), ("model.delta", "after", 5)), asked=2, duplicates=1),
    Case(steps=(("store.posted", "after"), ("model.delta", "after", 5)), asked=2),
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


NEW = (
    Case(steps=(("store.forget", "before"),), asked=0),
    Case(steps=(("store.forget", "after"),), asked=0),
    Case(steps=(("store.finish", "before"),), asked=0),
    Case(steps=(("store.finish", "after"),), asked=0),
    Case(steps=(("store.next", "after"),), asked=0),
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


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Where the program runs and keeps its database."""
    return tmp_path


@pytest.mark.parametrize(
    ("cases", "size", "is_group"),
    [(PRIVATE, "m", False), (GROUP, "m", True), (LONG, "l", False), (LONG_GROUP, "l", True)],
    ids=["private", "group", "long", "long-group"],
)
async def test_a_killed_answer_is_given_once(
    folder: Path, cases: Sequence[Case], size: str, *, is_group: bool
) -> None:
    """Wherever the process dies, the next one gives one whole answer, in its place."""
    async with World(folder) as world:
        killed = trials(world, cases, size, is_group=is_group)
        await crash(world, killed, lambda trial: world.ask(trial.room, trial.mark))
        check(world, killed)


async def test_a_recording_is_heard_once(folder: Path) -> None:
    """What was heard is not paid for again, and is quoted above the answer."""
    async with World(folder) as world:
        killed = trials(world, VOICE, "m")
        recordings = {trial.mark: world.voice(trial.mark) for trial in killed}
        for trial in killed:
            trial.clues = (sha256(recordings[trial.mark]).hexdigest()[:16],)

        def speak(trial: Trial) -> None:
            trial.room.asked.append(trial.mark)
            trial.room.chat.say_voice(trial.room.user, recordings[trial.mark])

        await crash(world, killed, speak)
        check(world, killed)
        heard = {str(t.case): world.transcriptions(t.mark) for t in killed}
        assert heard == {str(t.case): t.case.heard for t in killed}


async def test_a_new_start_is_made_once(folder: Path) -> None:
    """What comes after /new knows nothing of what came before it."""
    async with World(folder) as world:
        killed = trials(world, NEW, "s")
        await crash(world, killed, lambda trial: say(trial, "/new"))
        check(world, killed)
        for trial in killed:
            (request,) = world.requests(trial.room.asked[-1])
            assert [role for role, _ in request.texts] == ["system", "user"], trial.case


async def test_an_answer_is_replaced_once(folder: Path) -> None:
    """A /retry asks again, answers once more, and remembers the newer answer only."""
    async with World(folder) as world:
        killed = trials(world, RETRY, "s")

        def again(trial: Trial) -> None:
            trial.mark = trial.room.asked[0]
            say(trial, "/retry")

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
    async with World(folder) as world:
        killed = trials(world, STOP, "m")
        await crash(
            world,
            killed,
            lambda trial: world.ask(trial.room, trial.mark),
            then=lambda trial: say(trial, "/stop"),
        )
        for trial in killed:
            trial.asked = [mark for mark in trial.room.asked if mark != trial.mark]
            said = [text.text for text in world.ledger.outbox(trial.room.ref)]
            assert said.count("Stopped.") == 1
        check(world, killed, has_usage=False)


async def test_the_process_dies_at_steps_that_all_chats_share(folder: Path) -> None:
    """A message that was seen is answered, whether it was stored before the end or not."""
    async with World(folder) as world:
        killed = trials(world, SHARED, "m")
        for trial in killed:
            spots = written(trial.spots(kills=True))
            async with served(world, *CHILD, spots) as program:
                await arm(world, program)
                world.ask(trial.room, trial.mark)
                assert await program.wait() < 0
        await go_on(world)
        check(world, killed)


async def test_a_code_is_given_once(folder: Path) -> None:
    """A stranger gets one code, and every owner hears of it, once."""
    async with World(folder, ACCESS="pairing") as world:
        owner = world.room()
        world.settings["OWNERS"] = f"telegram:{owner.user.id}"
        world.ask(owner)
        killed = trials(world, ASKING, "s")
        async with served(
            world, *CHILD, written([s for t in killed for s in t.spots()])
        ) as program:
            await arm(world, program)
            for trial in killed:
                trial.room.chat.say(trial.room.user, "Let me in")
            await program.printed(*map(str, range(len(killed))))
            await program.kill()
        await go_on(world)
        notices = [text.text for text in world.ledger.outbox(owner.ref) if text.turn is None]
        for trial in killed:
            (answer,) = trial.room.chat.answers
            (code,) = re.findall(r"\b[A-Z0-9]{6}\b", answer.text)
            told = [text for text in notices if str(trial.room.user.id) in text]
            assert len(told) == 1, trial.case
            assert code in told[0], trial.case
        assert not world.problems(owner)


async def test_somebody_is_let_in_once(folder: Path) -> None:
    """An owner's decision is confirmed to the owner and told to the stranger, once each."""
    async with World(folder, ACCESS="pairing") as world:
        killed = trials(world, APPROVING, "s")
        owners = ",".join(f"telegram:{trial.room.user.id}" for trial in killed)
        world.settings["OWNERS"] = owners
        strangers = [world.room() for _ in killed]
        for trial, stranger in zip(killed, strangers, strict=True):
            trial.clues = (str(stranger.user.id),)
            world.ask(trial.room)
        async with served(
            world, *CHILD, written([s for t in killed for s in t.spots()])
        ) as program:
            await world.settle()
            for stranger in strangers:
                stranger.chat.say(stranger.user, "Let me in")
            await arm(world, program)
            for trial, stranger in zip(killed, strangers, strict=True):
                say(trial, f"/approve {_code(stranger)}")
            await program.printed(*map(str, range(len(killed))))
            await program.kill()
        await go_on(world)
        for trial, stranger in zip(killed, strangers, strict=True):
            said = [text.text for text in world.ledger.outbox(trial.room.ref)]
            assert sum("may talk to me now" in text for text in said) == 1, trial.case
            told = [message.text for message in stranger.chat.answers]
            assert sum("has let you in" in text for text in told) == 1, trial.case
            assert not world.problems(trial.room), trial.case


async def test_memory_is_folded_whole_or_not_at_all(folder: Path) -> None:
    """A summary and what it stands for change places in one step."""
    async with World(folder, CONTEXT_TOKENS="700", REPLY_TOKENS="100") as world:
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


def say(trial: Trial, text: str) -> None:
    """Say something that is no question."""
    trial.room.chat.say(trial.room.user, text)


def _code(stranger: Room) -> str:
    (answer,) = stranger.chat.answers
    (code,) = re.findall(r"\b[A-Z0-9]{6}\b", answer.text)
    return str(code)
