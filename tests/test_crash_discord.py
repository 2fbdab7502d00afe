"""What only Discord has, killed: posts it knows again, commands that wait, and histories."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from tests.crash.child import Spot, When, written
from tests.crash.platforms import Discord, DiscordPlace, Fault, quiet
from tests.crash.program import CHILD
from tests.crash.trial import Case, arm, check, crash, trials
from tests.crash.world import Room, World, answered, served
from tests.servers.discord import Interaction

TOKEN_SECONDS = 900.0
CALLBACK = "create_interaction_response"

# A post carries a nonce, so that one whose confirmation was lost is not posted again.
MESSAGES = (
    Case(held=(("called", "create_message"),), is_finished=True),
    Case(held=(("done", "create_message"),), is_finished=True),
    Case(steps=(("store.posted", "before"), ("model.stream", "after")), asked=2),
    Case(steps=(("store.posted", "after"), ("model.stream", "after")), asked=2),
    Case(steps=(("model.stream", "after"),), held=(("done", "edit_message"),), asked=2),
    Case(steps=(("bot.final", "after"),)),
    Case(steps=(("store.next", "before"),)),
)
LONG_MESSAGES = (
    Case(steps=(("store.posted", "before"),), is_finished=True),
    Case(steps=(("store.posted", "before", 2),), is_finished=True),
    Case(steps=(("store.posted", "after", 2),), is_finished=True),
    Case(steps=(("bot.final", "after"),)),
    Case(steps=(("store.next", "before"),)),
)
# The first answer to a command takes the place of "thinking…"; further ones are posts.
COMMANDS = (
    Case(steps=(("model.stream", "before"),)),
    Case(steps=(("model.delta", "after"),), asked=2),
    Case(steps=(("store.posted", "before"),), is_finished=True),
    Case(steps=(("bot.final", "after"),)),
    Case(steps=(("store.next", "before"),)),
)
LONG_COMMANDS = (
    Case(steps=(("store.posted", "before"),), is_finished=True),
    Case(steps=(("store.posted", "before", 2),), is_finished=True),
    Case(steps=(("store.posted", "after", 2),), is_finished=True),
    Case(steps=(("bot.final", "after"),)),
    Case(steps=(("store.next", "before"),)),
)
# After a quarter of an hour, Discord has forgotten nonces and takes no answers to commands.
LATE_MESSAGES = (
    Case(steps=(("store.posted", "before"), ("model.stream", "after")), asked=2, duplicates=1),
    Case(steps=(("store.posted", "after"), ("model.stream", "after")), asked=2),
)
LATE_COMMANDS = (
    Case(steps=(("model.stream", "before"),)),
    Case(steps=(("model.stream", "after"),), asked=2),
    Case(steps=(("store.posted", "before"),), is_finished=True, duplicates=1),
    Case(steps=(("store.next", "before"),)),
)
LATE_LONG_COMMANDS = (
    Case(steps=(("store.posted", "before", 2),), is_finished=True, duplicates=1),
    Case(steps=(("store.posted", "after", 2),), is_finished=True),
)
THREADS: Sequence[tuple[str, When]] = (
    ("model.stream", "before"),
    ("model.delta", "after"),
    ("store.finish", "after"),
)


@pytest.fixture
def platform() -> Discord:
    """Discord."""
    return Discord()


@pytest.fixture
def world(tmp_path: Path, platform: Discord) -> World:
    """Discord, a model, and a folder for the program; to be entered."""
    return World(tmp_path, platform)


async def test_a_killed_answer_is_given_once(world: World, platform: Discord) -> None:
    """No post is doubled, nor an answer to a command."""
    async with world:
        killed = [
            *trials(world, MESSAGES, "m", *platform.kinds),
            *trials(world, LONG_MESSAGES, "w", *platform.kinds),
            *trials(world, COMMANDS, "m", "command"),
            *trials(world, LONG_COMMANDS, "w", "command"),
        ]
        await crash(world, killed, lambda trial: world.ask(trial.room, trial.mark))
        check(world, killed)
        assert {asked.state for asked in interactions(world)} == {"answered"}


async def test_a_quarter_of_an_hour_later(world: World, platform: Discord) -> None:
    """The answer to a command comes in the channel when Discord takes no other."""
    async with world:
        killed = [
            *trials(world, LATE_MESSAGES, "m", *platform.kinds),
            *trials(world, LATE_COMMANDS, "m", "command"),
            *trials(world, LATE_LONG_COMMANDS, "w", "command"),
        ]
        await crash(
            world,
            killed,
            lambda trial: world.ask(trial.room, trial.mark),
            meanwhile=lambda: platform.server.advance(TOKEN_SECONDS),
        )
        check(world, killed)
        assert "thinking" not in {asked.state for asked in interactions(world)}


async def test_it_dies_while_it_takes_a_command_in(world: World, platform: Discord) -> None:
    """Stored, it is answered, in the channel if need be; else Discord says that nobody heard."""
    async with world:
        known, lost, stored, deferred = (world.room("command") for _ in range(4))
        await ask_and_die(world, lost, Spot(call="store.put", when="before", about=("What",)))
        await ask_and_die(world, stored, Spot(call="store.put", when="after", about=("What",)))
        held = platform.server.hold_next(CALLBACK)
        await ask_and_die(world, deferred, fault=held)
        world.ask(known)  # while nobody listens
        platform.server.advance(3)
        async with served(world):
            await world.settle()
            world.ask(known)
            await world.settle()
        assert [state_of(room) for room in (lost, stored, deferred)] == [
            "failed",
            "failed",
            "answered",
        ]
        found = world.ledger.problems()
        for room in world.rooms:
            found += world.problems(room) + world.unanswered(room)
        assert not found
        answers = [len(room.place.answers) for room in (known, lost, stored, deferred)]
        assert answers == [1, 0, 1, 1]


async def test_a_thread_is_opened_once(world: World, platform: Discord) -> None:
    """A question that has a thread of its own is answered there, and there it goes on."""
    async with world:
        rooms = [world.room("command") for _ in THREADS]
        marks = [world.mark("m") for _ in THREADS]
        spots = [
            Spot(call=call, when=when, about=(mark,))
            for (call, when), mark in zip(THREADS, marks, strict=True)
        ]
        async with served(world, *CHILD, written(spots)) as program:
            await arm(world, program)
            for room, mark in zip(rooms, marks, strict=True):
                place_of(room).channel.slash(
                    place_of(room).user, "chat", prompt=f"What about {mark}?", thread=True
                )
            await program.printed(*map(str, range(len(spots))))
            await program.kill()
        await quiet(platform)
        async with served(world):
            await world.settle()
            for room, mark in zip(rooms, marks, strict=True):
                (asked,) = place_of(room).channel.interactions
                assert asked.original
                thread = platform.server.channels[asked.original.id]
                assert asked.text == f"→ {thread.mention}"
                thread.say(place_of(room).user, f"What about {mark}?")
                await thread.answer(2, containing="End of")
                assert [answered(message.content) for message in thread.answers] == [[mark]] * 2


@pytest.mark.parametrize("when", ["before", "after"])
async def test_a_question_for_a_thread_survives(
    world: World, platform: Discord, when: When
) -> None:
    """Before its thread is known it is answered in place, and afterwards in the thread."""
    async with world:
        room = world.room("command")
        spot = Spot(call="store.move", when=when, about=("What",), kills=True)
        async with served(world, *CHILD, written([spot])) as program:
            await arm(world, program)
            place_of(room).channel.slash(
                place_of(room).user, "chat", prompt="What about m1s?", thread=True
            )
            assert await program.wait() < 0
        await quiet(platform)
        async with served(world):
            await world.settle()
        (asked,) = place_of(room).channel.interactions
        assert asked.original
        if when == "before":
            assert asked.text.startswith("-# I may not open a thread here")
            assert "End of m1s!" in asked.text
        else:
            thread = platform.server.channels[asked.original.id]
            assert asked.text == f"→ {thread.mention}"
            assert "End of m1s!" in thread.answers[0].content
        assert len(world.openai.requests) == 1


async def ask_and_die(
    world: World, room: Room, spot: Spot | None = None, *, fault: Fault | None = None
) -> None:
    """Ask something and kill the program there, or when a call is held."""
    spots = [replace(spot, kills=True)] if spot else []
    async with served(world, *CHILD, written(spots)) as program:
        await arm(world, program)
        world.ask(room)
        if fault:
            await world.platform.server.until(lambda: fault.used)
            await program.kill()
            fault.release()
        else:
            assert await program.wait() < 0
    await quiet(world.platform)


def interactions(world: World) -> Iterator[Interaction]:
    """Yield what was asked by commands."""
    for room in world.rooms:
        if isinstance(room.place, DiscordPlace):
            yield from room.place.channel.interactions


def place_of(room: Room) -> DiscordPlace:
    """Return a room's place."""
    assert isinstance(room.place, DiscordPlace)
    return room.place


def state_of(room: Room) -> str:
    """Return what who asked last in a room sees of the answer."""
    return place_of(room).channel.interactions[-1].state
