"""People of a busy community: what each of them does in turn, and whether they were answered."""

import asyncio
import random
import re
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence

from tests.bench.soak_seats import DiscordSeat, Said, Seat, TelegramSeat
from tests.crash.both import Both
from tests.crash.ledger import MARK
from tests.crash.world import LINES, World
from tests.servers.openai import Request

# Longer than a model's silence may last, a second attempt, and what was read again before it.
PATIENCE = 240.0
# How the program says that it could not answer.
_APOLOGY = re.compile(r"please try again|please put it in other words|Write your question|⚠️")
SERVERS = 4
# Of a new chat, how often of 100 on each platform.
_KINDS = {"talk": 65, "group": 20, "thread": 15}
_SIZES = "s" * 50 + "m" * 32 + "x" * 14 + "w" * 3 + "l"
_CHARACTERS = 24  # of a piece of an answer; of long ones, more
_MOST_PIECES = 60


class Town:
    """Everybody.

    Attributes:
        seats: Where they talk to the bot.
        newcomers: How many chats wait for the bot's first answer.
        counts: What happened, by what it was.
        lost: What was never answered.
        expected: How many complete answers may stand to each question.
    """

    def __init__(self, world: World, platform: Both, rng: random.Random) -> None:
        self.world = world
        self.seats: list[Seat] = []
        self.newcomers = 0
        self.counts: Counter[str] = Counter()
        self.lost: list[str] = []
        self.expected: Counter[str] = Counter()
        self._rng = rng
        self._telegram, self._discord = platform.telegram.server, platform.discord.server
        self._guilds = [
            self._discord.guild(f"Server {n}", self._discord.user("Head")) for n in range(SERVERS)
        ]
        self._acts: Sequence[tuple[int, Callable[[Seat], Awaitable[None]]]] = (
            (300, self._ask),
            (25, self._speak),
            (15, self._ask_by_command),
            (15, self._correct),
            (15, self._ask_twice),
            (10, self._show_picture),
            (5, self._show_document),
            (8, self._stop),
            (8, self._retry),
            (10, self._translate),
            (12, lambda seat: self._command(seat, "new")),
            (12, self._see_usage),
            (6, self._export),
            (6, self._forget),
            (6, lambda seat: self._command(seat, "help")),
            (6, lambda seat: self._command(seat, "context")),
            (25, self._come_and_go),
        )
        self._busy: set[int] = set()
        self._under_way: set[asyncio.Task[None]] = set()

    @property
    def is_busy(self) -> bool:
        """Whether somebody waits for an answer."""
        return bool(self._under_way)

    def begin(self, seat: Seat | None = None) -> None:
        """Let somebody do something, in a chat where nobody waits for an answer."""
        free = (s for s in (self._rng.choice(self.seats) for _ in range(20)) if self._is_free(s))
        seat = seat or next(free, None)
        if seat is None:
            return
        weights = [weight for weight, _ in self._acts]
        [(_, act)] = self._rng.choices(self._acts, weights)
        task = asyncio.create_task(self._do(seat, act if seat.is_known else self._ask))
        self._under_way.add(task)
        task.add_done_callback(self._note_done)

    def _note_done(self, task: asyncio.Task[None]) -> None:
        self._under_way.discard(task)
        if not task.cancelled() and task.exception():
            self.lost.append(repr(task.exception()))

    def _is_free(self, seat: Seat) -> bool:
        return id(seat) not in self._busy

    async def _do(self, seat: Seat, act: Callable[[Seat], Awaitable[None]]) -> None:
        is_new = not seat.is_known
        self._busy.add(id(seat))
        self.newcomers += is_new
        try:
            await act(seat)
            seat.is_known = True
        finally:
            self.newcomers -= is_new
            self._busy.discard(id(seat))

    def arrive(self) -> Seat:
        """Let somebody come who has never talked to the bot."""
        [kind] = self._rng.choices(list(_KINDS), list(_KINDS.values()))
        is_telegram = kind != "thread" and self._rng.random() < 0.6
        number = len(self.seats)
        seat = self._on_telegram(number, kind) if is_telegram else self._on_discord(number, kind)
        self.seats.append(seat)
        return seat

    def _on_telegram(self, number: int, kind: str) -> Seat:
        names = ("Ann", "Bob", "Cleo")[: 1 if kind == "talk" else 3]
        users = [self._telegram.user(f"{name} {number}") for name in names]
        is_private = kind == "talk"
        chat = (
            self._telegram.private(users[0])
            if is_private
            else self._telegram.group(f"Group {number}", users)
        )
        return TelegramSeat(chat=chat, users=users)

    def _on_discord(self, number: int, kind: str) -> Seat:
        user = self._discord.user(f"Dan {number}")
        if kind == "talk":
            return DiscordSeat(channel=self._discord.direct(user), users=[user])
        guild = self._rng.choice(self._guilds)
        guild.join(user)
        channel = guild.channel(f"about-{number}")
        if kind == "thread":
            channel = channel.open_thread(user, "More")
        return DiscordSeat(channel=channel, users=[user])

    # What they do; each returns once it is answered.

    async def _ask(self, seat: Seat) -> None:
        mark = self._mark(seat)
        before = _ids(seat)
        seat.say(f"What about {mark}?")
        await self._answered(seat, before, mark)

    async def _speak(self, seat: Seat) -> None:
        mark = self._mark(seat)
        before = _ids(seat)
        seat.say_voice(self.world.voice(mark))
        await self._answered(seat, before, mark)

    async def _ask_by_command(self, seat: Seat) -> None:
        if isinstance(seat, TelegramSeat):
            return await self._ask(seat)
        mark = self._mark(seat)
        before = _ids(seat)
        asked = seat.command("chat", prompt=f"What about {mark}?")
        return await self._answered(seat, before, mark, asked=asked)

    async def _correct(self, seat: Seat) -> None:
        """Edit a question as soon as it is asked: either may be answered."""
        wrong, mark = self._mark(seat), self._mark(seat)
        before = _ids(seat)
        message = seat.say(f"What about {wrong}?")
        seat.edit(message, f"What about {mark}?")
        await self._answered(seat, before, mark, wrong)

    async def _ask_twice(self, seat: Seat) -> None:
        first, second = self._mark(seat), self._mark(seat)
        before = _ids(seat)
        seat.say(f"What about {first}?")
        seat.say(f"And what about {second}?")
        await self._answered(seat, before, first)
        await self._answered(seat, before, second)

    async def _show_picture(self, seat: Seat) -> None:
        mark = self._mark(seat)
        before = _ids(seat)
        seat.say_picture(f"What about {mark}?")
        await self._answered(seat, before, mark)

    async def _show_document(self, seat: Seat) -> None:
        mark = self._mark(seat)
        before = _ids(seat)
        seat.say_document(f"What about {mark}?")
        await self._answered(seat, before, mark)

    async def _stop(self, seat: Seat) -> None:
        """Ask something long, and stop it; maybe it was answered first."""
        mark = self._mark(seat, "w")
        before = _ids(seat)
        seat.say(f"What about {mark}?")
        await asyncio.sleep(self._rng.uniform(0.2, 0.8))
        asked = seat.command("stop")
        await self._heard(seat, before, lambda said: "Stopped" in said.text, asked=asked)

    async def _retry(self, seat: Seat) -> None:
        before = _ids(seat)
        asked = seat.command("retry")
        said = await self._heard(
            seat, before, lambda said: bool(said.marks) or "nothing to answer" in said.text, asked
        )
        if said:
            self.expected.update(said.marks)

    async def _translate(self, seat: Seat) -> None:
        mark = self._mark(seat)
        before = _ids(seat)
        asked = seat.command("translate", text=f"What about {mark}?")
        await self._answered(seat, before, mark, asked=asked)

    async def _command(self, seat: Seat, name: str) -> None:
        before = _ids(seat)
        asked = seat.command(name)
        await self._heard(seat, before, lambda said: bool(said.text), asked)

    async def _see_usage(self, seat: Seat) -> None:
        await self._file(seat, "usage", "nothing was spent")

    async def _export(self, seat: Seat) -> None:
        if seat.is_private:
            await self._file(seat, "export", "-")

    async def _file(self, seat: Seat, name: str, otherwise: str) -> None:
        before = _ids(seat)
        asked = seat.command(name)
        said = await self._heard(
            seat, before, lambda said: bool(said.files) or otherwise in said.text, asked
        )
        self.counts["files sent"] += said.files if said else 0

    async def _forget(self, seat: Seat) -> None:
        if not seat.is_private:
            return  # whoever confirms it has to be who asked for it
        before = _ids(seat)
        asked = seat.command("forget")
        if await self._heard(seat, before, lambda said: "I have stored" in said.text, asked):
            before = _ids(seat)
            asked = seat.command("forget", confirm="yes")
            await self._heard(seat, before, lambda said: "It is done" in said.text, asked)

    async def _come_and_go(self, seat: Seat) -> None:
        seat.come_and_go()
        self.counts["people who came and went"] += not seat.is_private

    # Whether they are answered.

    def _mark(self, seat: Seat, size: str = "") -> str:
        mark = self.world.mark(size or self._rng.choice(_SIZES))
        seat.marks.append(mark)
        self.expected[mark] += 1
        return mark

    async def _answered(
        self, seat: Seat, before: set[int], *marks: str, asked: object = None
    ) -> None:
        await self._heard(seat, before, lambda said: bool({*marks} & {*said.marks}), asked)

    async def _heard(
        self,
        seat: Seat,
        before: set[int],
        is_answer: Callable[[Said], bool],
        asked: object = None,
    ) -> Said | None:
        """Wait for an answer; None if none came, or only words to say that none would."""
        self.counts["asked"] += 1
        until = time.monotonic() + PATIENCE
        while time.monotonic() < until:
            new = [said for said in seat.heard() if said.id not in before]
            if found := next(filter(is_answer, new), None):
                self.counts["answered"] += 1
                return found
            if any(_APOLOGY.search(said.text) for said in new):
                self.counts["answered with an apology"] += 1
                return None
            if getattr(asked, "state", "") == "failed" and not getattr(asked, "callback", 0):
                self.counts["not heard, as the person was told"] += 1
                return None
            await seat.wait()
        self.lost.append(f"{seat.marks[-2:]} {[said.text[-60:] for said in new]}")
        return None

    def surplus(self) -> Counter[str]:
        """Return the marks to which more complete answers stand in chats than were asked for."""
        found = Counter(mark for s in self.seats for said in s.heard() for mark in said.marks)
        return found - self.expected


def reply(request: Request) -> list[str]:
    """Answer as a model: name the marks first and last, in pieces that take their time."""
    asked = [text for role, text in request.texts if role == "user"][-1]
    own = [line for line in asked.splitlines() if "> " not in line]  # no quotes
    marks = list(dict.fromkeys(MARK.findall("\n".join(own))))
    lines = max((LINES[mark[-1]] for mark in marks), default=1)
    names = " ".join(marks)
    body = [f"Line {number} about {marks[0] if marks else 'it'}." for number in range(lines)]
    text = "\n".join([f"You ask about {names}.", *body, f"End of {names}!"])
    size = max(_CHARACTERS, len(text) // _MOST_PIECES)
    return [text[start : start + size] for start in range(0, len(text), size)]


def _ids(seat: Seat) -> set[int]:
    return {said.id for said in seat.heard()}
