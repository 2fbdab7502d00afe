"""A turn that is being answered, and what has come of it so far."""

import time
from dataclasses import dataclass, field

from core.answer import Answer
from core.errors import BudgetError
from core.markdown import with_end
from core.memory import Recalled, weighed
from core.reply import Reply
from core.types import Ending, Lease, Message, Outcome, Turn, Usage, Waiting
from core.usage import Purse, dollars


@dataclass(slots=True, kw_only=True)
class Working:
    """A turn that is being answered.

    Attributes:
        purse: What pays for it.
        lead: What stands above the model's words: what was heard, a note.
        below: What stands below them.
        has_footer: Whether a line tells what the answer cost.
        asked: What to remember of the question; None for nothing.
        replaces: A turn that this one answers anew.
        began: When it was taken up, by `time.monotonic`.
    """

    lease: Lease
    turn: Turn
    reply: Reply
    purse: Purse
    lead: str = ""
    below: str = ""
    has_footer: bool = False
    asked: Message | None = None
    replaces: int | None = None
    answer: Answer | None = None
    recalled: Recalled | None = None
    began: float = field(default_factory=time.monotonic)

    def show(self, text: str) -> None:
        """Let the reply grow to `text`, below what stands above it."""
        self.reply.grow(self.lead + text)

    def tell(self, waiting: Waiting) -> None:
        """Tell of a long wait for the model, until the reply grows."""
        if waiting.is_long:
            place = f"{waiting.ahead} ahead of you" if waiting.ahead else "you are next"
            self.reply.note(f"{self.lead}⏳ *Waiting for the model: {place}*")

    async def outcome(self) -> Outcome:
        """Return what the turn has come to, be it complete, broken off or stopped."""
        answer = self.answer
        if answer is None:
            return Outcome(usage=self.spent())
        text = answer.text.strip()
        history: tuple[Message, ...] = ()
        if text and self.asked and not self.turn.state.is_off_record:
            said = Message(role="assistant", content=text)
            history = (self.asked, await weighed(said))
        shown = self.lead + text if text else ""
        footer = self._footer() if text and self.has_footer else ""
        note = "\n\n".join(filter(None, (_note(answer), self.below, footer)))
        if note:
            shown = "\n\n".join(filter(None, (with_end(shown) or self.lead.strip(), note)))
        return Outcome(
            text=shown,
            history=history,
            usage=self.spent(),
            replaces=self.replaces if history else None,
            ending=_ending(answer),
        )

    def spent(self) -> tuple[Usage, ...]:
        """Return every call that is to be entered with the turn."""
        return (*self.purse.paid, *(self.answer.spent() if self.answer else ()))

    def _footer(self) -> str:
        """Return a line with the tokens, the cost and what is left of the narrowest limit."""
        calls = self.spent()
        words = [f"{sum(call.tokens for call in calls):,} tokens"]
        costs = [call.cost for call in calls]
        if costs and None not in costs:
            words.append(dollars(sum(cost or 0 for cost in costs)))
        if left := self.purse.left(calls):
            words.append(left)
        return f"*{' · '.join(words)}*"


def _ending(answer: Answer) -> Ending:
    if isinstance(answer.error, BudgetError):
        return "refused"
    return "failed" if answer.error else "answered"


def _note(answer: Answer) -> str:
    """Return what to say below an answer that did not come to its end."""
    if answer.error:
        return f"⚠️ {answer.error}"
    if not answer.cut:
        return ""
    if answer.cut.is_blocked:
        return "✂️ *The model's provider blocked the rest of this answer.*"
    return '✂️ *This answer reached its length limit; write "go on" for the rest.*'
