"""Reading a reply of the model client to its end, for the tests of it."""

from collections.abc import Callable
from dataclasses import dataclass, field

from core.errors import ModelError
from core.llm import OpenAIChat
from core.types import Delta, Message, ModelEvent, Restart, Usage

MODEL = "gpt-5.4-mini"
OTHER = "gpt-4o"
PROMPT = (
    Message(role="system", content="Be kind."),
    Message(role="user", content="Grüße 🎉", name="Ann Lee"),
)
REPLY = "You said: Ann Lee: Grüße 🎉"
BUSY = "very busy"
UNREACHABLE = "cannot be reached"
UNCLEAR = "broke off or was unreadable"
TROUBLE = "has trouble"
QUOTA = "no credit left"
KEY = "does not let us in"
NO_MODEL = "is not available"
MakeChat = Callable[..., OpenAIChat]


@dataclass(slots=True, kw_only=True)
class Heard:
    """What a stream yielded, as a reader would have it."""

    text: str = ""
    restarts: int = 0
    usage: list[Usage] = field(default_factory=list)
    error: ModelError | None = None
    events: list[ModelEvent] = field(default_factory=list)


async def hear(
    chat: OpenAIChat,
    *models: str,
    prompt: tuple[Message, ...] = PROMPT,
    limit: int = 500,
) -> Heard:
    """Read a stream to its end."""
    heard = Heard()
    try:
        async for event in chat.stream(prompt, models=models or (MODEL,), limit=limit):
            heard.events.append(event)
            match event:
                case Delta(text=text, is_anew=is_anew):
                    heard.text = text if is_anew else heard.text + text
                case Restart():
                    heard.text = ""
                    heard.restarts += 1
                case Usage():
                    heard.usage.append(event)
    except ModelError as error:
        heard.error = error
    return heard
