"""Slash commands and menus: told in time that the answer follows, and taken in as messages."""

import asyncio
import contextlib
import logging
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import cast

import discord

from bots.discord import menu
from bots.discord.incoming import (
    MALFORMED,
    asks_for_thread,
    from_interaction,
    may_post,
    wants_thread,
)
from bots.discord.rest import Body, RefusedError, Rest
from bots.discord.ticket import Starter, Ticket
from bots.notes import keep
from core.commands import BY_NAME, Command
from core.errors import DeliveryError, StoreError
from core.protocols import Inbox
from core.types import Incoming

log = logging.getLogger(__name__)

# Discord wants to hear from us within 3 seconds (discord.com/developers/docs/interactions/
# receiving-and-responding, 2026-11). So long the database may take before it hears without.
PATIENCE = 0.8
ACKNOWLEDGE_SECONDS = 2.8
RETRY_SECONDS = 0.1
# Until a menu that could not be uploaded is tried again.
MENU_SECONDS = 60.0
# JSON error codes of the same page: it has heard from us already; it is too late.
_ACKNOWLEDGED, _UNKNOWN = 40060, 10062

# What nobody else on a server need read.
_PERSONAL = ("id", "context")
NOT_UNDERSTOOD = "I do not know this command; `/help` shows what I do know."
NOT_STORED = "I was ended before I could take this in. Please ask again."


@dataclass(frozen=True, slots=True, kw_only=True)
class Interactions:
    """Takes interactions in, each beside all others.

    Attributes:
        rest: How to answer.
        commands: The table behind the menu.
        offers: What to suggest, by `Argument.offers`.
        acknowledged: By interaction, what is done once Discord has heard from us, or never will;
            the last ones stay.
        pause: Seconds until a step of the database is tried again.
    """

    rest: Rest
    commands: Sequence[Command]
    offers: Mapping[str, Sequence[str]]
    acknowledged: dict[str, asyncio.Future[None]]
    pause: float

    async def offer(self, application: str) -> None:
        """Upload the menu if it is not the one that Discord has; each upload counts for a day."""
        while True:
            try:
                return await self._offer(application)
            except RefusedError as error:
                return log.warning("the discord command menu is not uploaded: %s", error)
            except DeliveryError as error:
                log.info("the discord command menu is not uploaded yet: %s", error)
                await asyncio.sleep(error.retry_after or MENU_SECONDS)

    async def _offer(self, application: str) -> None:
        ours, theirs = menu.payload(self.commands), await self.rest.commands(application)
        kept = [command for command in theirs if command.get("type") == menu.ENTRY_POINT]
        if not menu.is_same([*ours, *kept], theirs):
            await self.rest.put_commands(application, [*ours, *kept])
            log.info("discord command menu is uploaded")

    async def take_in(self, interaction: discord.Interaction, inbox: Inbox) -> None:
        """Hand an interaction in and see to it that Discord hears from us in time."""
        if interaction.type is discord.InteractionType.autocomplete:
            await self._suggest(interaction)
        elif interaction.type is discord.InteractionType.application_command:
            await self._take_in(interaction, inbox)

    async def _suggest(self, interaction: discord.Interaction) -> None:
        data = cast("Mapping[str, object]", interaction.data or {})
        choices = menu.suggestions(self.offers, self.commands, data)
        with contextlib.suppress(DeliveryError, RefusedError):  # they type on
            await self.rest.suggest(str(interaction.id), interaction.token, choices)

    async def _take_in(self, interaction: discord.Interaction, inbox: Inbox) -> None:
        key = str(interaction.id)
        acknowledged = self.acknowledged[key] = asyncio.get_running_loop().create_future()
        try:
            ticket = _ticket(interaction)
            incoming = _read(interaction, ticket)
            if incoming is None:
                with contextlib.suppress(DeliveryError, RefusedError):
                    await self.rest.reply(key, interaction.token, NOT_UNDERSTOOD)
            else:
                await self._take_in_asked(interaction, ticket, incoming, inbox)
        finally:
            _settle(acknowledged)
            keep(self.acknowledged, key, acknowledged)

    async def _take_in_asked(
        self, interaction: discord.Interaction, ticket: Ticket, incoming: Incoming, inbox: Inbox
    ) -> None:
        """Take a question in; one that wants a thread waits a second until there can be one.

        The thread is opened by the message that says that the answer follows, and gets its id.
        Should the program end before it is known, the question is answered in place.
        """
        wants = wants_thread(interaction)
        ticket = replace(
            ticket,
            may_post=may_post(interaction) and not ticket.is_hidden,
            is_threadless=asks_for_thread(interaction),
        )
        incoming = replace(incoming, message=ticket.spell(), is_partial=wants)
        message = await self._store(incoming, ticket, inbox)
        if wants and (message := message or await self._original(ticket)):
            threaded = _threaded(incoming, ticket, message)
            await self._insist(lambda: inbox.move(threaded))

    async def _store(self, incoming: Incoming, ticket: Ticket, inbox: Inbox) -> str:
        """Store first, so that a crash leaves nobody waiting; but no longer than Discord waits.

        Returns:
            The id of the message that says that the answer follows, if Discord told it.
        """
        storing = asyncio.create_task(self._insist(lambda: inbox.receive(incoming)))
        try:
            await asyncio.wait({storing}, timeout=PATIENCE)
            message = await self._acknowledge(ticket)
            await storing
        except asyncio.CancelledError:
            if not storing.done() or storing.cancelled():
                storing.cancel()
                await self._apologize(ticket)
            raise
        return message

    async def _original(self, ticket: Ticket) -> str:
        """Ask for what the acknowledgement should have told; empty if there is none."""
        with contextlib.suppress(DeliveryError, RefusedError):
            return await self.rest.original(ticket)
        return ""

    async def _acknowledge(self, ticket: Ticket) -> str:
        """Tell Discord that the answer follows; return the id of the message that says so."""
        message = ""
        try:
            async with asyncio.timeout(ACKNOWLEDGE_SECONDS):
                message = await self._defer(ticket)
        except TimeoutError:
            log.warning("discord interaction %s was not acknowledged", ticket.interaction)
        except RefusedError as error:
            if error.code != _ACKNOWLEDGED:
                log.warning("discord interaction %s: %s", ticket.interaction, error)
        _settle(self.acknowledged.get(ticket.interaction))
        return message

    async def _defer(self, ticket: Ticket) -> str:
        while True:
            try:
                return await self.rest.defer(
                    ticket.interaction, ticket.token, is_hidden=ticket.is_hidden
                )
            except DeliveryError as error:
                log.debug("discord interaction %s: %s", ticket.interaction, error)
                await asyncio.sleep(error.retry_after or RETRY_SECONDS)

    async def _insist(self, step: Callable[[], Awaitable[None]]) -> None:
        pause = self.pause
        while True:
            try:
                return await step()
            except StoreError as error:
                log.warning("discord command waits for the database: %s", error)
            await asyncio.sleep(pause)
            pause = min(pause * 2, 30.0)

    async def _apologize(self, ticket: Ticket) -> None:
        with contextlib.suppress(DeliveryError, RefusedError):
            await self.rest.edit_by(ticket, "@original", Body(text=NOT_STORED))


def _settle(acknowledged: "asyncio.Future[None] | None") -> None:
    if acknowledged and not acknowledged.done():
        acknowledged.set_result(None)


def _threaded(incoming: Incoming, ticket: Ticket, message: str) -> Incoming:
    """Return a question as the first message of the thread that a message of ours will open."""
    parent = incoming.chat
    name = " ".join(incoming.text.split())[:90] or "Chat"
    starter = Starter(message=message, channel=parent.ref, name=name)
    ticket = replace(ticket, starter=starter, is_threadless=False)
    chat = replace(
        parent,
        ref=message,
        title=f"{parent.title} > {name}",
        places=(f"{parent.platform}:{parent.ref}", *parent.places),
    )
    return replace(incoming, message=ticket.spell(), chat=chat, is_partial=False)


def _ticket(interaction: discord.Interaction) -> Ticket:
    data = cast("Mapping[str, object]", interaction.data or {})
    command = BY_NAME.get(str(data.get("name")))
    is_personal = interaction.guild_id is not None and data.get("name") in _PERSONAL
    return Ticket(
        application=str(interaction.application_id),
        interaction=str(interaction.id),
        token=interaction.token,
        user=str(interaction.user.id),
        created_at=int(time.time() * 1000),  # by our clock, as is the end of its life
        is_hidden=is_personal or bool(command and (command.is_for_owners or command.is_for_hosts)),
    )


def _read(interaction: discord.Interaction, ticket: Ticket) -> Incoming | None:
    try:
        me = interaction.client.user or discord.Object(interaction.application_id)
        return from_interaction(interaction, me.id, ticket=ticket.spell())
    except MALFORMED:
        log.warning("discord interaction %s cannot be read and is set aside", interaction.id)
        return None
