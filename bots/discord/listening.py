"""What the gateway brings, and what it did not bring, into the inbox, in order."""

import asyncio
import contextlib
import itertools
import logging
import time
from collections.abc import Awaitable, Callable, Coroutine, Iterable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TypeVar

import aiohttp
import discord

from bots.discord.backpressure import hold_back
from bots.discord.incoming import MALFORMED, User, from_message
from core.errors import StoreError
from core.intake import followed
from core.protocols import Inbox
from core.types import Chat, Incoming, Seen

log = logging.getLogger(__name__)

PLATFORM = "discord"
MOST_AT_ONCE = 200  # events that are stored together
MOST_WAITING = 1_000  # for the inbox; then no more are read from the connection
# Of the chats that were used last, and of the newest messages of each.
MOST_CHATS, MOST_MISSED = 1_000, 2_000
READERS = 8
GUILDS_SECONDS = 10.0  # a server that is down does not come at all
# So often a history is asked for, ever more slowly: for ten minutes or so.
ATTEMPTS, LONGEST_PAUSE = 25, 30.0

T = TypeVar("T")
_FAILURES = (OSError, aiohttp.ClientError, TimeoutError, discord.HTTPException)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Event:
    """Something that happened in a chat, by its ref, and how the inbox takes it."""

    ref: str
    store: Callable[[], Awaitable[None]]


class Listening:
    """The events of one client: of all, or of one shard.

    The gateway tells nothing of what happened before it let us in. So what it brings waits
    until the inbox has said how far it had come in each chat, and in a chat until what came
    since has been read from its history.

    Args:
        client: Not connected yet.
        inbox: Where messages go.
        take_in: Takes an interaction, at once and beside all others.
        pause: Seconds until a failed step is tried again; they double.
    """

    def __init__(
        self,
        client: discord.Client,
        inbox: Inbox,
        *,
        take_in: Callable[[discord.Interaction], Coroutine[None, None, None]],
        pause: float,
    ) -> None:
        self._client = client
        self._inbox = inbox
        self._take_in = take_in
        self._pause = pause
        # "Gateway events that do not contain a guild_id will only be sent to the first shard",
        # discord.com/developers/docs/events/gateway#sharding, 2026-11.
        self._has_direct_messages = not client.shard_id
        self._count = client.shard_count or 1
        self._events: asyncio.Queue[_Event | discord.Guild | None] = asyncio.Queue()
        self._gaps: dict[str, list[_Event]] = {}
        self._readers = asyncio.Semaphore(READERS)
        self._reading: set[asyncio.Task[None]] = set()
        self._taking: set[asyncio.Task[None]] = set()
        self._arriving: asyncio.Task[None] | None = None
        self.is_connected = False
        self.silent_since = time.monotonic()
        hold_back(client, until=self._has_room)
        for handler in (
            self.on_connect,
            self.on_resumed,
            self.on_disconnect,
            self.on_guild_available,
            self.on_message,
            self.on_raw_message_edit,
            self.on_raw_message_delete,
            self.on_raw_bulk_message_delete,
            self.on_thread_remove,
            self.on_interaction,
        ):
            client.event(handler)

    def _has_room(self) -> bool:
        held = sum(map(len, self._gaps.values()))
        return self._events.qsize() + held + len(self._taking) < MOST_WAITING

    # What the SDK calls, each in a task of its own that begins in the order of the events. None
    # of the first waits for anything, so that they end in that order, too.

    async def on_connect(self) -> None:
        """Note a new connection, which knows nothing of what the last one brought."""
        self._note_connected()
        self._events.put_nowait(None)

    async def on_resumed(self) -> None:
        """Note that the last connection goes on, without a gap."""
        self._note_connected()

    async def on_disconnect(self) -> None:
        """Note that nothing is heard for now."""
        if self.is_connected:
            shard = self._client.shard_id or 0
            log.info("discord connection is interrupted shard=%d/%d", shard, self._count)
            self.is_connected, self.silent_since = False, time.monotonic()

    async def on_guild_available(self, guild: discord.Guild) -> None:
        """Note a server that was down, and comes after the others were caught up."""
        if self._arriving and self._arriving.done():
            self._events.put_nowait(guild)

    async def on_message(self, message: discord.Message) -> None:
        """Take a message."""
        if incoming := self._read(message):
            self._put(incoming.chat.ref, partial(self._inbox.receive, incoming))

    async def on_raw_message_edit(self, event: discord.RawMessageUpdateEvent) -> None:
        """Take an edit; what only the server changes in a message is none."""
        if event.message.edited_at and (incoming := self._read(event.message)):
            self._put(incoming.chat.ref, partial(self._inbox.amend, incoming))

    async def on_raw_message_delete(self, event: discord.RawMessageDeleteEvent) -> None:
        """Take a deletion."""
        self._delete(event.channel_id, event.guild_id, [event.message_id])

    async def on_raw_bulk_message_delete(self, event: discord.RawBulkMessageDeleteEvent) -> None:
        """Take several deletions."""
        self._delete(event.channel_id, event.guild_id, event.message_ids)

    async def on_thread_remove(self, thread: discord.Thread) -> None:
        """Note that somebody took the bot out of a thread, which the SDK itself does not."""
        thread.me, thread.owner_id = None, 0

    async def on_interaction(self, interaction: discord.Interaction) -> None:
        """Take a command, which cannot wait for what came before it."""
        task = asyncio.create_task(self._take_in(interaction))
        self._taking.add(task)
        task.add_done_callback(self._note_ended)

    def _note_ended(self, task: "asyncio.Task[None]") -> None:
        """See that a bug ends listening: in a task beside, nobody would meet what it raises."""
        self._taking.discard(task)
        self._reading.discard(task)
        if not task.cancelled() and task.exception():
            self._events.put_nowait(_Event(ref="", store=lambda: task))

    def _note_connected(self) -> None:
        self.is_connected = True
        log.info(
            "discord bot %s is listening shard=%d/%d",
            self._client.user,
            self._client.shard_id or 0,
            self._count,
        )

    def _read(self, message: discord.Message) -> Incoming | None:
        me = self._client.user
        try:
            may_read_all = self._client.intents.message_content
            return from_message(message, me, may_read_all=may_read_all) if me else None
        except MALFORMED:
            log.warning("discord message %s cannot be read and is set aside", message.id)
            return None

    def _delete(self, channel: int, guild: int | None, messages: Iterable[int]) -> None:
        chat = Chat(platform=PLATFORM, ref=str(channel), is_private=guild is None)
        for message in messages:
            self._put(chat.ref, partial(self._inbox.withdraw, chat, str(message)))

    def _put(self, ref: str, store: Callable[[], Awaitable[None]]) -> None:
        self._events.put_nowait(_Event(ref=ref, store=store))

    # What happens to the events.

    async def run(self) -> None:
        """Store what comes, until cancelled; one batch at a time, so that its commits are one."""
        while True:
            batch = [await self._events.get()]
            while len(batch) < MOST_AT_ONCE and not self._events.empty():
                batch.append(self._events.get_nowait())
            ready: list[_Event] = []
            for event in batch:
                if not isinstance(event, _Event):
                    await self._store(ready)
                    ready = []
                    await self._catch_up(event)
                elif event.ref in self._gaps:
                    self._gaps[event.ref].append(event)
                else:
                    ready.append(event)
            await self._store(ready)

    async def close(self) -> None:
        """End what is under way."""
        tasks = self._reading | self._taking
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks)

    async def _store(self, events: Sequence[_Event]) -> None:
        """Have events stored: each chat's in order, all chats at once.

        A database that works side by side would not keep the order of what is handed over at
        once. What it had taken in when it failed it knows again at the next attempt.
        """
        chats: dict[str, list[_Event]] = {}
        for event in events:
            chats.setdefault(event.ref, []).append(event)

        async def store() -> None:
            steps = map(_store_in_order, chats.values())
            for result in await asyncio.gather(*steps, return_exceptions=True):
                if isinstance(result, BaseException):
                    raise result

        await self._insist(store)

    async def _insist(self, step: Callable[[], Awaitable[T]]) -> T:
        pause = self._pause
        while True:
            try:
                return await step()
            except StoreError as error:
                log.warning("discord events wait for the database: %s", error)
            await asyncio.sleep(pause)
            pause = min(pause * 2, LONGEST_PAUSE)

    async def _catch_up(self, guild: discord.Guild | None) -> None:
        """Learn how far the inbox had come in each chat, and begin to read what came since.

        In those of one server, if one is given.
        """
        if guild is None:
            for task in self._reading:
                task.cancel()
            self._arriving = self._read_beside(self._guilds())
        for place, seen in enumerate(await self._chats(guild)):
            if place >= MOST_CHATS * self._count and seen.chat.ref not in self._gaps:
                continue
            self._gaps.setdefault(seen.chat.ref, [])
            self._read_beside(self._close_gap(seen))

    async def _chats(self, guild: discord.Guild | None) -> list[Seen]:
        """Return the chats that may have a gap, the most recently used first."""
        known = await self._insist(partial(self._inbox.seen, PLATFORM))
        if guild:  # what is being read there already goes on
            found = [seen for seen in known if guild.get_channel_or_thread(int(seen.chat.ref))]
            return [seen for seen in found if seen.chat.ref not in self._gaps]
        return [seen for seen in known if not seen.chat.is_private or self._has_direct_messages]

    def _read_beside(self, reading: Coroutine[None, None, None]) -> "asyncio.Task[None]":
        task = asyncio.create_task(reading)
        self._reading.add(task)
        task.add_done_callback(self._note_ended)
        return task

    async def _close_gap(self, seen: Seen) -> None:
        """Hand in what came since, then what has waited for it.

        Which of the chats on servers are another shard's is known once ours have come.
        """
        ref = seen.chat.ref
        if self._arriving and self._channel(seen) is None:
            await asyncio.wait({self._arriving})
        await self._store(await self._missed(seen))
        while events := [*self._gaps[ref]]:  # there may be more once these are stored
            await self._store(events)
            del self._gaps[ref][: len(events)]
        del self._gaps[ref]

    async def _guilds(self) -> None:
        """Wait until channels, threads and roles are known: each server follows by itself."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(GUILDS_SECONDS):
                while any(guild.unavailable for guild in self._client.guilds):  # noqa: ASYNC110
                    await asyncio.sleep(0.05)  # the SDK does not tell of every one

    async def _missed(self, seen: Seen) -> list[_Event]:
        """Return what happened in a chat since; nothing where we may not read."""
        pause = self._pause
        for _ in range(ATTEMPTS):
            try:
                async with self._readers:
                    return [*await self._revised(seen), *await self._history(seen)]
            except (discord.Forbidden, discord.NotFound) as error:
                log.info("discord chat %s cannot be caught up: %s", seen.chat.ref, error.text)
                return []
            except _FAILURES as error:
                reason = type(error).__name__
            except MALFORMED:
                reason = "a message in it cannot be read"
                break
            await asyncio.sleep(pause)
            pause = min(pause * 2, LONGEST_PAUSE)
        log.warning("discord chat %s is not caught up: %s", seen.chat.ref, reason)
        return []

    def _channel(self, seen: Seen) -> discord.abc.Messageable | None:
        number = int(seen.chat.ref)
        channel: object = self._client.get_channel(number)
        if seen.chat.is_private:
            kind = discord.ChannelType.private
            channel = self._client.get_partial_messageable(number, type=kind)
        return channel if isinstance(channel, discord.abc.Messageable) else None

    async def _revised(self, seen: Seen) -> list[_Event]:
        """Return the edits and deletions of what still waits."""
        ref, channel = seen.chat.ref, self._channel(seen)
        events: list[_Event] = []
        if channel is None:
            return events
        for message in seen.waiting:
            if not message.isdecimal():  # a command, which nobody can edit
                continue
            try:
                found = await channel.fetch_message(int(message))
            except discord.NotFound:
                store = partial(self._inbox.withdraw, seen.chat, message)
                events.append(_Event(ref=ref, store=store))
                continue
            if found.edited_at and (incoming := self._read(found)):
                events.append(_Event(ref=ref, store=partial(self._inbox.amend, incoming)))
        return events

    async def _history(self, seen: Seen) -> list[_Event]:
        """Return the messages that came since, oldest first."""
        channel = self._channel(seen)
        if channel is None:
            return []
        missed: list[Incoming] = []
        authors: dict[int, User] = {}
        async for message in channel.history(limit=MOST_MISSED):
            if discord.utils.snowflake_time(message.id).timestamp() * 1000 < seen.sent_at:
                break
            incoming = self._read(message)
            if incoming and incoming.sent_at > seen.sent_at:  # else the inbox knows it again
                await _learn_author(message, authors)
                incoming = self._read(message)
            missed.extend(filter(None, [incoming]))
        receive, ref = self._inbox.receive, seen.chat.ref
        missed.reverse()
        said = [followed(found, by=later) for found, later in itertools.pairwise(missed)]
        said += missed[-1:]
        return [_Event(ref=ref, store=partial(receive, found)) for found in said]


async def _store_in_order(events: Sequence[_Event]) -> None:
    for event in events:
        await event.store()


async def _learn_author(message: discord.Message, known: dict[int, User]) -> None:
    """Complete a message from the history, which does not say which roles its author has.

    Discord allows few such calls, so that each author is asked for once.
    """
    author = message.author
    if not message.guild or isinstance(author, discord.Member):
        return
    if author.id not in known:
        try:
            known[author.id] = await message.guild.fetch_member(author.id)
        except discord.NotFound:
            log.debug("the author of message %s has left", message.id)
            known[author.id] = author
    message.author = known[author.id]
