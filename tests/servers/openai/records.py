"""What the loopback server remembers of each request."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(slots=True, kw_only=True)
class Request:
    """A request as it came in, and what became of it.

    Attributes:
        path: Below /v1, such as "/chat/completions".
        body: The JSON body, or the form's fields.
        headers: Without the key; names in lower case.
        port: The client's, so that requests over the same connection share it.
        at: When it had arrived whole, on the monotonic clock, as all times here.
        audio: The uploaded file, for speech.
        file_name: Its name.
        seconds: Its length.
        status: Of the answer; 0 when none was given.
        sent: Pieces of the reply that went out.
        first_token_at: When the first went out; 0 if none did.
        last_token_at: When the last did.
        is_cut: The client left before the end.
        is_done: The answer was given to its end.
    """

    path: str
    body: dict[str, Any]
    headers: Mapping[str, str]
    port: int
    at: float
    audio: bytes = b""
    file_name: str = ""
    seconds: float = 0.0
    prompt_tokens: int = 0
    cached_tokens: int = 0
    status: int = 0
    sent: list[str] = field(default_factory=list)
    first_token_at: float = 0.0
    last_token_at: float = 0.0
    is_cut: bool = False
    is_done: bool = False

    @property
    def model(self) -> str:
        """Name of the model asked for."""
        return str(self.body.get("model", ""))

    @property
    def texts(self) -> list[tuple[str, str]]:
        """Role and text of each message."""
        return [
            (message["role"], text_of(message.get("content")))
            for message in self.body.get("messages", ())
        ]


def text_of(content: object) -> str:
    """Return the text of a message's content: a string, or the text parts of a list."""
    if isinstance(content, str):
        return content
    if not isinstance(content, list):
        return ""
    return "".join(part.get("text", "") for part in content if part.get("type") == "text")
