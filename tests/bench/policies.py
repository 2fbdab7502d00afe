"""Ways to fit a growing chat into a budget: ours as it was and could be, and the peers'."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from random import Random

from core import memory, tokens
from core.personas import DEFAULT, PERSONAS
from core.types import Message
from tests.bench.billing import Call
from tests.bench.chatter import FACTS, Exchange, Fact

PERSONA = PERSONAS[DEFAULT]
# Notes of a text have so many of its tokens, beside the facts; notes that are written anew
# keep so many of their earlier ones.
GIST, REWRITTEN = 0.08, 0.5
GIST_WORDS = "and so it was talked about as said with what came of it for now "
KEPT = 0.8
LAST_TURNS = 10

# README.md of jakobdylanc/llmcord: "Only using last 25 messages", 2026-11.
LAST_MESSAGES = 25
# bot/openai_helper.py of n3d1117/chatgpt-telegram-bot, 2026-11; its limit of messages is left
# out, which would sum up more often.
SHORT_SUMMARY_CHARACTERS = 700
SHORT_SUMMARY = "Summarize this conversation in 700 characters or less"


def weighed(role: str, content: str) -> Message:
    """Return a message with its tokens."""
    message = Message(role=role, content=content)  # type: ignore[arg-type]
    return replace(message, tokens=tokens.message_tokens(message))


def weight(messages: Sequence[Message]) -> int:
    """Return the tokens of messages."""
    return sum(message.tokens for message in messages)


@dataclass(slots=True, kw_only=True)
class Scribe:
    """Writes notes as a model might, keeping each fact with some probability.

    The same seed has the same luck, whoever asks.

    Attributes:
        kept: The probability that a fact of a chat gets into notes of it.
        carried: That a fact of earlier notes stays when they are written anew.
    """

    kept: float
    carried: float
    seed: int
    _draws: dict[str, int] = field(default_factory=dict)

    def write(self, said: str, *, notes: str = "", limit: int) -> str:
        """Return notes of at most `limit` tokens of a chat, and of earlier notes if there are."""
        found = [
            fact
            for fact in FACTS
            if (fact.key in said and self._is_lucky(fact, self.kept))
            or (fact.key in notes and self._is_lucky(fact, self.carried))
        ]
        text = "".join(f"- {fact.told}\n" for fact in found)
        gist = GIST * tokens.count(said) + REWRITTEN * tokens.count(notes)
        room = min(round(gist), limit - tokens.count(text))
        words = GIST_WORDS * (max(room, 0) // tokens.count(GIST_WORDS) + 1)
        return tokens.shorten(text + tokens.shorten(words, max(room, 0)), limit)

    def _is_lucky(self, fact: Fact, probability: float) -> bool:
        draw = self._draws[fact.key] = self._draws.get(fact.key, 0) + 1
        return Random(f"{self.seed} {fact.key} {draw}").random() < probability


def carried(kept: float) -> float:
    """Return with what probability notes written anew keep a fact that they had.

    A short list that is to be kept whole loses a fifth of what a long chat does.
    """
    return 1 - (1 - kept) / 5


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """What a policy did with a chat.

    Attributes:
        calls: Of the model, in order.
        known: For each turn, how many of the facts told so far were in its prompt.
        recent: For each turn, what share of the last turns before it was in its prompt whole.
        answered: How many questions were asked while the fact was in the prompt.
    """

    calls: Sequence[Call]
    known: Sequence[int]
    recent: Sequence[float]
    answered: int


@dataclass(slots=True, kw_only=True)
class Peer:
    """A policy over a list of messages.

    Attributes:
        budget: Tokens of a prompt.
        notes: Who writes summaries.
        calls: Of the model; summaries are added here by the policy, answers by `run`.
        turn: The turn at hand.
    """

    budget: int
    notes: Scribe
    calls: list[Call] = field(default_factory=list)
    turn: int = 0
    history: list[Message] = field(default_factory=list)
    summary: list[Message] = field(default_factory=list)
    persona: Message = field(default_factory=lambda: weighed("system", PERSONA))

    def prompt(self, asked: Message) -> Sequence[Message]:
        """Return everything."""
        return [self.persona, *self.summary, *self.history, asked]

    def remember(self, asked: Message, said: Message) -> None:
        """Take it in."""
        self.history += [asked, said]

    def summarise(self, messages: Sequence[Message], text: str) -> None:
        """Enter the call that wrote a summary."""
        output = tokens.count(text)
        self.calls.append(Call(turn=self.turn, messages=messages, output=output, is_summary=True))

    def fitting(self, messages: Sequence[Message], room: int) -> list[Message]:
        """Return the newest that fit."""
        kept: list[Message] = []
        for message in reversed(messages):
            room -= message.tokens
            if room < 0:
                break
            kept.insert(0, message)
        return kept

    def room(self, asked: Message) -> int:
        """Return the tokens for the history."""
        fixed = weight([self.persona, *self.summary, asked])
        return self.budget - fixed - tokens.PRIMER_TOKENS

    def shortened(self, asked: Message) -> Message:
        """Return a new message that fits."""
        room = self.budget - weight([self.persona, *self.summary]) - tokens.PRIMER_TOKENS
        if asked.tokens <= room:
            return asked
        return weighed(asked.role, tokens.shorten(asked.content, int(room * memory.LONGEST)))


class FullHistory(Peer):
    """Resends everything, whatever the budget."""


class KeepLast(Peer):
    """Keeps a number of messages, if they fit."""

    def prompt(self, asked: Message) -> Sequence[Message]:
        """Return what is kept."""
        asked = self.shortened(asked)
        last = self.history[-(LAST_MESSAGES - 1) :]
        return [self.persona, *self.fitting(last, self.room(asked)), asked]


class DropOldest(Peer):
    """Leaves the oldest out, turn by turn, so that the rest just fits."""

    def prompt(self, asked: Message) -> Sequence[Message]:
        """Return what is kept."""
        asked = self.shortened(asked)
        return [self.persona, *self.fitting(self.history, self.room(asked)), asked]


class ShortSummary(Peer):
    """Has all of it summed up in 700 characters at the limit, and goes on from there."""

    def prompt(self, asked: Message) -> Sequence[Message]:
        """Return what is kept."""
        asked = self.shortened(asked)
        if weight(self.history) > self.room(asked):
            self._sum_up()
        return [self.persona, *self.fitting(self.history, self.room(asked)), asked]

    def _sum_up(self) -> None:
        said = "\n".join(m.content for m in (self.persona, *self.history))
        question = weighed("user", tokens.shorten(said, self.budget - 32))
        text = self.notes.write(question.content, limit=SHORT_SUMMARY_CHARACTERS)
        text = text[:SHORT_SUMMARY_CHARACTERS]
        self.summarise([weighed("assistant", SHORT_SUMMARY), question], text)
        self.history = [weighed("assistant", text)]


@dataclass(slots=True, kw_only=True)
class Folding(Peer):
    """Folds the older part into notes when the history fills `high` of its room, to `low`.

    With what stands here it is what Causerie did before this study; `core.memory` now adds and
    reuses, with marks of its own.

    Attributes:
        share: Of the budget, for the notes.
        adds: New notes are added to the earlier ones until those fill half of their room;
            else all are written anew each time.
        reuses: The notes are asked for below the messages that the last prompts began with;
            else in a prompt of its own.
    """

    high: float = 0.8
    low: float = 0.4
    share: float = 1 / 8
    adds: bool = False
    reuses: bool = False

    def prompt(self, asked: Message) -> Sequence[Message]:
        """Return what is kept."""
        asked = self.shortened(asked)
        history, room = self.history, self.room(asked)
        if weight(history) > room:
            history = _from_a_question(self.fitting(history, int(room * self.low)))
        return [self.persona, *self.summary, *history, asked]

    def remember(self, asked: Message, said: Message) -> None:
        """Take it in, and fold when there is too much."""
        self.history += [asked, said]
        room = self.budget - weight([self.persona, *self.summary])
        if weight(self.history) > room * self.high:
            kept = _from_a_question(self.fitting(self.history, int(room * self.low)))
            kept = kept or self.fitting(self.history[-2:], int(room * memory.LONGEST))
            self._fold(self.history[: len(self.history) - len(kept)])
            self.history = kept

    def _fold(self, folded: Sequence[Message]) -> None:
        limit = int(self.budget * self.share)
        notes = self.summary[0].content.removeprefix(memory.EARLIER) if self.summary else ""
        said = "\n\n".join(f"{m.role}: {m.content}" for m in folded)
        is_added = self.adds and tokens.count(notes) <= limit // memory.ANEW_SHARE
        if is_added:
            new = self.notes.write(said, limit=limit // memory.STRETCH_SHARE)
        else:
            most = limit // memory.ANEW_SHARE if self.adds else limit
            new = self.notes.write(said, notes=notes, limit=most)
        self.summarise(self._request(notes, said, folded), new)
        text = f"{notes}\n{new}".strip() if is_added else new
        self.summary = [weighed("system", memory.EARLIER + text)]

    def _request(self, notes: str, said: str, folded: Sequence[Message]) -> list[Message]:
        request = memory.SUMMARISE + memory.ADDING + memory.SHORTLY
        if self.reuses:
            above, below = [self.persona, *self.summary], weighed("user", request)
            room = self.budget - weight([*above, below]) - tokens.PRIMER_TOKENS
            return [*above, *memory._told(folded, room), below]
        text = f"{memory.EARLIER}{notes}\n\n{said}" if notes else said
        text = tokens.shorten(text, self.budget - 200)
        return [weighed("system", request), weighed("user", text)]


def _from_a_question(messages: Sequence[Message]) -> list[Message]:
    first = next((i for i, m in enumerate(messages) if m.role == "user"), len(messages))
    return list(messages[first:])


def run(policy: Peer, chat: Sequence[Exchange]) -> Run:
    """Let a policy have a chat."""
    record = Record(calls=policy.calls)
    for exchange in chat:
        policy.turn = exchange.number
        prompt = policy.prompt(weighed("user", exchange.asked))
        said = record.answer(exchange, prompt)
        policy.remember(prompt[-1], said)
    return record.run()


@dataclass(slots=True, kw_only=True)
class Record:
    """Answers prompts, and notes what they hold.

    Attributes:
        calls: Of the model so far.
    """

    calls: list[Call]
    _known: list[int] = field(default_factory=list)
    _recent: list[float] = field(default_factory=list)
    _turns: list[tuple[str, str]] = field(default_factory=list)
    _answered: int = 0

    def answer(self, exchange: Exchange, prompt: Sequence[Message]) -> Message:
        """Return what the model says: also what it is asked for, if the prompt has it."""
        texts = [message.content for message in prompt]
        known = {fact.key for fact in FACTS if any(fact.key in text for text in texts)}
        whole = [asked in texts and said in texts for asked, said in self._turns[-LAST_TURNS:]]
        text = exchange.answer
        if exchange.about and exchange.about.key in known:
            self._answered += 1
            text = f"{exchange.about.told} {text}"
        said = weighed("assistant", text)
        output = said.tokens - tokens.framing(said)
        self.calls.append(Call(turn=exchange.number, messages=prompt, output=output))
        self._known.append(len(known))
        self._recent.append(sum(whole) / len(whole) if whole else 1.0)
        self._turns.append((exchange.asked, text))
        return said

    def run(self) -> Run:
        """Return what was noted."""
        return Run(
            calls=self.calls, known=self._known, recent=self._recent, answered=self._answered
        )
