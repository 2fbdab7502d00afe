"""The server as a test sees it: the world, what goes wrong in it, what was called."""

import asyncio
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Self, TypeVar

from aiohttp import web

from tests import leaks
from tests.servers.bell import Bell
from tests.servers.discord import intents, permissions, places
from tests.servers.discord.cdn import Cdn
from tests.servers.discord.channels import Channel
from tests.servers.discord.clock import Clock
from tests.servers.discord.commands import Commands
from tests.servers.discord.errors import ApiError, Json
from tests.servers.discord.gate import GATEWAY, Call, Gate
from tests.servers.discord.gateway import Gateway
from tests.servers.discord.guilds import Guild
from tests.servers.discord.limits import Limits, Pace, Scope, TooMany
from tests.servers.discord.people import User
from tests.servers.discord.routes import BY_NAME
from tests.servers.faults import Fault, Kind, Unreliable

if TYPE_CHECKING:
    from tests.servers.discord.interactions import Interaction

T = TypeVar("T")
# Application resource, "Application flags", 2026-11: for apps in fewer than 100 servers.
_PRESENCE_LIMITED, _MEMBERS_LIMITED, _CONTENT_LIMITED = 1 << 13, 1 << 15, 1 << 19


class DiscordServer(Unreliable):
    """Discord on 127.0.0.1: REST, gateway and CDN, with a world of people behind them.

    Attributes:
        url: Root for DISCORD_API_URL, without a slash at the end; the API is at `/api/v10`.
        gateway_url: Where the gateway is; for `DiscordWebSocket.DEFAULT_GATEWAY`.
        calls: Every call, in order of arrival.
        remarks: What the real server passes over in silence although a careful bot does not
            do it: unknown fields, flags that cannot be set, calls before `retry_after` was
            over. A test can assert that it is empty.
        privileged: The privileged intents that the developer portal has switched on.
        installation_contexts: How the app may be installed: 0 to guilds, 1 to users.
        is_out: Nothing answers, see `outage`.
        shards: How many are recommended.
    """

    def __init__(self, *, limits: Limits | None = None) -> None:
        super().__init__({*BY_NAME, "download"})
        self.clock = Clock()
        self.token = "MTAwMDAwMDAwMDAwMDAwMDAwMA.loopback.token_for-tests_only-0000"
        leaks.note_secret(self.token)
        self.application_id = self.clock.snowflake()
        self.users: dict[int, User] = {}
        self.bot = self.user("Causerie", is_bot=True)
        self.application_owner = self.user("Owner")
        self.url = ""
        self.gateway_url = ""
        self.privileged = intents.MESSAGE_CONTENT
        self.installation_contexts = {0, 1}
        self.is_out = False
        self.shards = 1
        self.calls: list[Call] = []
        self.remarks: list[str] = []
        self.guilds: dict[int, Guild] = {}
        self.channels: dict[int, Channel] = {}
        self.interactions: dict[str, Interaction] = {}
        self.bell = Bell()
        self.cdn = Cdn(self.clock)
        self.pace = Pace(limits or Limits(), self.clock.now)
        self.commands = Commands(self)
        self.gateway = Gateway(self)
        self._direct: dict[int, Channel] = {}
        self._timers: set[asyncio.TimerHandle] = set()
        self._runner: web.ServerRunner | None = None

    @property
    def limits(self) -> Limits:
        """What a bot may; setting them forgets what was counted."""
        return self.pace.limits

    @limits.setter
    def limits(self, limits: Limits) -> None:
        self.pace = Pace(limits, self.clock.now)

    @property
    def application_flags(self) -> int:
        """The application's flags: which privileged intents are switched on."""
        flags = {
            intents.GUILD_PRESENCES: _PRESENCE_LIMITED,
            intents.GUILD_MEMBERS: _MEMBERS_LIMITED,
            intents.MESSAGE_CONTENT: _CONTENT_LIMITED,
        }
        return sum(flag for bit, flag in flags.items() if self.privileged & bit)

    async def __aenter__(self) -> Self:
        self._runner = web.ServerRunner(Gate(self).server, shutdown_timeout=1.0)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", 0)
        await site.start()
        port = self._runner.addresses[0][1]
        self.url = self.cdn.root = f"http://127.0.0.1:{port}"
        self.gateway_url = f"ws://127.0.0.1:{port}{GATEWAY}"
        return self

    async def __aexit__(self, *_: object) -> None:
        self.faults.release()
        for timer in self._timers:
            timer.cancel()
        self.gateway.drop()
        if self._runner:
            await self._runner.cleanup()

    # The world.

    def user(self, name: str, *, is_bot: bool = False, locale: str = "en-US") -> User:
        """Let a person into the world."""
        user = User(
            id=self.clock.snowflake(),
            name=name,
            username="".join(filter(str.isalnum, name.lower())) or "somebody",
            locale=locale,
            is_bot=is_bot,
        )
        self.users[user.id] = user
        return user

    def guild(
        self,
        name: str,
        owner: User,
        *,
        members: Iterable[User] = (),
        has_bot: bool = True,
        allow: int = permissions.DEFAULT,
        shard: tuple[int, int] = (0, 1),
    ) -> Guild:
        """Return a new guild, with the bot in it unless told otherwise.

        Args:
            name: Its name.
            owner: Who may do everything there.
            members: Who else is in it.
            has_bot: The bot is.
            allow: What the bot's own role allows.
            shard: The one it belongs to, as IDENTIFY spells it.
        """
        guild = Guild(self, name, owner, id=self.clock.snowflake_on(*shard))
        self.guilds[guild.id] = guild
        for member in members:
            guild.join(member)
        if has_bot:
            guild.add_bot(allow)
        return guild

    def direct(self, user: User) -> Channel:
        """Return the direct message channel of a person with the bot."""
        channel = self._direct.get(user.id)
        if channel is None:
            channel = self._direct[user.id] = self._talk(places.DM, [user, self.bot])
        return channel

    def private(self, *users: User) -> Channel:
        """Return a new conversation of people without the bot."""
        return self._talk(places.DM if len(users) == 2 else places.GROUP_DM, [*users])

    def _talk(self, type: int, recipients: list[User]) -> Channel:  # noqa: A002 - as Discord's
        channel = Channel(self, id=self.clock.snowflake(), type=type, recipients=recipients)
        self.channels[channel.id] = channel
        return channel

    def reset_token(self) -> None:
        """Void the bot's token, as the developer portal does."""
        self.token += "-reset"

    async def until(self, condition: Callable[[], T], *, seconds: float = 30.0) -> T:
        """Wait until a condition about the world holds; return its value.

        Raises:
            TimeoutError: With the last calls.
        """
        try:
            return await self.bell.until(condition, seconds)
        except TimeoutError:
            last = [f"{call.name} {call.status} {call.error}".strip() for call in self.calls[-10:]]
            raise TimeoutError(f"after {seconds} s the last calls are {last}") from None

    def advance(self, seconds: float) -> None:
        """Let time pass at once: for deadlines, tokens, links, buckets."""
        self.clock.advance(seconds)
        for channel in self.channels.values():
            channel.bell.ring()
        self.bell.ring()

    @property
    def connections(self) -> int:
        """How many HTTP connections are open, the gateway's included."""
        return len(self._runner.server.connections) if self._runner and self._runner.server else 0

    # Faults.

    def outage(self, *, are_events_lost: bool = True) -> None:
        """Cut every connection and refuse new ones, REST too, until `restore`.

        Args:
            are_events_lost: What happens meanwhile is never sent: the sessions are gone.
        """
        self.is_out = True
        self.gateway.drop()
        if are_events_lost:
            self.gateway.expire()

    def restore(self) -> None:
        """End the outage."""
        self.is_out = False

    def fail_next(
        self,
        route: str,
        *,
        status: int = 500,
        code: int = 0,
        message: str = "500: Internal Server Error",
        is_html: bool = False,
        times: int = 1,
        place: Channel | None = None,
    ) -> Fault:
        """Refuse the next calls of a route without doing them.

        Args:
            route: Its name, such as `create_message`, `download` for the CDN, or `*`.
            status: HTTP status.
            code: Discord's own code.
            message: What is said.
            is_html: Answer in HTML, as a gateway in between does; with 429, a ban.
            times: How many calls.
            place: Only calls about this channel.
        """
        kind: Kind = "html" if is_html else "error"
        refusal = ApiError(status, code, message)
        return self.strike(route, kind, times=times, place=place, status=status, refusal=refusal)

    def limit_next(
        self,
        route: str,
        retry_after: float,
        *,
        scope: Scope = "user",
        times: int = 1,
        place: Channel | None = None,
    ) -> Fault:
        """Refuse the next calls of a route with a 429 that asks to wait `retry_after` seconds."""
        refusal = TooMany(retry_after, scope=scope)
        return self.strike(route, "error", times=times, place=place, refusal=refusal)

    # What the rest of the server needs.

    def remark(self, text: str) -> None:
        """Note something that the real server would pass over."""
        self.remarks.append(text)

    def note_unknown(self, call: Call, names: list[str]) -> None:
        """Note fields that a route does not have."""
        for name in names:
            self.remark(f"{call.name} has no field {name}")

    def dispatch(
        self,
        event: str,
        data: Json,
        *,
        channel: Channel | None = None,
        guild: Guild | None = None,
        is_about_bot: bool = False,
    ) -> None:
        """Send an event to the bot, if it is where it happened and may see it."""
        if channel is not None:
            guild = channel.guild
            if not channel.is_seen:
                return
        if guild is not None and not (guild.has_bot and guild.is_available):
            return
        number = guild.id if guild else None
        self.gateway.dispatch(event, data, guild_id=number, is_about_bot=is_about_bot)

    def ring_after(self, seconds: float, channel: Channel) -> None:
        """Let those who wait in a channel look again when a deadline has passed."""
        loop = asyncio.get_running_loop()

        def ring() -> None:
            self._timers.discard(timer)
            channel.ring()

        timer = loop.call_later(seconds + 0.01, ring)
        self._timers.add(timer)
