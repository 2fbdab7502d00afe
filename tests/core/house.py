"""The whole of core over stand-ins: a relay that runs, and hands to drive it."""

import asyncio
import contextlib
import itertools
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from dataclasses import dataclass, field

from core import personas
from core.access import Access, Mode
from core.intake import Intake
from core.memory import Memory
from core.models import Price
from core.protocols import Store
from core.relay import Pace, Relay
from core.turns import Turns
from core.types import Chat, Delta, Incoming, Kind, Message, ModelEvent, Person
from core.understand import Understanding
from core.usage import Caps, Purse, Spending
from tests.core.stand_ins import (
    ANN,
    CHAT,
    StandInBot,
    StandInModel,
    StandInTranscriber,
    incoming,
    plain_usage,
)

OWNER = Person(id="desk:9", name="Olga")
OFFICE = Chat(platform="desk", ref="9", is_private=True)
QUICK = Pace(heartbeat=0.05, backoff=0.001, store=0.01, drain=5.0)


class Gate:
    """A script of the model that says `before`, waits to be opened, and says `after`."""

    def __init__(self, *, before: str = "half", after: str = " whole") -> None:
        self.reached = asyncio.Event()
        self.opened = asyncio.Event()
        self._before = before
        self._after = after

    async def __call__(
        self, prompt: Sequence[Message], models: Sequence[str]
    ) -> AsyncIterator[ModelEvent]:
        """Yield the events."""
        if self._before:
            yield Delta(text=self._before)
        self.reached.set()
        await self.opened.wait()
        yield Delta(text=self._after)
        yield plain_usage(prompt, models, self._before + self._after)

    async def until_reached(self) -> None:
        """Wait until a call waits here."""
        await asyncio.wait_for(self.reached.wait(), 10)


@dataclass(kw_only=True)
class House:
    """Core over a store and stand-ins.

    Attributes:
        store: What the relay uses; a faulty one, maybe.
        more: Further platforms, by name.
        first: Number of the first message; a second house over a store begins higher.
    """

    store: Store
    bot: StandInBot = field(default_factory=StandInBot)
    model: StandInModel = field(default_factory=StandInModel)
    transcriber: StandInTranscriber = field(default_factory=StandInTranscriber)
    mode: Mode = "open"
    allowed: Sequence[str] = ()
    prices: Mapping[str, Price] = field(default_factory=dict)
    per_minute: int | None = None
    caps: Caps = field(default_factory=dict)
    savings: Sequence[str] = ()
    models: Sequence[str] = ("gpt-4o", "other")
    prompts: Mapping[str, str] = field(
        default_factory=lambda: {personas.DEFAULT: "Be kind.", "brief": "Be brief."}
    )
    context_tokens: int | None = None
    tells_date: bool = False
    pace: Pace = QUICK
    more: Mapping[str, StandInBot] = field(default_factory=dict)
    most_chats: int = 500
    first: int = 1

    def __post_init__(self) -> None:
        bots = {"desk": self.bot, **self.more}
        self.numbers = itertools.count(self.first)
        self.access = Access(
            self.store,
            mode=self.mode,
            owners=(OWNER.id,),
            allowed=self.allowed,
            per_minute=self.per_minute,
        )
        self.memory = Memory(self.store, context_tokens=self.context_tokens)
        self.spending = Spending(
            self.store, prices=self.prices.get, caps=self.caps, savings=self.savings
        )
        self.turns = Turns(
            store=self.store,
            spending=self.spending,
            model=self.model,
            understanding=Understanding(self.store, transcriber=self.transcriber, bots=bots),
            access=self.access,
            memory=self.memory,
            models=self.models,
            prompts=self.prompts,
            tells_date=self.tells_date,
        )
        self.inbox = Intake(self.store, self.access)
        self.relay = Relay(
            store=self.store,
            turns=self.turns,
            bots=bots,
            pace=self.pace,
            most_chats=self.most_chats,
        )

    def purse(self, name: str = "summary 1") -> Purse:
        """Return what a piece of Ann's work may spend."""
        return self.spending.purse(name, person=ANN.id, chat=1)

    @contextlib.asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Run the relay, and end it in good order."""
        task = asyncio.create_task(self.relay.run())
        try:
            yield
        finally:
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task

    def message(
        self, text: str = "", *, chat: Chat = CHAT, person: Person = ANN, **fields: object
    ) -> Incoming:
        """Return the next message of somebody."""
        return incoming(next(self.numbers), text, chat=chat, person=person, **fields)  # type: ignore[arg-type]

    async def say(self, text: str = "", **fields: object) -> None:
        """Bring a message in; `fields` as of `message`."""
        await self.inbox.receive(self.message(text, **fields))  # type: ignore[arg-type]

    async def ask(self, text: str = "", **fields: object) -> str:
        """Bring a message in, and return what is sent next."""
        count = len(self.bot.sent)
        await self.say(text, **fields)
        return (await self.bot.until(count + 1))[count]

    async def talk(self, text: str = "", **fields: object) -> str:
        """Ask, and wait until what follows an answer is done: a memory that is folded, say."""
        answer = await self.ask(text, **fields)
        while tasks := self.relay._background:
            await asyncio.wait(tasks, timeout=10)
        return answer

    async def put(self, text: str, kind: Kind = "message", **fields: object) -> None:
        """Store a message without telling the relay."""
        await self.store.put(self.message(text, **fields), kind)  # type: ignore[arg-type]


class Faulty:
    """A store whose methods can be made to fail, to wait, or to be watched.

    Attributes:
        calls: Names of the methods called.
        before: By method, what is awaited before a call; what it raises, the call raises.
        after: By method, what is awaited after a call, before its result is returned.
    """

    def __init__(self, store: Store) -> None:
        self._store = store
        self.calls: list[str] = []
        self._called = asyncio.Condition()
        self.before: dict[str, Callable[[], object]] = {}
        self.after: dict[str, Callable[[], object]] = {}

    def __getattr__(self, name: str) -> Callable[..., object]:
        """Return the store's method, watched."""
        method = getattr(self._store, name)

        async def call(*args: object, **kwargs: object) -> object:
            async with self._called:
                self.calls.append(name)
                self._called.notify_all()
            if name in self.before:
                await self.before[name]()  # type: ignore[misc]
            result = await method(*args, **kwargs)
            if name in self.after:
                await self.after[name]()  # type: ignore[misc]
            return result

        return call

    async def until(self, name: str, count: int) -> None:
        """Wait until a method was called so many times."""
        async with asyncio.timeout(10), self._called:
            await self._called.wait_for(lambda: self.calls.count(name) >= count)


def failing(times: int, error: Exception) -> Callable[[], object]:
    """Return what raises `error` so many times."""
    left = itertools.count(1)

    async def fail() -> None:
        if next(left) <= times:
            raise error

    return fail
