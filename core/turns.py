"""What a turn ends in: access, words, command or model, and what is remembered of it."""

import logging
import time
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from functools import partial

from core import metrics, personas, tokens
from core.access import Access
from core.answer import Answer
from core.commands import BY_NAME, Answered, Ask, Called, Command, Rooms, split
from core.errors import (
    AccessError,
    BudgetError,
    CauserieError,
    ContextLengthError,
    DeliveryError,
    InputError,
    StoreError,
)
from core.markdown import plain
from core.memory import Memory, Recalled, weighed
from core.models import serving
from core.protocols import ChatModel, Store
from core.reply import Reply
from core.tracing import Step
from core.types import (
    MOST_FAILURES,
    Chat,
    Lease,
    Message,
    Outcome,
    Person,
    Purpose,
    Turn,
)
from core.understand import Understanding
from core.usage import Spending, nearly
from core.working import Working

log = logging.getLogger(__name__)

# A process that dies takes its innocent turns with it, so a death weighs less than a failure; so
# does a file that cannot be fetched, since an outage of ten minutes is to lose no recording.
MOST_ATTEMPTS = 20
MOST_PROMPTS = 6  # for one answer, each shorter, where a model finds them too long
# Of the memory and the reply that a chat has otherwise, where money is short.
SHORT_SHARE = 0.25
_SHORTENED = "💰 *Little is left of a spending limit, so I looked back less far for this.*"
_CHEAPER = "💰 *Little is left of a spending limit, so a cheaper model answered.*"
NAME_TOKENS = 16  # of a person's name in a prompt; names can be as long as a short message


class Turns:
    """Answers turns. Knows nothing of leases, retries and delivery.

    Args:
        store: What survives a crash.
        spending: What may be spent.
        model: Who answers.
        understanding: Who puts recordings into words.
        access: Who may talk.
        memory: What the model is shown.
        models: Names a chat can choose from; the first is the default, the others fallbacks.
        prompts: System prompts by persona, the default one among them.
        tells_date: Whether the system prompt ends with today's date.
    """

    def __init__(  # noqa: PLR0913 - the rooms it brings together, all named
        self,
        *,
        store: Store,
        spending: Spending,
        model: ChatModel,
        understanding: Understanding,
        access: Access,
        memory: Memory,
        models: Sequence[str],
        prompts: Mapping[str, str],
        tells_date: bool = True,
    ) -> None:
        self._spending = spending
        self._model = model
        self._understanding = understanding
        self._access = access
        self._memory = memory
        self._models = models
        self._tells_date = tells_date
        self._prompts = prompts
        self._rooms = Rooms(
            store=store,
            access=access,
            spending=spending,
            understanding=understanding,
            models=models,
            personas=list(prompts),
            recall=self._recall,
        )

    def working(self, lease: Lease, turn: Turn, reply: Reply) -> Working:
        """Return a turn to work on."""
        purse = self._spending.purse(turn.hold, person=turn.person.id, chat=lease.chat_id)
        return Working(
            lease=lease, turn=turn, reply=reply, purse=purse, has_footer=self._spending.has_footer
        )

    async def work(self, working: Working) -> Outcome:
        """Answer a turn.

        Raises:
            DeliveryError: A recording cannot be fetched now.
            StoreError: The database failed.
        """
        try:
            return await self._work(working)
        except (DeliveryError, StoreError):
            raise
        except AccessError as error:
            return Outcome(text=str(error), notices=error.notices, ending="refused")
        except (BudgetError, InputError) as error:
            return Outcome(text=str(error), usage=working.spent(), ending="refused")
        except CauserieError as error:
            return Outcome(text=str(error), usage=working.spent(), ending="failed")

    async def _work(self, working: Working) -> Outcome:
        turn = working.turn
        if turn.failures >= MOST_FAILURES or turn.attempts > MOST_ATTEMPTS:
            return self._bury(working)
        if turn.kind == "command":
            return await self._command(working)
        if await self._is_stopped(working):
            return Outcome(ending="stopped")
        if turn.kind == "stop":
            return await self._command(working)
        await self._access.check(turn)
        await self._access.ration(turn)
        return await self._converse(working)

    async def _is_stopped(self, working: Working) -> bool:
        for stop in working.turn.stops:
            if await self._access.may(stop):
                return True
        return False

    def _bury(self, working: Working) -> Outcome:
        turn = working.turn
        reason = f"{turn.attempts - 1} attempts failed; the log of the bot says why"
        return Outcome(
            text="I tried several times and could not answer this. My owner knows about it.",
            buried=reason,
            ending="buried",
            notices=self._access.to_owners(
                f"I gave up on a message of {plain(turn.person.name)} "
                f"(`{turn.person.id}`): {reason}."
            ),
        )

    async def _command(self, working: Working) -> Outcome:
        turn, chat = working.turn, working.lease.chat
        name, arguments = split(turn.messages[0].text)
        command = BY_NAME.get(name)
        if command is None and not chat.is_private and not turn.messages[0].is_alone:
            return Outcome(ending="ignored")  # meant for another bot
        if command is None or not command.is_for_all:
            await self._access.check(turn)
        if command is None:
            return Outcome(text=f"I do not know /{name}; /help shows what I do know.")
        if refusal := self._refusal(command, turn.person):
            return Outcome(text=refusal, ending="refused")
        if command.is_paid:
            await self._access.ration(turn)
        called = Called(
            rooms=self._rooms,
            lease=working.lease,
            turn=turn,
            purse=working.purse,
            arguments=arguments,
        )
        return await self._carry_out(working, await command.handler(called))

    def _refusal(self, command: Command, person: Person) -> str:
        """Return why somebody may not use a command; empty if they may."""
        if self._access.is_owner(person.id):
            return ""
        if command.is_for_owners:
            return f"/{command.name} is for my owner only."
        if command.is_for_hosts and not person.is_host:
            return f"/{command.name} is for my owner, and on a server for those who run it."
        return ""

    async def _carry_out(self, working: Working, answered: Answered) -> Outcome:
        if isinstance(answered, str):
            return Outcome(text=answered)
        if isinstance(answered, Outcome):
            return answered
        if await self._is_stopped(working):
            return Outcome(ending="stopped")
        if isinstance(answered, Ask):
            return await self._translate(working, answered)
        working.turn = replace(answered.turn, state=working.turn.state)
        working.replaces = answered.turn.id
        return await self._converse(working)

    async def _translate(self, working: Working, ask: Ask) -> Outcome:
        recall = partial(
            self._memory.recall,
            working.lease.chat_id,
            replace(working.turn.state, start=0, total=0, summary=""),
            persona=ask.instruction,
            asked=await weighed(Message(role="user", content=ask.text)),
        )
        await self._ask(working, recall, heard=ask.heard, purpose="translate")
        return await working.outcome()

    async def _converse(self, working: Working) -> Outcome:
        turn = working.turn
        with Step("understand"):
            understood = await self._understanding.read(working.lease, turn, working.purse)
        name = _speaker(working.lease.chat, turn.person)
        asked = await weighed(Message(role="user", content=understood.content, name=name))
        recall = partial(self._recall, working.lease, turn, asked, before=working.replaces)
        await self._ask(working, recall, heard=understood.heard)
        return await working.outcome()

    async def _recall(
        self,
        lease: Lease,
        turn: Turn,
        asked: Message,
        *,
        names: Sequence[str] = (),
        share: float = 1.0,
        before: int | None = None,
    ) -> Recalled:
        prompt = self._prompts.get(turn.state.persona) or self._prompts[personas.DEFAULT]
        if self._tells_date:
            prompt = f"{prompt}\n\nToday is {datetime.now().astimezone():%A, %d %B %Y}."
        return await self._memory.recall(
            lease.chat_id,
            turn.state,
            persona=prompt,
            asked=asked,
            names=names or self._names(turn),
            before=before,
            share=share,
        )

    def _names(self, turn: Turn) -> tuple[str, ...]:
        chosen = turn.state.model if turn.state.model in self._models else self._models[0]
        return serving([chosen, *(name for name in self._models if name != chosen)])

    async def _ask(
        self,
        working: Working,
        recall: Callable[..., Awaitable[Recalled]],
        *,
        heard: str,
        purpose: Purpose = "chat",
    ) -> None:
        """Ask the model, again with a shorter prompt when it finds one too long."""
        working.lead = _above(heard)
        if heard:
            working.show("")
        attempts = 0
        while True:
            attempts += 1
            answer = await self._afford(working, recall, purpose)
            recalled = working.recalled
            if recalled and purpose == "chat":
                working.asked = recalled.asked
            working.lead = _above(heard, recalled.left_out if recalled else 0)
            if working.answer is None:
                metrics.observe("prepare", time.monotonic() - working.began)
            working.answer = answer
            try:
                return await answer.stream(self._model, working.show, tell=working.tell)
            except ContextLengthError:
                log.warning("prompt too long chat=%d", working.lease.chat_id)
                asked = answer.prompt
                if attempts == MOST_PROMPTS or not self._memory.tighten(
                    asked.models, predicted=asked.predicted
                ):
                    self._memory.loosen(asked.models)
                    raise

    async def _afford(
        self, working: Working, recall: Callable[..., Awaitable[Recalled]], purpose: Purpose
    ) -> Answer:
        """Compose a prompt that the limits allow, and hold what it can cost.

        Raises:
            BudgetError: They allow none.
        """
        refusal: BudgetError | None = None
        for names, share, note in self._ways(working.turn):
            with Step("memory"):
                recalled = await recall(names=names, share=share)
            answer = Answer(prompt=recalled.prompt, purse=working.purse, purpose=purpose)
            if working.answer:  # whose prompt was too long for a fallback, but paid to another
                answer.usage = [*working.answer.usage]
            try:
                with Step("hold"):
                    await answer.hold()
            except BudgetError as error:
                refusal = refusal or error
                continue
            working.recalled = recalled
            working.below = "\n\n".join([note, *map(nearly, working.purse.warned)]).strip()
            return answer
        raise refusal or BudgetError("")

    def _ways(self, turn: Turn) -> Iterator[tuple[tuple[str, ...], float, str]]:
        """Yield the models to ask, the share of memory, and what to say of it; dearest first."""
        names = self._names(turn)
        yield names, 1.0, ""
        if "memory" in self._spending.savings:
            yield names, SHORT_SHARE, _SHORTENED
        cheap = self._spending.cheapest(names)
        if "model" in self._spending.savings and cheap:
            yield cheap, 1.0, _CHEAPER
            yield cheap, SHORT_SHARE, _CHEAPER

    async def settle(self, working: Working, outcome: Outcome) -> None:
        """After a turn is committed: learn from its usage, and fold memory that grew too large."""
        await self._memory.learn(outcome.usage)
        if working.recalled and outcome.history:
            state = working.turn.state
            added = sum(message.tokens for message in outcome.history)
            await self._memory.compact(
                working.lease.chat_id,
                replace(state, total=state.total + added),
                recalled=working.recalled,
                model=self._model,
                purse=self._spending.purse(
                    f"summary of {working.purse.name}",  # others may write one, elsewhere
                    person=working.turn.person.id,
                    chat=working.lease.chat_id,
                ),
            )


def _speaker(chat: Chat, person: Person) -> str:
    """Return the name that stands before what somebody says, where several people speak."""
    name = "" if chat.is_private else " ".join(person.name.split())
    while tokens.count(name) > NAME_TOKENS:
        name = name[: len(name) * 3 // 4]
    return name


def _above(heard: str, left_out: int = 0) -> str:
    note = f"✂️ *Your message was too long: about {left_out:,} tokens of it were left out.*"
    return "".join(f"{part}\n\n" for part in (heard, note if left_out else "") if part)
