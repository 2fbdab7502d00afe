"""A stand-in for the relay: it takes in what bots hand over, and fails as told."""

import asyncio
from collections.abc import Awaitable, Callable

from core.types import Chat, Incoming, Seen


class Inbox:
    """Takes messages in; an error in `faults` strikes the next attempts instead.

    Attributes:
        begun: The text of every message that was handed over.
        messages: What was taken in, each once.
        edits: What was said to be edited.
        deleted: What was said to be deleted: the chat's ref and the message.
        renamed: Which chats have another ref now: the old one and the new.
        known: What `seen` returns.
        looks: How often that was asked for.
        then: Awaited with every message that was taken in; None for nothing.
    """

    def __init__(
        self,
        *faults: Exception | None,
        known: list[Seen] | None = None,
        then: Callable[[Incoming], Awaitable[None]] | None = None,
    ) -> None:
        self.faults = list(faults)
        self.begun: list[str] = []
        self.messages: list[Incoming] = []
        self.edits: list[Incoming] = []
        self.deleted: list[tuple[str, str]] = []
        self.renamed: list[tuple[str, str]] = []
        self.known = known or []
        self.looks = 0
        self.then = then

    async def receive(self, incoming: Incoming) -> None:
        """Take a message in, once."""
        self.begun.append(incoming.text)
        await self._meet_fault()
        if all(incoming.event != known.event for known in self.messages):
            self.messages.append(incoming)
        if self.then:
            await self.then(incoming)

    async def amend(self, incoming: Incoming) -> None:
        """Note an edit."""
        await self._meet_fault()
        self.edits.append(incoming)

    async def withdraw(self, chat: Chat, message: str) -> None:
        """Note a deletion."""
        await self._meet_fault()
        self.deleted.append((chat.ref, message))

    async def move(self, incoming: Incoming) -> None:
        """Put what was taken in somewhere else."""
        await self._meet_fault()
        self.messages = [incoming if m.event == incoming.event else m for m in self.messages]

    async def rename(self, chat: Chat, ref: str) -> None:
        """Note that a chat has another ref."""
        await self._meet_fault()
        self.renamed.append((chat.ref, ref))

    async def seen(self, platform: str) -> list[Seen]:
        """Return what is known at the time of the call."""
        found = [seen for seen in self.known if seen.chat.platform == platform]
        self.looks += 1
        await self._meet_fault()
        return found

    async def _meet_fault(self) -> None:
        await asyncio.sleep(0)
        fault = self.faults.pop(0) if self.faults else None
        if fault:
            raise fault

    @property
    def texts(self) -> list[str]:
        """What was received, in order."""
        return [message.text for message in self.messages]
