"""Discord: one `core.protocols.Bot`."""

import asyncio
from collections.abc import Mapping, Sequence
from functools import partial
from types import TracebackType
from typing import Self

import discord

from bots import live
from bots.discord.connection import INTENTS, Account
from bots.discord.gateway import Gateway
from bots.discord.interactions import Interactions
from bots.discord.listening import Listening
from bots.discord.rest import RefusedError, Rest
from bots.discord.screen import PACE, Notes, open_screen
from bots.discord.starts import Starts, Terms
from bots.shards import Shards
from core.commands import Command
from core.errors import FetchError
from core.protocols import Inbox
from core.reply import Reply
from core.types import Document, Voice

# What people may upload without paying (support.discord.com/hc/en-us/articles/25444343291031,
# 2026-11) is 10 MB; boosted servers take more, but nothing larger can be heard anyway.
LARGEST_FILE = 25 << 20

_EXPIRED = "Discord does not hand out this file any more; please send it again."


class DiscordBot:
    """Serves one bot account; see `core.protocols.Bot`.

    Args:
        token: From the Developer Portal.
        api_url: Root of another server that speaks Discord's API; None for Discord.
        proxy: URL of an HTTP proxy; None means the one the system names, if any.
        commands: The command menu; empty leaves it as it is.
        offers: What the menu suggests, by `Argument.offers`.
        pace: How often previews may call.
        pause: Seconds to wait when listening or storing has failed; they double up to 30.
        largest_file: Bytes; more are not fetched.
        shards: Which connections to keep; None for all of as many as Discord recommends.
    """

    name = "discord"

    def __init__(  # noqa: PLR0913 - settings, all named, most with a default
        self,
        *,
        token: str,
        api_url: str | None = None,
        proxy: str | None = None,
        commands: Sequence[Command] = (),
        offers: Mapping[str, Sequence[str]] | None = None,
        pace: live.Pace = PACE,
        pause: float = 1.0,
        largest_file: int = LARGEST_FILE,
        shards: Shards | None = None,
    ) -> None:
        if api_url:
            discord.http.Route.BASE = f"{api_url.rstrip('/')}/api/v10"
        # Of the same range one process listens; of different ones, several do side by side.
        self.claim = self.name if shards is None or shards.is_all else f"{self.name} {shards}"
        self._token = token
        self._proxy = proxy
        self._shards = shards
        self._pace = pace
        self._pause = pause
        self._largest_file = largest_file
        self._rest = Rest(
            token, proxy=proxy, preview_seconds=pace.call, change_seconds=pace.change
        )
        self._notes = Notes()
        self._interactions = Interactions(
            rest=self._rest,
            commands=commands,
            offers=offers or {},
            acknowledged=self._notes.acknowledged,
            pause=pause,
        )
        self._offering: asyncio.Task[None] | None = None
        self._gateway: Gateway | None = None

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.close()

    async def close(self) -> None:
        """Close all connections."""
        if self._offering:
            self._offering.cancel()
            await asyncio.wait({self._offering})
        await self._rest.close()

    async def listen(self, inbox: Inbox) -> None:
        """Hand every message to `inbox` until cancelled.

        Raises:
            SettingsError: The token is refused, or the shards are.
        """
        account = Account(
            token=self._token,
            proxy=self._proxy,
            pause=self._pause,
            starts=Starts(self._terms),
            trace=self._rest.trace(),
            intents=INTENTS,
            listening=lambda client: Listening(
                client,
                inbox,
                take_in=partial(self._interactions.take_in, inbox=inbox),
                pause=self._pause,
            ),
        )
        self._gateway = Gateway(account, self._shards, prepare=self._offer_menu)
        await self._gateway.run()

    @property
    def is_listening(self) -> bool:
        """Whether what people write is heard now, on every shard."""
        return self._gateway is not None and self._gateway.is_connected

    async def deliver(self, reply: Reply) -> None:
        """Show `reply` in its chat, or as the answer to its interaction.

        A message whose confirmation was lost on its way to us is not posted again: it carries
        a nonce. Further answers to an interaction cannot, so that they may appear twice.

        Raises:
            DeliveryError: The final text does not stand yet; to be called again with it.
            GoneError: It never will.
        """
        screen = open_screen(self._rest, reply, notes=self._notes, pace=self._pace)
        await live.show(reply, screen)

    async def fetch(self, file: Voice | Document) -> bytes:
        """Return a file's bytes.

        Raises:
            FetchError: It is too large, or not there any more.
            DeliveryError: Not now.
        """
        if file.size is not None and file.size > self._largest_file:
            raise FetchError(
                f"This file is too large: I can take at most {self._largest_file >> 20} MB."
            )
        url, _, kept = file.ref.partition(" ")
        try:
            return await self._rest.fetch(url, most=self._largest_file)
        except FetchError:
            if not kept:
                raise
        return await self._rest.fetch(await self._fresh_url(kept), most=self._largest_file)

    async def _fresh_url(self, kept: str) -> str:
        """Ask for a new link to an attachment, since links expire within a day."""
        channel, message, attachment = kept.split("/")
        try:
            found = await self._rest.call("GET", f"/channels/{channel}/messages/{message}")
        except RefusedError:
            raise FetchError(_EXPIRED) from None
        for snapshot in (found, *(s["message"] for s in found.get("message_snapshots", ()))):
            for file in snapshot.get("attachments", ()):
                if file["id"] == attachment:
                    return str(file["url"])
        raise FetchError(_EXPIRED)

    async def _terms(self) -> Terms:
        """Ask for the gateway's terms; a server that does not say has the usual ones."""
        try:
            return Terms.read(await self._rest.call("GET", "/gateway/bot"))
        except RefusedError:
            return Terms()

    def _offer_menu(self, application: str) -> None:
        if self._interactions.commands and self._offering is None:
            self._offering = asyncio.create_task(self._interactions.offer(application))
