"""People who talk to a bot all at once, and the times at which they are answered."""

import asyncio
import itertools
import re
import time
from bisect import bisect_right
from dataclasses import dataclass
from typing import Self

from tests.servers.openai import OpenAIServer, Request
from tests.servers.telegram import Chat, TelegramServer, User

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


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """When what happened to one question, in seconds after it was asked, or after a token.

    Attributes:
        confirmed: The bot told Telegram that it has the message.
        asked: The model was asked.
        visible: The first words stood in the chat, after the model's first token.
        final: The whole answer stood there, after the last token.
    """

    confirmed: float
    asked: float
    visible: float
    final: float


@dataclass(slots=True, kw_only=True)
class _Asked:
    chat: Chat
    text: str
    update: int
    shown: int
    at: float


class Town:
    """A loopback Telegram and a loopback model server, with people who ask and wait.

    Flood limits are off: nobody could answer 200 chats at once within them.
    """

    def __init__(
        self, *, pieces: list[str] = PIECES, chunk_seconds: float = CHUNK_SECONDS
    ) -> None:
        self.telegram = TelegramServer()
        self.model = OpenAIServer(is_exact=False)
        self.model.reply = self._reply
        self.model.chunk_delay = chunk_seconds
        self._pieces = pieces
        self._requests: dict[str, Request] = {}
        self._people = itertools.count(1)

    async def __aenter__(self) -> Self:
        await self.telegram.__aenter__()
        await self.model.__aenter__()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.model.__aexit__()
        await self.telegram.__aexit__()

    def _reply(self, request: Request) -> list[str]:
        self._requests[request.body["messages"][-1]["content"]] = request
        return self._pieces

    def people(self, number: int) -> list[User]:
        """Let people in who have never talked to the bot."""
        return [self.telegram.user(f"Ann {next(self._people)}") for _ in range(number)]

    async def talk(self, people: list[User], questions: int) -> list[Answer]:
        """Let everybody ask, each the next question as soon as the last is answered.

        Raises:
            TimeoutError: An answer did not come within a minute.
        """
        asked = await asyncio.gather(*(self._ask(user, questions) for user in people))
        polls = [call for call in self.telegram.calls if call.method == "getUpdates"]
        offsets = [call.params.get("offset", 0) for call in polls]
        return [
            self._answer(one, polls[bisect_right(offsets, one.update)].at)
            for one in itertools.chain.from_iterable(asked)
        ]

    async def _ask(self, user: User, questions: int) -> list[_Asked]:
        chat = self.telegram.private(user)
        asked = []
        for _ in range(questions):
            number = len(chat.answers) + 1
            text = f"{user.name} asks, for the {number}. time: why is my window wet inside?"
            at, shown = time.monotonic(), len(chat.shown)
            chat.say(user, text)
            update = self.telegram.updates.pending[-1]["update_id"]
            asked.append(_Asked(chat=chat, text=text, update=update, shown=shown, at=at))
            await chat.answer(number, containing=ENDING, seconds=LONGEST_SECONDS)
        return asked

    def _answer(self, asked: _Asked, confirmed_at: float) -> Answer:
        request = self._requests[asked.text]
        shown = [change for change in asked.chat.shown[asked.shown :] if change.text]
        final = next(change for change in shown if change.kind == "message")
        return Answer(
            confirmed=confirmed_at - asked.at,
            asked=request.at - asked.at,
            visible=shown[0].at - request.first_token_at,
            final=final.at - request.last_token_at,
        )
