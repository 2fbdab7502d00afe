"""The model client and servers of open models: what their templates take, how they count."""

import pytest

from core.llm import OpenAIChat
from core.types import Message
from tests.core.hearing import hear
from tests.servers.openai import Limits, OpenAIServer, refused
from tests.servers.openai.templates import Template, gemma, mistral, qwen

PROMPT = (
    Message(role="system", content="Be kind."),
    Message(role="system", content="Earlier: Ann likes tea."),
    Message(role="user", content="What do I like?", name="Ann"),
    Message(role="assistant", content="Tea."),
    Message(role="user", content="And now?", name="Ann"),
)


@pytest.mark.parametrize("status", [400, 500])
@pytest.mark.parametrize(("template", "asked"), [(qwen, 1), (mistral, 1), (gemma, 2)])
async def test_strict_templates_take_a_prompt_with_a_summary(
    openai_server: OpenAIServer, chat: OpenAIChat, template: Template, asked: int, status: int
) -> None:
    """What the system says is one message; a model that takes none reads it in a question."""
    openai_server.models["open"] = Limits(template=template, template_status=status)
    heard = await hear(chat, "open", prompt=PROMPT)
    assert (heard.text, heard.error) == ("You said: Ann: And now?", None)
    assert len(openai_server.requests) == asked
    told = "Be kind.\n\nEarlier: Ann likes tea."
    assert openai_server.requests[-1].texts[0][1].startswith(told)
    await hear(chat, "open", prompt=PROMPT)
    assert len(openai_server.requests) == asked + 1


@pytest.mark.parametrize(
    "text",
    [
        "Developer instruction is not enabled for models/gemma-3-27b-it",
        "Unsupported value: 'messages[0].role' does not support 'system' with this model.",
        "Conversation roles must alternate user/assistant/user/assistant/...",
        "Only user and assistant roles are supported!",
        "This model doesn't support system messages. Try again without a system message.",
    ],
)
async def test_a_model_that_takes_no_system_message(
    openai_server: OpenAIServer, chat: OpenAIChat, text: str
) -> None:
    """However its server says so, it is asked without one, and just once more."""
    openai_server.fail(refused(400, text), times=2)
    heard = await hear(chat, prompt=PROMPT)
    assert "does not understand" in str(heard.error)
    roles = [[role for role, _ in request.texts] for request in openai_server.requests]
    assert [found[0] for found in roles] == ["system", "user"]


async def test_nothing_is_put_before_a_prompt(
    openai_server: OpenAIServer, chat: OpenAIChat
) -> None:
    """Without a system message, a prompt is sent as it is."""
    await hear(chat, prompt=PROMPT[2:])
    assert [role for role, _ in openai_server.requests[0].texts] == ["user", "assistant", "user"]


@pytest.mark.parametrize(
    ("name", "limits", "sent"),
    [
        ("llama3.2:3b", Limits(), ["max_tokens"]),
        ("gpt-oss:20b", Limits(), ["max_tokens"]),
        ("openai/gpt-5.4", Limits(is_reasoning=True), ["max_completion_tokens"]),
        ("ft:gpt-4o:us", Limits(), ["max_completion_tokens"]),
        # A deployment at Azure has any name.
        ("ours", Limits(is_reasoning=True), ["max_tokens", "max_completion_tokens"]),
        (
            "gpt-5-tiny",
            Limits(refuses=("max_tokens", "max_completion_tokens")),
            ["max_completion_tokens", "max_tokens", ""],
        ),
    ],
)
async def test_the_limit_has_the_name_that_counts(
    openai_server: OpenAIServer, chat: OpenAIChat, name: str, limits: Limits, sent: list[str]
) -> None:
    """Open models' servers ignore the new name without a word, OpenAI's models refuse the old."""
    openai_server.models[name] = limits
    assert (await hear(chat, name)).error is None
    names = ("max_tokens", "max_completion_tokens")
    bodies = [request.body for request in openai_server.requests]
    assert ["+".join(n for n in names if n in body) for body in bodies] == sent
