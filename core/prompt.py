"""How a message is worded for the model."""

from core.types import Message


def worded(message: Message) -> str:
    """Return the content as the model reads it: what people say begins with their name.

    The API's own field for names takes neither blanks nor most scripts, and other servers
    ignore it; so the name goes into the text. `core.tokens` counts it as such.
    """
    if message.role == "user" and message.name:
        return f"{message.name}: {message.content}"
    return message.content
