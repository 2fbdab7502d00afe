"""What chat templates of open models refuse: tokenizer_config.json of each, 2026-11."""

from collections.abc import Callable, Sequence
from typing import Any

Messages = Sequence[dict[str, Any]]
# Returns what the template raises; empty where it takes the messages.
Template = Callable[[Messages], str]


def lenient(_: Messages) -> str:
    """Take anything, as ChatML does."""
    return ""


def qwen(messages: Messages) -> str:
    """Take one system message, at the beginning (Qwen 3.5 and later)."""
    if any(message["role"] == "system" for message in messages[1:]):
        return "System message must be at the beginning."
    return ""


def mistral(messages: Messages) -> str:
    """Take one system message, then users and assistants in turn (Mistral 7B v0.3)."""
    roles = [message["role"] for message in messages]
    said = roles[1:] if roles[0] == "system" else roles
    if any(role != ("user", "assistant")[at % 2] for at, role in enumerate(said)):
        return (
            "After the optional system message, conversation roles must alternate "
            "user/assistant/user/assistant/..."
        )
    return ""


def gemma(messages: Messages) -> str:
    """Take no system message, and users and assistants in turn (Gemma 2)."""
    if messages[0]["role"] == "system":
        return "System role not supported"
    return mistral(messages)
