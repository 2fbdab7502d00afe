"""What the model is shown: persona, summary and as much of the history as the budget allows.

Providers bill a repeated beginning of a prompt at a fraction of its price, so the beginning
stays as it is for as long as possible: messages are only added until the history fills
`HIGH` of its room. Then its older part is folded into the summary, down to `LOW`, and the
next stretch begins. The notes of each stretch are asked for below the very messages that the
last prompts began with, and added to those of earlier ones; `python -m tests.bench economy`
shows what that saves, and how much is still known.
"""

import asyncio
import logging
from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import dropwhile

from core import tokens
from core.answer import Answer, Prompt
from core.errors import BudgetError, ContextLengthError
from core.protocols import ChatModel, Store
from core.types import ChatState, Message, Usage
from core.usage import Purse
from core.windows import Budget, Windows

log = logging.getLogger(__name__)

HIGH, LOW = 0.6, 0.2
LONGEST = 0.8  # of the room, for a message that is cut, or for the last exchange alone
# A fourth of that is for the notes of one stretch. Notes that fill more than half of it are
# written anew with those of the next stretch, to half of it.
STRETCH_SHARE, ANEW_SHARE = 4, 2
EXCERPT_TOKENS = 30
LEAST_SUMMARY = 32  # below, the room serves the message better
LEAST_TO_SUM_UP = 512  # holds half a persona, a summary, the request for one, and a little
LEAST_TOLD = 32  # of a message that is shortened to be summed up, its name included
WORDS_A_TOKEN = 0.75
MOST_FOLDED = 1_000  # so many times it is remembered that memory was folded, and from where

EARLIER = "What was said earlier in this chat, in short:\n\n"

SUMMARISE = (
    "[This is no message of the chat, and your role in it does not count here. The messages above "
    "will soon be out of your sight. Write notes of them for your own memory: who the people are, "
    "facts, names, numbers, dates, decisions, preferences, open questions. "
)
ADDING = "Do not repeat what the notes at the beginning say; only add to them, or correct them. "
ANEW = (
    "Put the notes at the beginning and these into one, and keep every fact of the earlier "
    "notes that still holds. "
)
SHORTLY = "Plain short lines, in the language of the chat, at most {words} words, nothing else.]"


@dataclass(frozen=True, slots=True, kw_only=True)
class Recalled:
    """A prompt and what went into it, in reference tokens.

    Attributes:
        asked: The new message as it is shown and remembered.
        left_out: How much of the new message did not fit.
    """

    prompt: Prompt
    budget: Budget
    asked: Message
    persona: int
    summary: int
    history: int
    left_out: int = 0


class Memory:
    """Composes prompts from the store, and keeps what is remembered within bounds.

    Args:
        store: Where the history is.
        context_tokens: Most tokens of a prompt, as the owner sets it; None for the default.
        reply_tokens: Most tokens of a reply, likewise.
        factors: What was learned earlier about models' own tokens.
    """

    def __init__(
        self,
        store: Store,
        *,
        context_tokens: int | None = None,
        reply_tokens: int | None = None,
        factors: Mapping[str, float] | None = None,
    ) -> None:
        self._store = store
        self._windows = Windows(
            context_tokens=context_tokens, reply_tokens=reply_tokens, factors=factors
        )
        self.budget = self._windows.budget
        self.tighten = self._windows.tighten
        self.loosen = self._windows.loosen
        self._compacting: set[int] = set()
        self._folded: deque[tuple[int, int]] = deque(maxlen=MOST_FOLDED)

    async def learn(self, calls: Sequence[Usage]) -> None:
        """Compare what was predicted with what models reported."""
        for name, factor in self._windows.learn(calls).items():
            await self._store.calibrate(name, factor)

    async def recall(
        self,
        chat: int,
        state: ChatState,
        *,
        persona: str,
        asked: Message,
        names: Sequence[str],
        before: int | None = None,
        share: float = 1.0,
    ) -> Recalled:
        """Compose the prompt for a new message.

        Args:
            chat: The chat's id in the store.
            state: What it has chosen and remembers.
            persona: The system prompt.
            asked: The new message; its middle is left out when it does not fit.
            names: The models that may be asked.
            before: A turn that is answered anew, so that neither it nor its answer is shown.
            share: Of the budget to use; less than 1 saves money.
        """
        budget = self.budget(names, share=share)
        room = budget.prompt - tokens.PRIMER_TOKENS
        persona = tokens.shorten(persona, room // 2)
        fixed = [await weighed(Message(role="system", content=persona))]
        if state.summary and budget.summary >= LEAST_SUMMARY:
            text = tokens.shorten(state.summary, budget.summary)
            fixed.append(await weighed(Message(role="system", content=EARLIER + text)))
        room -= _sum(fixed)
        shown = await self._fit(asked, room)
        room -= shown.tokens
        history = await self._history(chat, state, room=room, before=before)
        messages = (*fixed, *history, shown)
        return Recalled(
            prompt=Prompt(
                messages=messages,
                models=names,
                limit=budget.reply,
                predicted=_sum(messages) + tokens.PRIMER_TOKENS,
                factor=self._windows.factor(names),
            ),
            budget=budget,
            asked=shown,
            persona=fixed[0].tokens,
            summary=_sum(fixed[1:]),
            history=_sum(history),
            left_out=max(0, asked.tokens - shown.tokens),
        )

    async def _fit(self, asked: Message, room: int) -> Message:
        if asked.tokens <= room:
            return asked
        framing = asked.tokens - await tokens.counted(asked.content)
        content = await asyncio.to_thread(
            tokens.shorten, asked.content, max(0, int(room * LONGEST) - framing)
        )
        return await weighed(replace(asked, content=content, tokens=0))

    async def _history(
        self, chat: int, state: ChatState, *, room: int, before: int | None
    ) -> list[Message]:
        live = state.total - state.start
        if live > room:
            live = int(room * LOW)
        messages = await self._store.window(chat, start=state.start, tokens=live, before=before)
        return _from_a_question(messages)

    async def compact(
        self,
        chat: int,
        state: ChatState,
        *,
        recalled: Recalled,
        model: ChatModel,
        purse: Purse,
    ) -> None:
        """Fold the older part of a history that fills its room into the summary.

        The model writes the summary; if it fails, its provider blocks the words, or a spending
        limit does not allow it, excerpts of what people said take its place.

        Args:
            chat: The chat's id in the store.
            state: What it remembers after the turn.
            recalled: The turn's prompt.
            model: Who writes the summary.
            purse: What pays for it.
        """
        room = _room(recalled)
        if state.total - state.start <= room * HIGH or chat in self._compacting:
            return
        if (chat, state.start) in self._folded:
            return  # done while this turn was being answered
        self._compacting.add(chat)
        try:
            await self._fold(chat, state, recalled, model, purse)
        finally:
            self._compacting.discard(chat)

    async def _fold(
        self, chat: int, state: ChatState, recalled: Recalled, model: ChatModel, purse: Purse
    ) -> None:
        budget, room = recalled.budget, _room(recalled)
        messages = await self._store.window(chat, start=state.start)
        kept = _from_a_question(_newest(messages, int(room * LOW)))
        kept = kept or _from_a_question(_newest(messages[-2:], int(room * LONGEST)))
        folded = messages[: len(messages) - len(kept)]
        if not folded:
            return
        is_anew = await tokens.counted(state.summary) > budget.summary // ANEW_SHARE
        answer = await self._ask(folded, recalled, purse, is_anew=is_anew)
        if budget.prompt >= LEAST_TO_SUM_UP:
            await _finish_quietly(answer, model)
        is_blocked = answer.cut is not None and answer.cut.is_blocked
        is_by_model = answer.is_complete and not is_blocked and bool(answer.text.strip())
        notes = [answer.text.strip()] if is_by_model else _excerpts(folded)
        earlier = "" if is_by_model and is_anew else state.summary
        is_kept = await self._store.compact(
            chat,
            old=state.start,
            new=folded[-1].total,
            summary=tokens.shorten("\n".join(filter(None, (earlier, *notes))), budget.summary),
            usage=answer.spent(),
            hold=purse.name,
            erased=state.erased,
        )
        if is_kept:
            self._folded.append((chat, state.start))
        log.info("compacted chat=%d messages=%d by_model=%s", chat, len(folded), is_by_model)

    async def _ask(
        self, folded: Sequence[Message], recalled: Recalled, purse: Purse, *, is_anew: bool
    ) -> Answer:
        """Ask for notes below what the model was shown last, so that its provider knows it."""
        budget = recalled.budget
        shown = [m for m in recalled.prompt.messages if m.role == "system"]
        share = ANEW_SHARE if is_anew else STRETCH_SHARE
        words = int(budget.summary / share * WORDS_A_TOKEN)
        change = ANEW if is_anew else ADDING if recalled.summary else ""
        content = SUMMARISE + change + SHORTLY.format(words=words)
        request = await weighed(Message(role="user", content=content))
        room = budget.prompt - tokens.PRIMER_TOKENS - _sum(shown) - request.tokens
        messages = (*shown, *await asyncio.to_thread(_told, folded, room), request)
        prompt = Prompt(
            messages=messages,
            models=recalled.prompt.models,
            limit=budget.reply,
            predicted=_sum(messages) + tokens.PRIMER_TOKENS,
            factor=recalled.prompt.factor,
        )
        return Answer(prompt=prompt, purse=purse, purpose="summary")


async def weighed(message: Message) -> Message:
    """Return the message with the tokens it adds to a prompt, counted once."""
    content = await tokens.counted(message.content)
    return replace(message, tokens=content + tokens.framing(message))


async def _finish_quietly(answer: Answer, model: ChatModel) -> None:
    try:
        await answer.hold()
        await answer.stream(model, lambda _: None)
    except BudgetError as error:
        log.info("no summary: %s", error)
    except ContextLengthError as error:
        log.warning("summary too long for the model: %s", error)


def _room(recalled: Recalled) -> int:
    return recalled.budget.prompt - recalled.persona - recalled.summary


def _sum(messages: Sequence[Message]) -> int:
    return sum(message.tokens for message in messages)


def _newest(messages: Sequence[Message], room: int) -> list[Message]:
    kept: list[Message] = []
    for message in reversed(messages):
        room -= message.tokens
        if room < 0:
            break
        kept.append(message)
    return kept[::-1]


def _from_a_question(messages: Sequence[Message]) -> list[Message]:
    return list(dropwhile(lambda message: message.role != "user", messages))


def _told(messages: Sequence[Message], room: int) -> Sequence[Message]:
    """Return messages as they are if they fit; else the newest, the longest of them shortened."""
    if _sum(messages) <= room:
        return messages
    # From a question on, as many models' templates want it.
    newest = _from_a_question(messages[-max(2, room // LEAST_TOLD) :])
    most = left = room
    for number, message in enumerate(sorted(newest, key=lambda m: m.tokens)):
        most = left // (len(newest) - number)
        if message.tokens > most:
            break
        left -= message.tokens
    return [m if m.tokens <= most else _shortened(m, most) for m in newest]


def _shortened(message: Message, most: int) -> Message:
    framing = tokens.framing(message)
    content = tokens.shorten(message.content, max(0, most - framing))
    return replace(message, content=content, tokens=framing + tokens.count(content))


def _excerpts(folded: Sequence[Message]) -> list[str]:
    said = (
        f"- {m.name}: {m.content}" if m.name else f"- {m.content}"
        for m in folded
        if m.role == "user"
    )
    return [tokens.shorten(" ".join(text.split()), EXCERPT_TOKENS) for text in said]
