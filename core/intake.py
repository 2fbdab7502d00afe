"""The beginning of the path: what people write is stored, and only then is the platform told."""

import logging
from dataclasses import replace

from core import commands, metrics
from core.access import Access
from core.protocols import Store
from core.types import Chat, Incoming, Seen

log = logging.getLogger(__name__)


class Intake:
    """Takes messages in for whoever answers them, here or elsewhere; see `core.protocols.Inbox`.

    Args:
        store: What survives a crash.
        access: Who may talk, and thus stop an answer.
    """

    def __init__(self, store: Store, access: Access) -> None:
        self._store = store
        self._access = access

    async def receive(self, incoming: Incoming) -> None:
        """Take a message in; when this returns, it is durable.

        A /stop acts at once, ahead of what waits.

        Raises:
            StoreError: It is not; hand it over again later.
        """
        kind = commands.kind_of(incoming)
        if not await self._store.put(incoming, kind):
            return
        metrics.count(metrics.RECEIVED, incoming.chat.platform, kind)
        log.debug("received event=%s kind=%s", incoming.event, kind)
        if kind == "stop" and await self._access.may(incoming):
            await self._store.stop(incoming.chat)

    async def amend(self, incoming: Incoming) -> None:
        """Let an edited message stand in its own place, if nobody has begun to answer it."""
        await self._store.amend(incoming, commands.kind_of(incoming))

    async def withdraw(self, chat: Chat, message: str) -> None:
        """Drop a message, if nobody has begun to answer it."""
        await self._store.withdraw(chat, message)

    async def move(self, incoming: Incoming) -> None:
        """Let a message that was taken in wait in another chat, if nobody has begun with it."""
        await self._store.move(incoming)

    async def rename(self, chat: Chat, ref: str) -> None:
        """Let a chat be known by another ref, with all that is remembered of it."""
        if await self._store.rename(chat, ref):
            log.info("chat %s is %s now", chat.id, replace(chat, ref=ref).id)
            if self._access.names(chat):
                log.warning("ALLOWED should name the latter, too")

    async def seen(self, platform: str) -> list[Seen]:
        """Return every chat of a platform, the most recently used first."""
        return await self._store.seen(platform)


def followed(message: Incoming, by: Incoming) -> Incoming:
    """Return a message, of which more follows if who wrote it wrote the next one that came, too.

    What came together is answered together, however long it takes to be stored one by one.
    """
    is_partial = message.is_partial or message.person.id == by.person.id
    return replace(message, is_partial=is_partial)
