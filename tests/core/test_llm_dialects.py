"""The model client and servers of open models: what their templates take, how they count."""

import asyncio
import contextlib

import pytest

from core.llm import OpenAIChat
from core.types import Cut, Message
from tests.core.hearing import REPLY, UNREACHABLE, MakeChat, hear
from tests.core.test_llm_loose import DONE, event, said, stream
from tests.servers.openai import Limits, OpenAIServer, Shape, refused
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


@pytest.mark.parametrize("length", [1, 4, 1000])
@pytest.mark.parametrize(
    ("said", "text"),
    [
        ("<think>\nTwo and two?\n</think>\n\nFour.", "Four."),
        ("\n<think>\n\n</think>\n\nFour.", "Four."),
        ("<thinking>Hm.</thinking>Four.", "Four."),
        ("<thought>Hm.</thought>\nFour.", "Four."),
        ("[THINK]Hm.[/THINK]Four.", "Four."),
        ("<seed:think>Hm.</seed:think>Four.", "Four."),
        ("Two and two?\nHm.\n</think>\n\nFour.", "Four."),
        ("\n\n</think>\n\nFour.", "Four."),
        ("Write <think> before </think>.", "Write <think> before </think>."),
        ("Write\n<think>\nand\n</think>\n.", "Write\n<think>\nand\n</think>\n."),
        ("An </think> ends it.", "An </think> ends it."),
        ("<thin>ice</thin>", "<thin>ice</thin>"),
        ("<", "<"),
    ],
)
async def test_thoughts_are_no_part_of_an_answer(
    openai_server: OpenAIServer, chat: OpenAIChat, said: str, text: str, length: int
) -> None:
    """What a model thinks before it answers is left out, wherever its pieces are cut."""
    openai_server.reply = lambda _: said
    openai_server.chunk_length = length
    heard = await hear(chat)
    assert (heard.text.strip(), heard.error) == (text, None)
    assert heard.usage[0].output > 0


async def test_thoughts_without_an_answer_are_none(
    openai_server: OpenAIServer, chat: OpenAIChat
) -> None:
    """A model that only thought is asked again, or there was no room for an answer."""
    openai_server.reply = lambda _: "<think>Two and two? " * 20
    assert "empty answer" in str((await hear(chat)).error)
    openai_server.fail(Shape(finish="length"))
    assert "ran out of room" in str((await hear(chat)).error)


@pytest.mark.parametrize("finish", ["model_length", "max_tokens"])
async def test_an_answer_may_be_cut_by_other_names(
    openai_server: OpenAIServer, chat: OpenAIChat, finish: str
) -> None:
    """Mistral and Anthropic name it their own way, and the person is told all the same."""
    openai_server.fail(Shape(finish=finish))
    heard = await hear(chat)
    assert (heard.text, heard.error) == (REPLY, None)
    assert Cut() in heard.events


@pytest.mark.parametrize("finish", ["error", "insufficient_system_resource"])
async def test_a_server_that_gave_up_is_asked_again(
    openai_server: OpenAIServer, chat: OpenAIChat, finish: str
) -> None:
    """Half an answer is not taken for the whole because a reason to end came with it."""
    openai_server.fail(stream(said("You s"), said("", finish), DONE))
    heard = await hear(chat)
    assert (heard.text, heard.restarts, heard.error) == (REPLY, 1, None)


async def test_what_a_model_thinks_is_paid_for(
    openai_server: OpenAIServer, chat: OpenAIChat
) -> None:
    """Gemini and xAI bill thoughts, but count them in the sum of all tokens only."""
    details = {"reasoning_tokens": 405}
    usage = {"prompt_tokens": 20, "completion_tokens": 198, "total_tokens": 623}
    found = event(choices=[], usage={**usage, "completion_tokens_details": details})
    openai_server.fail(stream(said("Hi.", "stop"), found, DONE))
    (call,) = (await hear(chat)).usage
    assert (call.input, call.output) == (20, 603)


async def test_a_connection_kept_alive_is_not_waited_for_for_ever(make_chat: MakeChat) -> None:
    """A gateway may say that it is busy for a while; then that counts as silence."""
    calls = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        calls.append(asyncio.current_task())
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\n")
        while not writer.is_closing():
            writer.write(b": OPENROUTER PROCESSING\n\n")
            await asyncio.sleep(0.02)
        writer.close()
        with contextlib.suppress(ConnectionError):
            await writer.wait_closed()

    async with await asyncio.start_server(serve, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        chat = make_chat(base_url=f"http://127.0.0.1:{port}/v1", first_seconds=0.1)
        heard = await asyncio.wait_for(hear(chat), 20)
        await asyncio.gather(*(call for call in calls if call))
    assert UNREACHABLE in str(heard.error)
    assert len(calls) == 2
