"""People who talk to a bot all at once, and the times at which they are answered."""

import asyncio
import itertools
import re
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol, Self

from tests.servers.openai import OpenAIServer, Request

MODEL = "gpt-5.4-mini"
# About 100 tokens, with the Markdown of an everyday answer.
ENDING = "and then tell me what you see."
REPLY = (
    "There are **three things** that help here, and the first costs nothing. "
    "Keep the window closed while the *heating* runs, since warm air carries more water. "
    "Then wipe the frame with a dry cloth every morning for about a week. "
    "If drops come back, look at the seal: `EPDM 12` is what most houses have. "
    "Last, put a small fan on the sill at night. "
    f"Give each of them two or three days, {ENDING}"
)
# A token a chunk, as OpenAI streams: 103 of them in 0.7 s.
PIECES = re.findall(r" ?\w+|\W", REPLY)
CHUNK_SECONDS = 0.007
LONGEST_SECONDS = 60.0
# What tells a question from all others, however a platform and a bot wrap it.
_QUESTION = re.compile(r"Ann \d+ asks, for the \d+\. time")


class Shown(Protocol):
    """A change of what people see; `at` by the platform's clock."""

    @property
    def at(self) -> float: ...  # noqa: D102 - told above
    @property
    def kind(self) -> str: ...  # noqa: D102 - as the platform's server names it
    @property
    def text(self) -> str: ...  # noqa: D102 - the whole of it; empty for none


class Chat(Protocol):
    """Where somebody talks to the bot, as every loopback platform has it."""

    @property
    def answers(self) -> Sequence[object]: ...  # noqa: D102 - messages of the bot
    @property
    def shown(self) -> Sequence[Shown]: ...  # noqa: D102 - in order

    async def answer(self, n: int = 1, *, containing: str = "", seconds: float = 10.0) -> object:
        """Wait for the bot's n-th message, until it contains something."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Person:
    """Somebody with a chat of their own; `say` returns what the event is known by."""

    name: str
    chat: Chat
    say: Callable[[str], int]


class World(Protocol):
    """A loopback platform, there while its context is open; see `tests.bench.worlds`.

    Attributes:
        commands: What to run for each bot that can serve it, ours first.
    """

    commands: Mapping[str, Sequence[str]]

    async def __aenter__(self) -> Self: ...
    async def __aexit__(self, *_: object) -> None: ...

    @property
    def environment(self) -> Mapping[str, str]:
        """Where it is, as a bot's settings."""

    @property
    def clock_ahead(self) -> float:
        """What its clock shows beyond the monotonic one."""

    async def ready(self, *, seconds: float) -> None:
        """Wait until the bot listens."""

    def person(self, name: str) -> Person:
        """Let somebody in who has never talked to the bot."""

    def confirmed(self, events: Sequence[int]) -> Sequence[float | None]:
        """Return when the bot told that it has each; None where a platform is not told."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """When what happened to one question, in seconds after it was asked, or after a token.

    Attributes:
        confirmed: The bot told the platform that it has the message; None if bots do not.
        asked: The model was asked.
        visible: The first words stood in the chat, after the model's first token.
        final: The whole answer stood there, after the last token.
    """

    confirmed: float | None
    asked: float
    visible: float
    final: float


@dataclass(slots=True, kw_only=True)
class _Asked:
    chat: Chat
    text: str
    event: int
    shown: int
    at: float


class Town:
    """A loopback platform and a loopback model server, with people who ask and wait.

    Args:
        world: The platform.
        pieces: Every reply, as it is streamed.
        first_token_seconds: From a request to the first piece.
        chunk_seconds: From each piece to the next.
        spread_seconds: From the first of those who begin to talk to the last; 0 lets all their
            answers keep step.
    """

    def __init__(
        self,
        world: World,
        *,
        pieces: list[str] = PIECES,
        first_token_seconds: float = 0.0,
        chunk_seconds: float = CHUNK_SECONDS,
        spread_seconds: float = 0.0,
    ) -> None:
        self.world = world
        self.model = OpenAIServer(is_exact=False)
        self.model.reply = self._reply
        self.model.first_token_delay = first_token_seconds
        self.model.chunk_delay = chunk_seconds
        self._pieces = pieces
        self._spread_seconds = spread_seconds
        self._requests: dict[str, Request] = {}
        self._people = itertools.count(1)

    async def __aenter__(self) -> Self:
        await self.world.__aenter__()
        await self.model.__aenter__()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.model.__aexit__()
        await self.world.__aexit__()

    @property
    def environment(self) -> dict[str, str]:
        """Where everything is, as a bot's settings."""
        model = {"OPENAI_API_KEY": self.model.key, "OPENAI_BASE_URL": self.model.url}
        return {**self.world.environment, **model}

    def _reply(self, request: Request) -> list[str]:
        question = _QUESTION.search(request.body["messages"][-1]["content"])
        assert question, "a bot asks what it was asked"
        self._requests[question[0]] = request
        return self._pieces

    def people(self, number: int) -> list[Person]:
        """Let people in who have never talked to the bot."""
        return [self.world.person(f"Ann {next(self._people)}") for _ in range(number)]

    async def talk(self, people: Sequence[Person], questions: int) -> list[Answer]:
        """Let everybody ask, each the next question as soon as the last is answered.

        Raises:
            TimeoutError: An answer did not come within a minute.
        """
        step = self._spread_seconds / len(people)
        asked = await asyncio.gather(
            *(self._ask(person, questions, after=n * step) for n, person in enumerate(people))
        )
        flat = list(itertools.chain.from_iterable(asked))
        confirmed = self.world.confirmed([one.event for one in flat])
        return [self._answer(one, at) for one, at in zip(flat, confirmed, strict=True)]

    async def _ask(self, person: Person, questions: int, *, after: float) -> list[_Asked]:
        await asyncio.sleep(after)
        chat = person.chat
        asked = []
        for _ in range(questions):
            number = len(chat.answers) + 1
            text = f"{person.name} asks, for the {number}. time"
            at, shown = time.monotonic(), len(chat.shown)
            event = person.say(f"{text}: why is my window wet inside?")
            asked.append(_Asked(chat=chat, text=text, event=event, shown=shown, at=at))
            await chat.answer(number, containing=ENDING, seconds=LONGEST_SECONDS)
        return asked

    def _answer(self, asked: _Asked, confirmed_at: float | None) -> Answer:
        request, ahead = self._requests[asked.text], self.world.clock_ahead
        shown = [change for change in asked.chat.shown[asked.shown :] if change.text]
        lasting = (change for change in shown if change.kind != "draft")
        final = next(change for change in lasting if ENDING in change.text)
        return Answer(
            confirmed=None if confirmed_at is None else confirmed_at - asked.at,
            asked=request.at - asked.at,
            visible=shown[0].at - ahead - request.first_token_at,
            final=final.at - ahead - request.last_token_at,
        )
