"""How a prompt is worded for the model."""

from collections.abc import Sequence
from itertools import dropwhile

from core.types import Message


def sent(prompt: Sequence[Message], *, takes_system: bool = True) -> list[dict[str, str]]:
    """Return the messages as they are sent: what the system says is one, at the beginning.

    The templates of many open models refuse a second one (Qwen 3.5 to 3.8, Mistral, Llama 2;
    2026-11), and some even one (Gemma 2, Mistral 7B).

    Args:
        prompt: What the system says, then questions and answers.
        takes_system: Else it stands above the first question.
    """
    told = "\n\n".join(message.content for message in prompt if message.role == "system")
    said = [
        {"role": message.role, "content": worded(message)}
        for message in dropwhile(lambda message: message.role == "system", prompt)
    ]
    if told and takes_system:
        return [{"role": "system", "content": told}, *said]
    if told:
        said[0]["content"] = f"{told}\n\n{said[0]['content']}"
    return said


def worded(message: Message) -> str:
    """Return the content as the model reads it: what people say begins with their name.

    The API's own field for names takes neither blanks nor most scripts, and other servers
    ignore it; so the name goes into the text. `core.tokens` counts it as such.
    """
    if message.role == "user" and message.name:
        return f"{message.name}: {message.content}"
    return message.content
