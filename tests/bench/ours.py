"""A made-up chat, held with Causerie's own turns and memory over a store on a disk."""

import re
import tempfile
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from core import memory, tokens
from core.personas import DEFAULT
from core.reply import Reply
from core.store import DatabaseStore, open_store
from core.types import Delta, Message, ModelEvent, Turn, Usage
from tests.bench.billing import Call
from tests.bench.chatter import Exchange
from tests.bench.policies import PERSONA, Record, Run, Scribe
from tests.core.house import House
from tests.core.stand_ins import StandInClock, StandInModel, is_summary

MODEL = "gpt-5.4-mini"  # counts as our vocabulary does
_WORDS = re.compile(r"at most (\d+) words")


@dataclass(slots=True, kw_only=True)
class _Mind:
    """The stand-in model: answers as the chat says, and writes notes as the scribe does."""

    notes: Scribe
    exchange: Exchange
    record: Record = field(default_factory=lambda: Record(calls=[]))

    async def think(
        self, prompt: Sequence[Message], models: Sequence[str]
    ) -> AsyncIterator[ModelEvent]:
        """Yield an answer, and what it consumed."""
        text = self._notes(prompt) if is_summary(prompt) else self._answer(prompt)
        yield Delta(text=text)
        size, output = tokens.prompt_tokens(prompt), tokens.count(text)
        yield Usage(purpose="chat", model=models[0], input=size, output=output)

    def _answer(self, prompt: Sequence[Message]) -> str:
        return self.record.answer(self.exchange, prompt).content

    def _notes(self, prompt: Sequence[Message]) -> str:
        *above, request = prompt
        earlier = [m.content for m in above if m.content.startswith(memory.EARLIER)]
        said = [m.content for m in above if m.role != "system"]
        words = _WORDS.search(request.content)
        text = self.notes.write(
            "\n\n".join(said),
            notes="".join(earlier) if memory.ANEW in request.content else "",
            limit=int(int(words[1]) / memory.WORDS_A_TOKEN) if words else 0,
        )
        output = tokens.count(text)
        call = Call(turn=self.exchange.number, messages=prompt, output=output, is_summary=True)
        self.record.calls.append(call)
        return text


async def run(chat: Sequence[Exchange], *, budget: int, notes: Scribe) -> Run:
    """Let Causerie have a chat."""
    clock, mind = StandInClock(), _Mind(notes=notes, exchange=chat[0])
    with tempfile.TemporaryDirectory() as folder:
        store = await open_store(Path(folder) / "bench.db", clock=clock)
        house = House(
            store=store,
            model=StandInModel(mind.think),
            models=(MODEL,),
            prompts={DEFAULT: PERSONA},
            context_tokens=budget,
        )
        try:
            for exchange in chat:
                mind.exchange = exchange
                await store.put(house.message(exchange.asked), "message")
                clock.move(1.0)
                await _turn(house, store)
        finally:
            await store.close()
    return mind.record.run()


async def _turn(house: House, store: DatabaseStore) -> None:
    """Do with a message what the relay does."""
    [(lease, turn)], _ = await store.lease(["desk"], 1)
    if not isinstance(turn, Turn):
        raise TypeError("a text was left in the outbox")
    working = house.turns.working(lease, turn, Reply(chat=lease.chat, key=turn.id))
    outcome = await house.turns.work(working)
    outgoing = await store.finish(lease, turn, outcome)
    await house.turns.settle(working, outcome)
    await store.next(lease, sent=outgoing.id if outgoing else None)
