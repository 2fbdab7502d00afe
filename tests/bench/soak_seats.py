"""Where somebody sits who talks to the bot on either platform, and all they can do there."""

import asyncio
import random
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Protocol

from tests.crash.ledger import MARK
from tests.pictures import png
from tests.servers import discord, telegram

# The model names what it answers in its last line; see `tests.bench.soak_people`.
COMPLETE = re.compile(rf"End of ((?:{MARK.pattern} ?)+)!")


@dataclass(frozen=True, slots=True, kw_only=True)
class Said:
    """A message of the bot's as it stands now.

    Attributes:
        files: How many came with it.
    """

    id: int
    text: str
    files: int = 0

    @property
    def marks(self) -> list[str]:
        """What it is the end of a complete answer to."""
        found = COMPLETE.search(self.text[-200:])
        return MARK.findall(found[1]) if found else []


class Seat(Protocol):
    """A chat on a platform.

    Attributes:
        is_known: The bot has answered here.
        marks: Of the questions that were asked here, in order.
    """

    is_known: bool
    marks: list[str]

    @property
    def is_private(self) -> bool:
        """Nobody else is here."""

    def heard(self) -> Sequence[Said]:
        """What the bot said, oldest first."""

    async def wait(self) -> None:
        """Wait until something happens here."""

    def say(self, text: str) -> object:
        """Say something to the bot; return what can be edited."""

    def edit(self, message: object, text: str) -> None:
        """Change what was said."""

    def say_voice(self, data: bytes) -> None:
        """Record something."""

    def say_picture(self, text: str) -> None:
        """Send a picture and a caption."""

    def say_document(self, text: str) -> None:
        """Send a text file."""

    def command(self, name: str, **options: str) -> "discord.Interaction | None":
        """Give a command; return what Discord knows it by."""

    def come_and_go(self) -> None:
        """Let somebody else join, and whoever joined before leave."""


@dataclass(slots=True, kw_only=True)
class TelegramSeat:
    """A private chat or a group; see Seat."""

    chat: telegram.Chat
    users: list[telegram.User]
    is_known: bool = False
    marks: list[str] = field(default_factory=list)

    @property
    def is_private(self) -> bool:
        """Whether it is no group."""
        return self.chat.type == "private"

    def heard(self) -> Sequence[Said]:
        """Messages, captions and files."""
        return [
            Said(id=m.id, text=m.text, files=bool(m.options.keys() & {"photo", "document"}))
            for m in self.chat.answers
        ]

    async def wait(self) -> None:
        """Wait for the chat's bell."""
        await _ring(self.chat)

    def say(self, text: str) -> telegram.Message:
        """Say something, by the bot's name in a group."""
        return self.chat.say(self._who(), self._name + text)

    def edit(self, message: object, text: str) -> None:
        """Change a message."""
        assert isinstance(message, telegram.Message)
        self.chat.edit(message, self._name + text)

    def say_voice(self, data: bytes) -> None:
        """Record a voice note; in a group, as a reply to the bot."""
        answers = self.chat.answers
        reply_to = answers[-1] if answers and not self.is_private else None
        self.chat.say_voice(self._who(), data, reply_to=reply_to)

    def say_picture(self, text: str) -> None:
        """Send a photo."""
        self.chat.say_photo(self._who(), png(), caption=self._name + text)

    def say_document(self, text: str) -> None:
        """Send a text file."""
        data = f"{text}\n".encode() * 200
        self.chat.say_document(
            self._who(), data, name="notes.txt", caption=f"{self._name}{text} Look at this."
        )

    def command(self, name: str, **options: str) -> None:
        """Write a command, with the bot's name in a group."""
        at = "" if self.is_private else self._name.strip()
        self.chat.say(self._who(), " ".join((f"/{name}{at}", *options.values())))

    def come_and_go(self) -> None:
        """Let somebody into a group and somebody out."""
        if self.is_private:
            return
        if len(self.chat.members) > len(self.users):
            self.chat.leave(self.chat.members[-1])
        self.chat.join(self.users[0], self.chat.server.user("A guest"))

    @property
    def _name(self) -> str:
        return "" if self.is_private else f"@{self.chat.server.bot.username} "

    def _who(self) -> telegram.User:
        return random.choice(self.users)


@dataclass(slots=True, kw_only=True)
class DiscordSeat:
    """Direct messages, a channel or a thread; see Seat."""

    channel: discord.Channel
    users: list[discord.User]
    is_known: bool = False
    marks: list[str] = field(default_factory=list)

    @property
    def is_private(self) -> bool:
        """Whether it is no server's."""
        return self.channel.guild is None

    def heard(self) -> Sequence[Said]:
        """Messages and attachments; also what only whoever asked can see."""
        hidden = [
            answer
            for asked in self.channel.interactions
            for answer in (asked.original, *asked.followups)
            if answer and asked.is_ephemeral and not answer.is_loading and not answer.is_deleted
        ]
        return [
            Said(id=m.id, text=m.content, files=len(m.attachments))
            for m in sorted((*self.channel.answers, *hidden), key=lambda m: m.id)
        ]

    async def wait(self) -> None:
        """Wait for the channel's bell."""
        await _ring(self.channel)

    def say(self, text: str) -> discord.Message:
        """Say something, by the bot's name on a server."""
        return self.channel.say(self._who(), self._name + text)

    def edit(self, message: object, text: str) -> None:
        """Change a message."""
        assert isinstance(message, discord.Message)
        self.channel.edit(message, self._name + text)

    def say_voice(self, data: bytes) -> None:
        """Record a voice message, in direct messages or a thread; elsewhere, attach it."""
        if self.is_private:
            self.channel.say_voice(self._who(), data)
        else:
            self._attach("", "voice.ogg", data, "audio/ogg")

    def say_picture(self, text: str) -> None:
        """Attach a picture."""
        self._attach(text, "photo.png", png(), "image/png")

    def say_document(self, text: str) -> None:
        """Attach a text file."""
        self._attach(text, "notes.txt", f"{text}\n".encode() * 200, "text/plain")

    def _attach(self, text: str, name: str, data: bytes, mime: str) -> None:
        file = discord.File(name=name, data=data, mime=mime)
        self.channel.say(self._who(), self._name + text, files=[file])

    def command(self, name: str, **options: str) -> discord.Interaction:
        """Give a slash command."""
        return self.channel.slash(self._who(), name, **options)

    def come_and_go(self) -> None:
        """Let somebody into a server and out again; open and archive a thread."""
        guild = self.channel.guild
        if guild is None:
            return
        guest = self.channel.server.user("A guest")
        guild.join(guest)
        if not self.channel.is_thread:
            thread = self.channel.open_thread(guest, "Something else")
            thread.say(guest, "Nobody need answer this.")
            thread.archive()
        guild.leave(guest)

    @property
    def _name(self) -> str:
        return "" if self.is_private else f"{self.channel.server.bot.mention} "

    def _who(self) -> discord.User:
        return random.choice(self.users)


async def _ring(place: telegram.Chat | discord.Channel) -> None:
    """Wait for the next thing that happens in a place, for a second at most."""
    looks = iter((False, True))
    try:
        await place.bell.until(lambda: next(looks), 1.0)
    except TimeoutError:
        await asyncio.sleep(0)
