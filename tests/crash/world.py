"""People who ask, servers that outlive the program, and what must hold in the end."""

import asyncio
import re
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self

from core.memory import SUMMARISE
from tests.crash.ledger import MARK, Ledger, Text
from tests.crash.platforms import Kind, Place, Platform, Shown
from tests.crash.program import PLAIN, START_SECONDS, Program, environment
from tests.servers.openai import OpenAIServer, Request
from tests.sound import voice_note

LINES = {"s": 1, "m": 6, "x": 20, "w": 200, "l": 450}
# What Markdown and entities express differently.
_DRESS = re.compile(r"[\s>`*_•-]+")


@dataclass(slots=True, kw_only=True)
class Room:
    """A chat, and what was asked there so far."""

    place: Place
    asked: list[str] = field(default_factory=list)

    @property
    def ref(self) -> str:
        """As the program calls the chat."""
        return self.place.ref


class World:
    """A platform, rooms there, and the database of the program that serves them.

    Attributes:
        is_measured: Coverage counts what the program runs; when it is killed, that is lost.
    """

    def __init__(
        self, folder: Path, platform: Platform, *, database: str = "", **settings: str
    ) -> None:
        self.folder = folder
        self.platform = platform
        self.openai = OpenAIServer()
        self.database = database or f"sqlite:///{folder / 'causerie.db'}"
        self.ledger = Ledger(self.database)
        self.rooms: list[Room] = []
        self.settings = settings
        self.is_measured = False
        self._marks = 0
        self._voices: dict[bytes, str] = {}
        self._open = AsyncExitStack()

    async def __aenter__(self) -> Self:
        await self._open.enter_async_context(self.platform.server)
        await self._open.enter_async_context(self.openai)
        self.openai.reply = _reply
        self.openai.transcript = lambda data, _: f"A voice says {self._voices[data]}"
        self.openai.chunk_delay = 0.01
        return self

    async def __aexit__(self, *error: object) -> None:
        await self._open.aclose()
        self.ledger.close()

    def program(self, *arguments: str, **settings: str) -> Program:
        """Return the program, or another that takes these arguments, with further settings."""
        chosen = {
            "DATABASE_URL": self.database,
            **self.platform.settings,
            **self.settings,
            **settings,
        }
        environ = environment(self.openai, self.folder, chosen, is_measured=self.is_measured)
        return Program(arguments or PLAIN, environ, self.folder)

    def room(self, kind: Kind = "private") -> Room:
        """Return a new chat with somebody in it."""
        self.rooms.append(Room(place=self.platform.place(f"Ann {len(self.rooms)}", kind)))
        return self.rooms[-1]

    def mark(self, size: str = "s") -> str:
        """Return a new mark, for an answer of this size."""
        self._marks += 1
        return f"m{self._marks}{size}"

    def ask(self, room: Room, mark: str = "") -> None:
        """Ask something."""
        mark = mark or self.mark()
        room.asked.append(mark)
        room.place.say(f"What about {mark}?")

    def voice(self, mark: str) -> bytes:
        """Return a recording that asks something."""
        data = voice_note(0.5, loudness=1000 + len(self._voices))
        self._voices[data] = mark
        return data

    async def settle(self, *, seconds: float = 60.0) -> None:
        """Wait until everything is taken in and answered.

        Raises:
            TimeoutError: With the beginning of what is not.
        """
        try:
            async with asyncio.timeout(seconds):
                # Another process writes there, so there is nothing to wake us.
                while not self._is_settled:  # noqa: ASYNC110
                    await asyncio.sleep(0.03)
        except TimeoutError:
            raise TimeoutError(f"not settled; log: {self.log()[-2000:]}") from None

    @property
    def _is_settled(self) -> bool:
        is_thinking = any(room.place.is_thinking for room in self.rooms)
        return not is_thinking and self._is_taken_in and self.ledger.is_settled

    @property
    def _is_taken_in(self) -> bool:
        number = self.ledger.taken_in
        return not any(
            room.place.is_waiting or number.get(room.ref, 0) < room.place.said
            for room in self.rooms
        )

    async def take_in(self) -> None:
        """Wait until everything that people wrote is stored."""
        async with asyncio.timeout(START_SECONDS):
            while not self._is_taken_in:  # noqa: ASYNC110 - as above
                await asyncio.sleep(0.02)

    async def sent(self, *rooms: Room) -> None:
        """Wait until all that was decided to be said in these rooms is known to stand there.

        A platform's call whose result is lost with the process is made again.
        """
        async with asyncio.timeout(START_SECONDS):
            while not all(t.is_sent for room in rooms for t in self.ledger.outbox(room.ref)):  # noqa: ASYNC110 - as above
                await asyncio.sleep(0.02)

    def log(self) -> str:
        """Return what all the programs wrote to their logs."""
        return (self.folder / "stderr.txt").read_text()

    def requests(self, mark: str) -> list[Request]:
        """Return the model's requests that ask about a mark; a summary that names it does not."""
        return [
            request
            for request in self.openai.requests
            if request.path == "/chat/completions"
            and not is_summary(request)
            and mark in asked_of(request)
        ]

    def transcriptions(self, mark: str) -> int:
        """Return how often a recording was heard."""
        heard = [r.audio for r in self.openai.requests if r.path.startswith("/audio/")]
        return sum(self._voices.get(data) == mark for data in heard)

    def problems(self, room: Room, *, duplicates: int | None = 0) -> list[str]:
        """Return what is wrong in a room.

        Args:
            room: The room.
            duplicates: How many to expect there; None: they are counted elsewhere.
        """
        inbox, outbox = self.ledger.inbox(room.ref), self.ledger.outbox(room.ref)
        found = []
        taken = [mark for row in inbox for mark in row.marks]
        heard = self.heard(room)
        if taken != [mark for mark in heard if mark not in self._voices.values()]:
            found.append(f"asked {heard}, taken in {taken}")
        turns = [row.turn for row in inbox if row.turn is not None]
        if len(turns) != len(inbox) or turns != sorted(turns):
            found.append(f"turns are {turns} of {len(inbox)}")
        if len({text.turn for text in outbox if text.turn}) != sum(bool(t.turn) for t in outbox):
            found.append("a turn has two answers")
        surplus = self.surplus(room)
        if surplus is None or duplicates not in {None, surplus}:
            found.append(f"{surplus} surplus of {duplicates}: {_shown(room.place.answers)}")
        return found

    def heard(self, room: Room) -> list[str]:
        """Return the marks that were asked, but for those that nobody was said to have heard."""
        taken = {mark for row in self.ledger.inbox(room.ref) for mark in row.marks}
        return [m for m in room.asked if m in taken or not room.place.was_refused(m)]

    def surplus(self, room: Room) -> int | None:
        """Return how many messages stand in a room beyond those that say what was decided."""
        shown = [message.text for message in room.place.answers]
        return count_surplus(shown, self.ledger.outbox(room.ref))

    def unaccounted(self, room: Room) -> set[int]:
        """Return the ids of messages in a room of which the program does not know."""
        receipts = self.ledger.receipts(room.ref)
        sent = [_bare(text.text) for text in self.ledger.outbox(room.ref) if text.is_sent]
        return {
            message.id
            for message in room.place.answers
            if message.id not in receipts
            and not any(text.endswith(_bare(message.text)) for text in sent)
        }

    def unanswered(self, room: Room, asked: Sequence[str] | None = None) -> list[str]:
        """Return what is wrong if the complete answers in a room are not to these questions.

        Args:
            room: The room.
            asked: Marks, in order; None for all that was heard there.
        """
        wanted = self.heard(room) if asked is None else asked
        said = [mark for text in self.ledger.outbox(room.ref) for mark in answered(text.text)]
        return [] if said == wanted else [f"to be answered {wanted}, answered {said}"]

    def usage_problems(self, room: Room) -> list[str]:
        """Return turns whose ledger is not the one call that answered them."""
        found = []
        for row in self.ledger.inbox(room.ref):
            if row.kind != "message" or row.turn != row.id or not row.marks:
                continue
            calls = self.ledger.usage(row.id, "chat")
            last = self.requests(row.marks[0])[-1]
            if calls != [(last.prompt_tokens, False)]:
                found.append(f"{row.marks}: {calls}, the last call took {last.prompt_tokens}")
        return found


@asynccontextmanager
async def served(world: World, *arguments: str) -> AsyncIterator[Program]:
    """Run a program until it listens; kill it in the end if it still runs."""
    async with world.program(*arguments) as program:
        platform = world.platform
        await platform.server.until(lambda: platform.is_listened_to, seconds=START_SECONDS)
        yield program


def answered(text: str) -> list[str]:
    """Return the marks that a complete answer names."""
    marks = MARK.findall(text.rpartition("End of ")[2])
    return marks if text.endswith("!") else []


def count_surplus(shown: Sequence[str], outbox: Sequence[Text]) -> int | None:
    """Return how many messages too many show what was decided, else in order and complete.

    None: it is not shown, or something is that nobody decided.
    """
    wanted = "".join(map(_bare, (text.text for text in outbox)))
    reached = {0: 0}
    for text in map(_bare, shown):
        following = {at + len(text): n for at, n in reached.items() if wanted.startswith(text, at)}
        if text in wanted:
            for at, number in reached.items():
                following[at] = min(following.get(at, number + 1), number + 1)
        reached = following
    return reached.get(len(wanted))


def _bare(text: str) -> str:
    return _DRESS.sub("", text)


def _shown(messages: Sequence[Shown]) -> list[str]:
    return [f"{message.text[:30]}…{message.text[-20:]}" for message in messages]


def is_summary(request: Request) -> bool:
    """Say whether the model was asked to fold memory rather than to answer."""
    return asked_of(request).startswith(SUMMARISE)


def asked_of(request: Request) -> str:
    """Return what was said last to the model."""
    texts = [text for role, text in request.texts if role == "user"]
    return texts[-1] if texts else ""


def _reply(request: Request) -> list[str]:
    """Name the marks first and last, so that a piece of an answer is no answer."""
    marks = MARK.findall(asked_of(request))
    lines = max((LINES[mark[-1]] for mark in marks), default=1)
    names = " ".join(marks)
    body = [f"Line {number} about {marks[0] if marks else 'it'}." for number in range(lines)]
    text = "\n".join([f"You ask about {names}.", *body, f"End of {names}!"])
    size = 24 if lines < LINES["w"] else 2000
    return [text[start : start + size] for start in range(0, len(text), size)]
