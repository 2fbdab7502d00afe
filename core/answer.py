"""One answer of the model: a prompt in, a growing text and its usage out."""

import contextlib
import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace

from core import metrics, tokens
from core.errors import BudgetError, ContextLengthError, ModelError
from core.protocols import ChatModel
from core.tracing import Step
from core.types import Cut, Delta, Message, Purpose, Restart, Usage, Waiting
from core.usage import Purse


@dataclass(frozen=True, slots=True, kw_only=True)
class Prompt:
    """What the model is asked.

    Attributes:
        models: The preferred one, then its fallbacks.
        limit: Most tokens of the reply.
        predicted: Its own size, in reference tokens.
        factor: Tokens of any of the models for a reference token, at most, as far as is known.
    """

    messages: tuple[Message, ...]
    models: Sequence[str]
    limit: int
    predicted: int
    factor: float = 1.0


@dataclass(slots=True, kw_only=True)
class Answer:
    """What has come of a prompt so far; complete when `stream` has returned.

    Attributes:
        purse: What pays; the first call is held already.
        error: Why there is no more; None when it is complete.
        cut: How the model fell short of its end; None if it did not.
        is_complete: The model ended the answer itself.
        is_asked: The model may have begun to work.
        asked_at: When, by `time.monotonic`; 0 once it has said something.
    """

    prompt: Prompt
    purse: Purse
    purpose: Purpose = "chat"
    text: str = ""
    usage: list[Usage] = field(default_factory=list)
    error: ModelError | BudgetError | None = None
    cut: Cut | None = None
    is_complete: bool = False
    is_asked: bool = False
    asked_at: float = 0.0

    async def stream(
        self,
        model: ChatModel,
        show: Callable[[str], None],
        *,
        tell: Callable[[Waiting], None] | None = None,
    ) -> None:
        """Ask the model and call `show` with the whole text whenever it has grown.

        A failure ends in `error`, with what was written kept.

        Args:
            model: Who is asked.
            show: See above.
            tell: Called when there is something to tell of the wait for the model.

        Raises:
            ContextLengthError: The prompt was too long after all; ask again with a shorter one.
        """
        self.is_asked = True
        self.asked_at = time.monotonic()
        with Step("summary" if self.purpose == "summary" else "model") as step:
            try:
                await self._stream(model, show, tell)
            finally:  # what was stopped had its price, too
                if step.span:
                    step.span.note(self._told(), name=f"chat {self.prompt.models[0]}")

    async def _stream(
        self,
        model: ChatModel,
        show: Callable[[str], None],
        tell: Callable[[Waiting], None] | None,
    ) -> None:
        prompt = self.prompt
        events = model.stream(prompt.messages, models=prompt.models, limit=prompt.limit)
        try:
            # Closed at once, so that whoever leaves does not keep others waiting.
            async with contextlib.aclosing(events):
                async for event in events:
                    match event:
                        case Delta(text=text, is_anew=is_anew):
                            if self.asked_at:
                                self._note_first()
                            self.text = text if is_anew else self.text + text
                            show(self.text)
                        case Restart():
                            self.text = ""
                            await self.hold()
                        case Cut():
                            self.cut = event
                        case Waiting():
                            self.is_asked = event.ahead is None
                            self.asked_at = time.monotonic()
                            if tell:
                                tell(event)
                        case _:
                            self._enter(event)
            self.is_complete = True
        except ContextLengthError:
            self.is_asked = False
            raise
        except (ModelError, BudgetError) as error:
            self.error = error

    def _note_first(self) -> None:
        if self.purpose != "summary":
            metrics.observe("first_token", time.monotonic() - self.asked_at)
        self.asked_at = 0.0

    def _told(self) -> dict[str, str | int]:
        """Return what a trace may know of it.

        Named as opentelemetry.io/docs/specs/semconv/gen-ai has it, 2026-11.
        """
        calls = self.spent()
        told: dict[str, str | int] = {
            "gen_ai.operation.name": "chat",
            "gen_ai.request.model": self.prompt.models[0],
            "gen_ai.request.max_tokens": self.prompt.limit,
            "gen_ai.usage.input_tokens": sum(call.input for call in calls),
            "gen_ai.usage.cache_read.input_tokens": sum(call.cached for call in calls),
            "gen_ai.usage.output_tokens": sum(call.output for call in calls),
        }
        if calls:
            told["gen_ai.response.model"] = calls[-1].model
        if self.error:
            told["error.type"] = type(self.error).__name__
        return told

    async def hold(self) -> None:
        """Hold what one more call can cost, beside what the earlier ones have.

        Raises:
            BudgetError: A limit does not allow it.
        """
        prompt = self.prompt
        await self.purse.hold(
            prompt.models,
            prompt=math.ceil(prompt.predicted * prompt.factor),
            reply=prompt.limit,
            spent=self.usage,
        )

    def _enter(self, call: Usage) -> None:
        predicted = 0 if call.is_estimated else self.prompt.predicted
        call = replace(call, purpose=self.purpose, predicted=predicted)
        self.usage.append(self.purse.priced(call))

    def spent(self) -> tuple[Usage, ...]:
        """Return the usage, estimating that of a call that was cut off before it reported."""
        if self.is_complete or self.error or not self.is_asked:
            return tuple(self.usage)
        cut_off = Usage(
            purpose=self.purpose,
            model=self.prompt.models[0],
            input=self.prompt.predicted,
            output=tokens.count(self.text),
            is_estimated=True,
        )
        return (*self.usage, self.purse.priced(cut_off))
