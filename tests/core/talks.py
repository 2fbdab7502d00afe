"""Talks that stand in a store, and what its files still hold of them."""

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from core.protocols import Store
from core.store import DatabaseStore
from core.store.schema import MIGRATIONS
from core.types import (
    Chat,
    Incoming,
    Kind,
    Lease,
    Outcome,
    Outgoing,
    Person,
    Transcript,
    Turn,
    Usage,
)
from tests.core.stand_ins import ANN, BOB, CHAT, GROUP, StandInClock, incoming, said
from tests.core.storing import read, take_turn

BOBS = Chat(platform="desk", ref="2", is_private=True, title="Bob")
# What it costs every time.
COST = 30


def call(cost: int = COST) -> Usage:
    """Return a paid call."""
    return Usage(purpose="chat", model="m", input=9, output=1, cost=cost)


class Talks:
    """Puts turns into a store, one after the other."""

    def __init__(self, store: Store, clock: StandInClock) -> None:
        self.store = store
        self.clock = clock
        self.number = 0

    def message(self, text: str, chat: Chat, person: Person, **fields: object) -> Incoming:
        """Return the next message."""
        self.number += 1
        return incoming(self.number, text, chat=chat, person=person, **fields)  # type: ignore[arg-type]

    async def turn(
        self, text: str, *, chat: Chat = CHAT, person: Person = ANN, **fields: object
    ) -> tuple[Lease, Turn]:
        """Store a message and take it up."""
        kind: Kind = "command" if text.startswith("/") else "message"
        await self.store.put(self.message(text, chat, person, **fields), kind)
        return await take_turn(self.store, self.clock)

    async def tell(
        self, text: str, *, chat: Chat = CHAT, person: Person = ANN, **fields: object
    ) -> Turn:
        """Have a message answered by `re: text`; both are remembered, unless it is a command."""
        lease, turn = await self.turn(text, chat=chat, person=person, **fields)
        await self.end(lease, turn, text)
        return turn

    async def end(
        self, lease: Lease, turn: Turn, text: str, *, replaces: int | None = None
    ) -> None:
        """Answer a turn that was taken up, and send the answer."""
        name = "" if lease.chat.is_private else turn.person.name
        answer = f"re: {text}"
        history = (said(text, name=name), said(answer, role="assistant"))
        await self.finish(
            lease,
            turn,
            Outcome(
                text=answer,
                history=() if turn.kind == "command" else history,
                usage=(call(),),
                replaces=replaces,
            ),
        )

    async def finish(self, lease: Lease, turn: Turn, outcome: Outcome) -> None:
        """End a turn in this way, and send what is to be sent."""
        outgoing = await self.store.finish(lease, turn, outcome)
        if outgoing:
            await self.store.posted(turn.id, 0, f"post {turn.id}")
        assert await self.store.next(lease, sent=outgoing.id if outgoing else None) is None

    async def forget(self, *, chat: Chat = CHAT, person: Person = ANN) -> None:
        """Let somebody be forgotten, as they do it themselves."""
        lease, turn = await self.turn("/forget yes", chat=chat, person=person)
        await self.finish(lease, turn, Outcome(text="Done.", forgets=True))

    async def hear(self, lease: Lease, turn: Turn, text: str) -> None:
        """Keep what was heard in the first message of a turn."""
        await self.store.heard(lease, turn, 0, Transcript(text=text, usage=(call(),)))

    async def fill(self) -> None:
        """Let Ann and Bob talk, each in private and both in a group, which is summed up."""
        for chat, person in ((CHAT, ANN), (GROUP, ANN), (GROUP, BOB), (BOBS, BOB)):
            for part in "abc":
                place = "group" if chat == GROUP else "private"
                await self.tell(f"{person.name} in {place} {part}", chat=chat, person=person)
        group = await self.chat_id(GROUP)
        await self.store.compact(group, old=0, new=20, summary="Ann said something in a group")

    async def chat_id(self, chat: Chat) -> int:
        """Return a chat's id in the store."""
        rows = await rows_of(self.store, f"chat WHERE ref = '{chat.ref}'")
        return int(rows[0]["id"])

    async def remembered(self, chat: Chat) -> list[str]:
        """Return what stands in the window of a chat."""
        number = await self.chat_id(chat)
        [row] = await rows_of(self.store, f"chat WHERE id = {number}")
        return [m.content for m in await self.store.window(number, start=row["start"])]


async def rows_of(store: Store, rest: str) -> Sequence[dict[str, Any]]:
    """Return rows of the database behind a store."""
    assert isinstance(store, DatabaseStore)
    return [dict(row) for row in await store._run(read, f"SELECT * FROM {rest}")]  # noqa: S608


async def dump(store: Store) -> str:
    """Return all that a store's database holds, as text."""
    tables = re.findall(r"CREATE TABLE (\w+)", str(MIGRATIONS))
    rows = [(table, await rows_of(store, table)) for table in tables]
    return "\n".join(f"{name}: {row}" for name, found in rows for row in found)


def traces(folder: Path, words: str) -> dict[str, int]:
    """Return in which files of a folder words stand, and how often."""
    found = {path.name: path.read_bytes().count(words.encode()) for path in folder.iterdir()}
    return {name: count for name, count in found.items() if count}


def is_outgoing(work: object) -> Outgoing:
    """Return work that is a text to be sent."""
    assert isinstance(work, Outgoing)
    return work
