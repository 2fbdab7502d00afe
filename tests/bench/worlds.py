"""What differs between the loopback platforms, for a bot and for who talks to it."""

import time
from bisect import bisect_right
from collections.abc import Mapping, Sequence
from typing import Self

from tests.bench.talk import Person
from tests.servers.discord import DiscordServer, Limits
from tests.servers.telegram import TelegramServer

OURS = "causerie"
DEFAULT = "default floor"
FAST = "fast floor"


class TelegramWorld:
    """People who each talk to the bot in private.

    Flood limits are off: nobody could answer 200 chats at once within them.
    """

    commands: Mapping[str, Sequence[str]] = {
        OURS: ("bots",),
        DEFAULT: ("tests.bench.floors", "default"),
        FAST: ("tests.bench.floors", "fast"),
    }
    clock_ahead = 0.0

    def __init__(self) -> None:
        self.server = TelegramServer()

    async def __aenter__(self) -> Self:
        await self.server.__aenter__()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.server.__aexit__()

    @property
    def environment(self) -> dict[str, str]:
        """Where it is, as a bot's settings."""
        return {"TELEGRAM_BOT_TOKEN": self.server.token, "TELEGRAM_API_URL": self.server.url}

    async def ready(self, *, seconds: float) -> None:
        """Wait until the bot asks for messages."""
        await self.server.until(lambda: self.server.updates.is_polled, seconds=seconds)

    def person(self, name: str) -> Person:
        """Let somebody in who has never talked to the bot."""
        user = self.server.user(name)
        chat = self.server.private(user)

        def say(text: str) -> int:
            chat.say(user, text)
            return int(self.server.updates.pending[-1]["update_id"])

        return Person(name=name, chat=chat, say=say)

    def confirmed(self, events: Sequence[int]) -> list[float | None]:
        """Return when the bot told that it has each update, by its id."""
        polls = [call for call in self.server.calls if call.method == "getUpdates"]
        offsets = [call.params.get("offset", 0) for call in polls]
        return [polls[bisect_right(offsets, event)].at for event in events]


class DiscordWorld:
    """A server in which everybody has a channel and mentions the bot.

    Args:
        limits: None for no rate limits.
    """

    commands: Mapping[str, Sequence[str]] = {
        OURS: ("bots",),
        DEFAULT: ("tests.bench.discord_floors", "default"),
        FAST: ("tests.bench.discord_floors", "fast"),
    }

    def __init__(self, limits: Limits | None = None) -> None:
        self.server = DiscordServer(limits=limits or Limits.unlimited())
        self._owner = self.server.user("Olga")
        self._guild = self.server.guild("School", self._owner)

    async def __aenter__(self) -> Self:
        await self.server.__aenter__()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.server.__aexit__()

    @property
    def environment(self) -> dict[str, str]:
        """Where it is, as a bot's settings; the gateway's place is for the floors."""
        return {
            "DISCORD_BOT_TOKEN": self.server.token,
            "DISCORD_API_URL": self.server.url,
            "DISCORD_GATEWAY_URL": self.server.gateway_url,
        }

    @property
    def clock_ahead(self) -> float:
        """What its clock shows beyond the monotonic one."""
        return self.server.clock.now() - time.monotonic()

    async def ready(self, *, seconds: float) -> None:
        """Wait until the bot listens."""
        await self.server.gateway.ready(seconds=seconds)

    def person(self, name: str) -> Person:
        """Let somebody in who has never talked to the bot, with a channel of their own."""
        user = self.server.user(name)
        self._guild.join(user)
        channel = self._guild.channel(name)

        def say(text: str) -> int:
            return channel.say(user, f"{self.server.bot.mention} {text}").id

        return Person(name=name, chat=channel, say=say)

    def confirmed(self, events: Sequence[int]) -> list[float | None]:
        """Return None for each: Discord is not told what has arrived."""
        return [None for _ in events]
