"""Cases in chats of their own: brought to their steps, killed all at once, and then compared."""

import asyncio
import signal
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import cycle

from tests.crash.child import Spot, When, written
from tests.crash.platforms import Fault, Held, Kind, quiet
from tests.crash.program import CHILD, START_SECONDS, Program
from tests.crash.world import Room, World, asked_of, served

Step = tuple[str, When] | tuple[str, When, int]
Act = Callable[["Trial"], None]
# Calls that are made only while an answer is written.
PREVIEWS = {"sendMessageDraft", "editMessageText", "edit_message"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """What stands still, and what it may cost.

    Attributes:
        steps: Calls of the program; see Spot.
        held: Calls of the platform, before or after they are done.
        is_finished: The turn is committed although something of it stands still.
        asked: How often the model is asked in all.
        heard: How often a recording is transcribed in all.
        duplicates: Texts that stand twice: the platform had done a call of which the
            program could not keep the result.
    """

    steps: tuple[Step, ...] = ()
    held: tuple[Held, ...] = ()
    is_finished: bool = False
    asked: int = 1
    heard: int = 1
    duplicates: int = 0

    @property
    def is_let_go(self) -> bool:
        """Whether its chat is free, so that the next question may be cut off by the kill."""
        return ("store.next", "after") in self.steps

    def __str__(self) -> str:
        steps = [
            f"{step[1]} {step[0]} {''.join(map(str, step[2:]))}".strip() for step in self.steps
        ]
        return ", ".join([*steps, *(f"{when} {method}" for when, method in self.held)])


@dataclass(slots=True, kw_only=True)
class Trial:
    """A case in its chat.

    Attributes:
        mark: Of the question that is brought to the case's steps.
        clues: What else tells that a call is about this trial.
        asked: The questions that are answered in the end, in order; None: all.
        shown: How many messages stood there before the question.
    """

    case: Case
    room: Room
    mark: str
    clues: tuple[str, ...] = ()
    asked: list[str] | None = None
    faults: tuple[Fault, ...] = ()
    shown: int = 0

    def spots(self, *, kills: bool = False) -> list[Spot]:
        """Return the places to stand still at, or to die at."""
        about = (self.room.ref, self.mark, *self.clues)
        return [
            Spot(call=call, when=when, about=about, nth=nth[0] if nth else 1, kills=kills)
            for call, when, *nth in self.case.steps
        ]

    def hold(self) -> None:
        """Let the platform take its time with the calls that the case names."""
        self.faults = tuple(map(self.room.place.hold, self.case.held))
        self.shown = len(self.room.place.answers)

    @property
    def is_seen(self) -> bool:
        """Whether the rest of the answer may come: a preview that is to be held was begun."""
        if not PREVIEWS.intersection(method for _, method in self.case.held):
            return True
        is_used = any(fault.used for fault in self.faults)
        return is_used or len(self.room.place.answers) > self.shown


def trials(world: World, cases: Sequence[Case], size: str, *kinds: Kind) -> list[Trial]:
    """Return each case in a new chat, of these kinds in turn, for an answer of this size."""
    return [
        Trial(case=case, room=world.room(kind), mark=world.mark(size))
        for case, kind in zip(cases, cycle(kinds or ("private",)), strict=False)
    ]


async def crash(
    world: World,
    trials: Sequence[Trial],
    act: Act,
    *,
    then: Act | None = None,
    meanwhile: Callable[[], None] | None = None,
) -> None:
    """Let each chat talk, bring each to its steps, kill the process, and start another.

    Args:
        world: Where.
        trials: The cases.
        act: Asks the question that is brought to its steps.
        then: Does something more when the first step is reached.
        meanwhile: Does something between the kill and the start.
    """
    spots = [spot for trial in trials for spot in trial.spots()]
    world.openai.goes_on = lambda request: all(
        trial.is_seen for trial in trials if trial.mark in asked_of(request)
    )
    async with served(world, *CHILD, written(spots)) as program:
        for trial in trials:
            world.ask(trial.room)
        await arm(world, program)
        for trial in trials:
            trial.hold()
            act(trial)
        if then:
            await program.printed(*_numbers(spots, nth=0))
            for trial in trials:
                then(trial)
        await program.printed(*_numbers(spots))
        await _stand(world, trials)
        for trial in trials:
            world.ask(trial.room)
        await world.take_in()
        await program.kill()
    for fault in (fault for trial in trials for fault in trial.faults):
        fault.release()
    await quiet(world.platform)
    if meanwhile:
        meanwhile()
    await go_on(world)


async def arm(world: World, program: Program) -> None:
    """Wait until all is quiet, then let the program watch for its spots."""
    await world.settle()
    await program.say("arm")
    await program.printed("armed")


async def go_on(world: World) -> None:
    """Let the plain program answer what is left, and end it."""
    async with served(world) as program:
        await world.settle()
        program.send(signal.SIGTERM)
        assert await program.wait() == 0


def check(world: World, trials: Sequence[Trial], *, has_usage: bool = True) -> None:
    """Compare what people saw and what was paid with what the cases allow."""
    found = world.ledger.problems()
    for trial in trials:
        room, case = trial.room, trial.case
        wrong = world.problems(room, duplicates=case.duplicates)
        wrong += world.unanswered(room, trial.asked)
        wrong += world.usage_problems(room) if has_usage else []
        if (asked := len(world.requests(trial.mark))) != case.asked:
            wrong.append(f"the model was asked {asked} times")
        found += [f"killed {case}: {problem}" for problem in wrong]
    assert not found, "\n".join(found)
    assert "Traceback" not in world.log()


async def _stand(world: World, trials: Sequence[Trial]) -> None:
    """Wait until the platform holds what it is to hold, and what is to be committed is."""
    faults = [fault for trial in trials for fault in trial.faults]
    await world.platform.server.until(lambda: all(fault.used for fault in faults))
    finished = [trial.room.ref for trial in trials if trial.case.is_finished]
    async with asyncio.timeout(START_SECONDS):
        while any(len(world.ledger.outbox(ref)) < 2 for ref in finished):  # noqa: ASYNC110
            await asyncio.sleep(0.02)


def _numbers(spots: Sequence[Spot], nth: int | None = None) -> list[str]:
    """Return the numbers of all spots, or of the nth of each trial."""
    about = [spot.about for spot in spots]
    return [
        str(number)
        for number, place in enumerate(about)
        if nth is None or number - about.index(place) == nth
    ]
