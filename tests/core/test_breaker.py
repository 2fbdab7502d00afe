"""Models that are down are passed over, and found again."""

import itertools
import logging
import socket

import pytest

from core.breaker import FIRST_PAUSE_SECONDS, LONGEST_PAUSE_SECONDS, Breaker
from core.errors import ModelError
from core.provider import Cause
from core.speech import OpenAISpeech
from core.types import Voice
from tests import numbers
from tests.core.hearing import MODEL, OTHER, REPLY, TROUBLE, UNREACHABLE, MakeChat, hear
from tests.core.stand_ins import Till, free
from tests.servers.openai import Break, OpenAIServer, broken, rate_limited
from tests.sound import voice_note


class Clock:
    """Seconds that pass when they are told to."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        """Return them."""
        return self.now


@pytest.fixture
def clock() -> Clock:
    """The clock of the breaker."""
    return Clock()


@pytest.fixture
def breaker(clock: Clock) -> Breaker:
    """A breaker in which time passes."""
    return Breaker(clock=clock)


def asked(breaker: Breaker, *names: str) -> list[str]:
    """Return which models are asked, without saying how it ends."""
    return [name for name, _ in breaker.worth_asking(names or ("a", "b"))]


def fail(breaker: Breaker, clock: Clock, *causes: Cause, name: str = "a") -> None:
    """Let calls fail, five seconds apart."""
    for cause in causes:
        breaker.note(name, cause)
        clock.now += 5


def test_three_failures_in_a_row_are_too_many(breaker: Breaker, clock: Clock) -> None:
    """A model that is broken or unreachable is passed over, and nobody waits for it."""
    fail(breaker, clock, "broken", "unreachable")
    assert asked(breaker) == ["a", "b"]
    fail(breaker, clock, "broken")
    assert asked(breaker) == ["b"]


@pytest.mark.parametrize("cause", [None, "busy", "refused", "key", "length", "empty", "unclear"])
def test_any_answer_shows_that_a_model_is_up(
    breaker: Breaker, clock: Clock, cause: Cause | None
) -> None:
    """Only failures in a row count, and a refusal is an answer."""
    fail(breaker, clock, "broken", "broken")
    breaker.note("a", cause)
    fail(breaker, clock, "broken", "broken")
    assert not breaker.is_down("a")


def test_a_server_that_restarts_is_not_down(breaker: Breaker, clock: Clock) -> None:
    """Many calls that fail within ten seconds are one short trouble; further ones are not."""
    for _ in range(100):
        breaker.note("a", "unreachable")
        clock.now += 0.02
    assert not breaker.is_down("a")
    clock.now += 9
    breaker.note("a", "unreachable")
    assert breaker.is_down("a")


def test_one_call_at_a_time_tries_whether_it_is_up(breaker: Breaker, clock: Clock) -> None:
    """After 15 s, then ever more rarely, up to every five minutes."""
    fail(breaker, clock, "broken", "broken", "broken")
    trials: list[float] = []
    while len(trials) < 8:
        clock.now += 1
        if asked(breaker) == ["a", "b"]:
            trials.append(clock.now)
            assert asked(breaker) == ["b"]
            breaker.note("a", "broken")
    pauses = [after - before for before, after in itertools.pairwise(trials)]
    assert pauses == [30, 60, 120, 240, *[LONGEST_PAUSE_SECONDS] * 3]


def test_transitions_are_told_once(
    breaker: Breaker, clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    """A warning when a model is down, a line when it answers again."""
    caplog.set_level(logging.INFO, "core.breaker")
    breaker.note("a", None)
    for _ in range(3):
        fail(breaker, clock, "broken", "broken", "broken")
    assert numbers.now()("model_down", model="a") == 1
    breaker.note("a", None)
    breaker.note("a", None)
    assert numbers.now()("model_down", model="a") == 0
    told = [(record.levelname, record.getMessage()[:14]) for record in caplog.records]
    assert told == [("WARNING", "model a is dow"), ("INFO", "model a answer")]
    assert asked(breaker) == ["a", "b"]


def test_what_is_not_reached_is_not_tried(breaker: Breaker, clock: Clock) -> None:
    """A fallback that is down is due for a trial only when it is needed."""
    fail(breaker, clock, "broken", "broken", "broken", name="b")
    clock.now += LONGEST_PAUSE_SECONDS
    for name, is_quick in breaker.worth_asking(["a", "b"]):
        assert (name, is_quick) == ("a", False)
        break
    assert asked(breaker) == ["a", "b"]


def test_where_all_are_down_each_is_asked_quickly(breaker: Breaker, clock: Clock) -> None:
    """A person's question is worth one attempt."""
    for name in ("a", "b") * 3:
        fail(breaker, clock, "broken", name=name)
    assert list(breaker.worth_asking(["a", "b"])) == [("a", True), ("b", True)]


async def test_a_provider_that_is_down_costs_others_nothing(
    openai_server: OpenAIServer, make_chat: MakeChat, breaker: Breaker, clock: Clock
) -> None:
    """The fallback answers at once; a trial finds the first model healed, and it answers again."""
    chat = make_chat(breaker=breaker)
    openai_server.fail(broken(503), model=MODEL, times=None)
    requests = []
    for _ in range(5):
        heard = await hear(chat, MODEL, OTHER)
        assert (heard.text, heard.usage[0].model) == (REPLY, OTHER)
        requests.append(len(openai_server.requests))
        clock.now += 4 if breaker.is_down(MODEL) else 10
    assert requests == [4, 6, 7, 8, 9]
    openai_server.heal()
    clock.now += FIRST_PAUSE_SECONDS
    for _ in range(2):
        heard = await hear(chat, MODEL, OTHER)
        assert heard.usage[0].model == MODEL
    assert len(openai_server.requests) == 11


async def test_without_a_fallback_it_is_told_at_once(
    openai_server: OpenAIServer, make_chat: MakeChat, breaker: Breaker, clock: Clock
) -> None:
    """One attempt instead of three; the first that succeeds makes the model count as up."""
    chat = make_chat(breaker=breaker)
    fail(breaker, clock, "broken", "broken", "broken", name=MODEL)
    openai_server.fail(broken(500), times=None)
    heard = await hear(chat)
    assert TROUBLE in str(heard.error)
    assert len(openai_server.requests) == 1
    openai_server.heal()
    assert (await hear(chat)).text == REPLY
    openai_server.fail(rate_limited())
    assert (await hear(chat)).text == REPLY
    assert len(openai_server.requests) == 4


async def test_what_began_before_is_not_tried_again(
    openai_server: OpenAIServer, make_chat: MakeChat, breaker: Breaker, clock: Clock
) -> None:
    """A call whose model turned out to be down goes on to the next one."""
    chat = make_chat(breaker=breaker)
    fail(breaker, clock, "broken", "broken", name=MODEL)
    openai_server.fail(Break(how="reset", after=2), model=MODEL, times=None)
    heard = await hear(chat, MODEL, OTHER)
    assert (heard.text, heard.restarts) == (REPLY, 1)
    assert len(openai_server.requests) == 2


async def test_a_server_that_is_not_there(
    make_chat: MakeChat, breaker: Breaker, clock: Clock
) -> None:
    """Who asks hears so, however often."""
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{closed.getsockname()[1]}/v1"
        chat = make_chat(breaker=breaker, base_url=url)
        for _ in range(3):
            assert UNREACHABLE in str((await hear(chat)).error)
            clock.now += 6
        assert breaker.is_down(MODEL)


async def test_speech_has_a_breaker_too(
    openai_server: OpenAIServer, breaker: Breaker, clock: Clock
) -> None:
    """A transcriber that is down is passed over for the next one."""
    first, second = "gpt-transcribe", "whisper-1"
    ear = OpenAISpeech(
        names=(first, second),
        key=openai_server.key,
        base_url=openai_server.url,
        backoff_seconds=0.001,
        breaker=breaker,
    )
    fail(breaker, clock, "broken", "broken", name=first)
    openai_server.fail(broken(500), model=first, times=None)
    voice = Voice(ref="1")
    till = Till()
    for _ in range(2):
        await ear.transcribe(voice_note(0.5), voice, hold=till)
    assert [call.model for call in till.paid] == [second, second]
    assert [request.model for request in openai_server.requests] == [first, second, second]
    openai_server.heal()
    clock.now += FIRST_PAUSE_SECONDS
    await ear.transcribe(voice_note(0.5), voice, hold=till)
    assert till.paid[-1].model == first
    openai_server.fail(broken(500), times=None)
    with pytest.raises(ModelError):
        await ear.transcribe(voice_note(0.5), voice, hold=free)
    await ear.close()
