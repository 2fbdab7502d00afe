"""One answer of the model: a prompt in, a growing text and its usage out."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace

from core import tokens
from core.errors import ContextLengthError, ModelError
from core.protocols import ChatModel
from core.types import Cut, Delta, Message, Purpose, Restart, Usage


@dataclass(frozen=True, slots=True, kw_only=True)
class Prompt:
    """What the model is asked.

    Attributes:
        models: The preferred one, then its fallbacks.
        limit: Most tokens of the reply.
        predicted: Its own size, in reference tokens.
    """

    messages: tuple[Message, ...]
    models: Sequence[str]
    limit: int
    predicted: int


@dataclass(slots=True, kw_only=True)
class Answer:
    """What has come of a prompt so far; complete when `stream` has returned.

    Attributes:
        error: Why there is no more; None when it is complete.
        cut: How the model fell short of its end; None if it did not.
        is_complete: The model ended the answer itself.
        is_asked: The model may have begun to work.
    """

    prompt: Prompt
    purpose: Purpose = "chat"
    text: str = ""
    usage: list[Usage] = field(default_factory=list)
    error: ModelError | None = None
    cut: Cut | None = None
    is_complete: bool = False
    is_asked: bool = False

    async def stream(self, model: ChatModel, show: Callable[[str], None]) -> None:
        """Ask the model and call `show` with the whole text whenever it has grown.

        A failure ends in `error`, with what was written kept.

        Raises:
            ContextLengthError: The prompt was too long after all; ask again with a shorter one.
        """
        prompt = self.prompt
        self.is_asked = True
        try:
            async for event in model.stream(
                prompt.messages, models=prompt.models, limit=prompt.limit
            ):
                match event:
                    case Delta(text=text):
                        self.text += text
                        show(self.text)
                    case Restart():
                        self.text = ""
                    case Cut():
                        self.cut = event
                    case _:
                        self._enter(event)
            self.is_complete = True
        except ContextLengthError:
            self.is_asked = False
            raise
        except ModelError as error:
            self.error = error

    def _enter(self, call: Usage) -> None:
        predicted = 0 if call.is_estimated else self.prompt.predicted
        self.usage.append(replace(call, purpose=self.purpose, predicted=predicted))

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
        return (*self.usage, cut_off)
