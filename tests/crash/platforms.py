"""The platforms as people see them: where they talk to the bot, and what they see there."""

import asyncio
import socket
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal, Protocol

from tests.crash.ledger import MARK
from tests.ports import free_port
from tests.servers import discord, telegram

Kind = Literal["private", "group", "thread", "command"]
Held = tuple[Literal["called", "done"], str]
Fault = telegram.Fault | discord.Fault


@dataclass(frozen=True, slots=True, kw_only=True)
class Shown:
    """A message of the bot's as it stands, without the lines that say whom it is for."""

    id: int
    text: str


class Place(Protocol):
    """A chat, and who talks to the bot there."""

    @property
    def ref(self) -> str:
        """As the program calls the chat."""

    @property
    def person(self) -> str:
        """As the program calls who talks there."""

    @property
    def can_double(self) -> bool:
        """Whether a message may be posted again when its confirmation was lost."""

    @property
    def is_waiting(self) -> bool:
        """Whether somebody does not know yet if a command was heard."""

    @property
    def is_thinking(self) -> bool:
        """Whether an answer is promised and still to come."""

    @property
    def said(self) -> int:
        """How many messages were written."""

    @property
    def answers(self) -> Sequence[Shown]:
        """What the bot wrote, in the order in which people see it."""

    @property
    def files(self) -> Sequence[str]:
        """Names of the files that the bot sent, in order."""

    def say(self, text: str) -> None:
        """Say something to the bot."""

    def say_voice(self, data: bytes) -> None:
        """Record something for the bot."""

    def was_refused(self, mark: str) -> bool:
        """Say whether whoever asked was told that nobody heard it."""

    def hold(self, held: Held) -> Fault:
        """Let the platform take its time with calls about this chat, before or after they work."""


class Platform(Protocol):
    """A server, and chats there."""

    @property
    def server(self) -> telegram.TelegramServer | discord.DiscordServer:
        """What stands for the platform."""

    @property
    def kinds(self) -> Sequence[Kind]:
        """Of chats in which people write."""

    @property
    def settings(self) -> dict[str, str]:
        """Of a program that serves it."""

    @property
    def is_listened_to(self) -> bool:
        """Whether the program hears what is said from now on."""

    @property
    def calls_of_life(self) -> tuple[int, int]:
        """How many calls a program makes from when it listens until most of it is answered."""

    def place(self, name: str, kind: Kind) -> Place:
        """Return a new chat with somebody of this name in it."""

    def disturbances(self) -> Sequence[Callable[[], Fault | None]]:
        """Return what may go wrong on the way, each to be called when it is to happen."""


class Telegram:
    """Telegram; see Platform.

    Args:
        listeners: How many programs are posted to, by turns, at ports of their own; 0: they poll.
    """

    kinds: Sequence[Kind] = ("private", "group")
    calls_of_life = 20, 100

    def __init__(self, *, listeners: int = 0) -> None:
        self.addresses = [f"127.0.0.1:{free_port()}" for _ in range(listeners)]
        self.server = telegram.TelegramServer(local=[f"http://{at}" for at in self.addresses])

    @property
    def settings(self) -> dict[str, str]:
        """Of a program that serves it."""
        found = {"TELEGRAM_BOT_TOKEN": self.server.token, "TELEGRAM_API_URL": self.server.url}
        if self.addresses:
            found["TELEGRAM_WEBHOOK_URL"] = "https://bot.example/telegram/causerie"
            found["TELEGRAM_WEBHOOK_LISTEN"] = self.addresses[0]
        return found

    @property
    def is_listened_to(self) -> bool:
        """The program polls, or all of them are there to be posted to."""
        if not self.addresses:
            return self.server.updates.is_polled
        return bool(self.server.updates.webhook) and all(map(_is_open, self.addresses))

    def place(self, name: str, kind: Kind) -> "TelegramPlace":
        """Return a private chat or a group."""
        user = self.server.user(name)
        is_group = kind == "group"
        chat = self.server.group("Family", [user]) if is_group else self.server.private(user)
        return TelegramPlace(chat, user)

    def disturbances(self) -> Sequence[Callable[[], Fault | None]]:
        """Return refusals and lost connections."""
        server = self.server
        return (
            lambda: server.fail_next("sendMessage", retry_after=1),
            lambda: server.fail_next("sendMessage", status=502, is_html=True),
            lambda: server.fail_next("sendMessageDraft", retry_after=1),
            lambda: server.fail_next("editMessageText", retry_after=1),
            lambda: server.fail_next("editMessageText"),
            lambda: server.fail_next("getUpdates", status=502, is_html=True),
            lambda: server.drop_next("sendMessage"),
            lambda: server.drop_next("editMessageText", is_done=True),
            lambda: server.drop_next("getUpdates", is_done=True),
        )


def _is_open(address: str) -> bool:
    host, _, port = address.rpartition(":")
    with socket.socket() as probe:
        return probe.connect_ex((host, int(port))) == 0


class TelegramPlace:
    """A private chat or a group; see Place."""

    can_double = True
    is_waiting = is_thinking = False

    def __init__(self, chat: telegram.Chat, user: telegram.User) -> None:
        self._chat = chat
        self._user = user
        self.ref = str(chat.id)
        self.person = f"telegram:{user.id}"

    @property
    def said(self) -> int:
        """How many messages were written."""
        return sum(not message.is_from_bot for message in self._chat.messages.values())

    @property
    def answers(self) -> Sequence[Shown]:
        """What the bot wrote."""
        return [Shown(id=message.id, text=message.text) for message in self._chat.answers]

    @property
    def files(self) -> Sequence[str]:
        """Uploads."""
        options = [message.options for message in self._chat.answers if message.content]
        return [(found.get("photo") or found["document"]).name for found in options]

    def say(self, text: str) -> None:
        """Say something, by the bot's name where others are."""
        is_private = self._chat.type == "private"
        name = "" if is_private else f"@{self._chat.server.bot.username} "
        self._chat.say(self._user, name + text)

    def say_voice(self, data: bytes) -> None:
        """Record a voice note."""
        self._chat.say_voice(self._user, data)

    def was_refused(self, mark: str) -> bool:  # noqa: ARG002 - the protocol's
        """Say no: what is said waits for the bot."""
        return False

    def hold(self, held: Held) -> Fault:
        """Hold the next call of a method."""
        server, (when, method) = self._chat.server, held
        arm = {"called": server.delay_next, "done": server.hold_next}
        return arm[when](method, place=self._chat)


class Discord:
    """Discord; see Platform."""

    kinds: Sequence[Kind] = ("private", "group", "thread")
    calls_of_life = 10, 110  # the history of every chat is read first

    def __init__(self) -> None:
        self.server = discord.DiscordServer()
        self._guild = self.server.guild("School", self.server.user("Head"))

    @property
    def settings(self) -> dict[str, str]:
        """Of a program that serves it."""
        return {"DISCORD_BOT_TOKEN": self.server.token, "DISCORD_API_URL": self.server.url}

    @property
    def is_listened_to(self) -> bool:
        """The program is connected, and there is a menu."""
        return bool(self.server.gateway.session and self.server.commands.find("chat"))

    def place(self, name: str, kind: Kind) -> "DiscordPlace":
        """Return direct messages, a channel, or a thread; or a channel asked in by commands."""
        user = self.server.user(name)
        if kind == "private":
            return DiscordPlace(self.server.direct(user), user)
        self._guild.join(user)
        channel = self._guild.channel(f"about-{name}")
        if kind == "thread":
            channel = channel.open_thread(user, "More")
        return DiscordPlace(channel, user, has_commands=kind == "command")

    def disturbances(self) -> Sequence[Callable[[], Fault | None]]:
        """Return refusals, lost connections, and now and then what can befall the gateway."""
        return (*[*self.refusals()] * 4, *self.interruptions())

    def refusals(self) -> Sequence[Callable[[], Fault]]:
        """Return refusals and lost connections."""
        server = self.server
        return (
            lambda: server.limit_next("create_message", 1.0, times=3),
            lambda: server.limit_next("edit_message", 1.0, scope="shared"),
            lambda: server.limit_next("*", 0.5, scope="global", times=10),
            lambda: server.fail_next("create_message", status=502, is_html=True),
            lambda: server.fail_next("edit_message"),
            lambda: server.fail_next("get_channel_messages", status=502, is_html=True),
            lambda: server.fail_next("edit_original_interaction_response"),
            lambda: server.drop_next("create_message"),
            lambda: server.drop_next("create_message", is_done=True),
            lambda: server.drop_next("edit_message", is_done=True),
            lambda: server.drop_next("create_interaction_response", is_done=True),
        )

    def interruptions(self) -> Sequence[Callable[[], None]]:
        """Return what can befall the gateway."""
        gateway = self.server.gateway
        return (
            gateway.drop,
            gateway.close,
            gateway.reconnect,
            lambda: gateway.invalidate(is_resumable=True),
            gateway.invalidate,
        )


class DiscordPlace:
    """Direct messages, a channel or a thread; see Place.

    Discord knows again what it has posted, for some minutes; but not in answers to commands.
    """

    def __init__(
        self, channel: discord.Channel, user: discord.User, *, has_commands: bool = False
    ) -> None:
        self.channel = channel
        self.user = user
        self.ref = str(channel.id)
        self.person = f"discord:{user.id}"
        self.can_double = self._has_commands = has_commands
        self.said = 0

    @property
    def is_waiting(self) -> bool:
        """Discord has not heard from the bot yet, and its patience is not over."""
        return any(asked.state == "waiting" for asked in self.channel.interactions)

    @property
    def is_thinking(self) -> bool:
        """Somebody sees "thinking…"."""
        return any(asked.state == "thinking" for asked in self.channel.interactions)

    @property
    def answers(self) -> Sequence[Shown]:
        """What the bot wrote; answers to commands in the order of these, as they have places."""
        found = [Shown(id=m.id, text=_told(m.content)) for m in self.channel.answers]
        return sorted(found, key=self._order) if self._has_commands else found

    @property
    def files(self) -> Sequence[str]:
        """Attachments."""
        return [file.name for message in self.channel.answers for file in message.attachments]

    def _order(self, shown: Shown) -> int:
        marks = MARK.findall(shown.text)[:1]
        for number, asked in enumerate(self.channel.interactions):
            if marks == MARK.findall(_prompt(asked)):
                return number
        return len(self.channel.interactions)

    def say(self, text: str) -> None:
        """Say something: by a command, or by the bot's name where others are."""
        if self._has_commands:
            self.channel.slash(self.user, "chat", prompt=text)
            return
        self.said += 1
        name = f"{self.channel.server.bot.mention} " if self.channel.guild else ""
        self.channel.say(self.user, name + text)

    def say_voice(self, data: bytes) -> None:
        """Record a voice message."""
        self.said += 1
        self.channel.say_voice(self.user, data)

    def was_refused(self, mark: str) -> bool:
        """Say whether Discord said that the application did not respond, and never did."""
        return any(
            asked.state == "failed" and not asked.callback and mark in _prompt(asked)
            for asked in self.channel.interactions
        )

    def hold(self, held: Held) -> Fault:
        """Hold all further calls of a route: previews do not wait for long, and come again."""
        server, (when, route) = self.channel.server, held
        arm = {"called": server.delay_next, "done": server.hold_next}
        return arm[when](route, place=self.channel, times=100)


def _prompt(asked: discord.Interaction) -> str:
    return str(asked.data["options"][0]["value"])


def _told(text: str) -> str:
    return "\n".join(line for line in text.split("\n") if not line.startswith("-# "))


async def quiet(platform: Platform) -> None:
    """Wait until a killed program's calls are done or dropped."""
    async with asyncio.timeout(30):
        while platform.server.connections:  # noqa: ASYNC110 - the server rings no bell for it
            await asyncio.sleep(0.01)
