"""The model client: what it sends, and what it makes of sound replies."""

import asyncio

import pytest

from core import tokens
from core.llm import OpenAIChat
from core.types import Cut, Delta, Message, Usage
from tests.core.hearing import (
    MODEL,
    OTHER,
    PROMPT,
    REPLY,
    MakeChat,
    hear,
)
from tests.servers.openai import (
    Limits,
    OpenAIServer,
    Refuse,
    Shape,
    refused,
)


async def test_reply_and_usage(openai_server: OpenAIServer, chat: OpenAIChat) -> None:
    """A reply comes whole, with the provider's own count behind it."""
    heard = await hear(chat)
    assert heard.text == REPLY
    assert heard.restarts == 0
    (request,) = openai_server.requests
    assert heard.usage == [
        Usage(purpose="chat", model=MODEL, input=request.prompt_tokens, output=9)
    ]
    assert request.body == {
        "model": MODEL,
        "messages": [
            {"role": "system", "content": "Be kind."},
            {"role": "user", "content": "Ann Lee: Grüße 🎉"},
        ],
        "stream": True,
        "stream_options": {"include_usage": True},
        "max_completion_tokens": 500,
    }


async def test_pieces_come_as_they_are_sent(openai_server: OpenAIServer, chat: OpenAIChat) -> None:
    """What the server has sent is yielded before it sends more."""
    gate = asyncio.Event()
    openai_server.reply = lambda _: ["first ", "second"]
    openai_server.gate = gate
    stream = chat.stream(PROMPT, models=(MODEL,), limit=9)
    assert await anext(stream) == Delta(text="first ")
    gate.set()
    assert await anext(stream) == Delta(text="second")
    assert isinstance(await anext(stream), Usage)


async def test_cached_tokens_are_reported(chat: OpenAIChat) -> None:
    """The part of a prompt that the provider had cached is told apart."""
    prompt = (Message(role="user", content="one two three four " * 500),)
    await hear(chat, prompt=prompt)
    (usage,) = (await hear(chat, prompt=prompt)).usage
    assert usage.input > usage.cached >= 1_024
    assert usage.cached % 128 == 0


@pytest.mark.parametrize(
    "shape",
    [
        Shape(is_crlf=True),
        Shape(is_commented=True),
        Shape(is_multiline=True),
        Shape(split=1),
        Shape(split=3, is_crlf=True, is_commented=True, is_multiline=True),
        Shape(has_empty_choices=True),
        Shape(is_whole=True),
        Shape(finish="length"),
    ],
    ids=str,
)
async def test_any_framing_reads_the_same(
    openai_server: OpenAIServer, chat: OpenAIChat, shape: Shape
) -> None:
    """However a server cuts and spells its events, the reply is the same."""
    openai_server.fail(shape)
    heard = await hear(chat)
    assert (heard.text, heard.error) == (REPLY, None)
    assert not heard.usage[0].is_estimated
    assert len(openai_server.requests) == 1


async def test_a_huge_chunk(openai_server: OpenAIServer, chat: OpenAIChat) -> None:
    """A megabyte in one chunk arrives whole."""
    text = "ärger " * 200_000
    openai_server.models[MODEL] = Limits(context=10_000_000, output=5_000_000)
    openai_server.reply = lambda _: [text]
    heard = await hear(chat, limit=5_000_000)
    assert heard.text == text


async def test_usage_is_estimated_where_none_is_given(
    openai_server: OpenAIServer, chat: OpenAIChat
) -> None:
    """A server that reports no usage does not escape the ledger."""
    openai_server.fail(Shape(has_usage=False))
    heard = await hear(chat, prompt=(Message(role="user", content="Good morning!"),))
    assert heard.usage == [
        Usage(
            purpose="chat",
            model=MODEL,
            input=openai_server.requests[0].prompt_tokens,
            output=tokens.count(heard.text),
            is_estimated=True,
        )
    ]


@pytest.mark.parametrize(
    ("usage", "expected"),
    [
        ('{"prompt_tokens": 9, "prompt_tokens_details": "none"}', (9, 0, False)),
        ('{"prompt_tokens": 9, "prompt_tokens_details": {"cached_tokens": -1}}', (9, 0, False)),
        ('{"prompt_tokens": null}', (12, 0, True)),
        ('{"prompt_tokens": 1' + "0" * 30 + "}", (12, 0, True)),
        ("[1]", (12, 0, True)),
    ],
)
async def test_odd_usage_costs_no_answer(
    openai_server: OpenAIServer, chat: OpenAIChat, usage: str, expected: tuple[int, int, bool]
) -> None:
    """What cannot be a number of tokens is none; without any, usage is estimated."""
    chunk = '{"choices": [{"delta": {"content": "Hi", "refusal": 7}, "finish_reason": "stop"}]'
    body = f'data: {chunk}, "usage": {usage}}}\n\n'.encode()
    openai_server.fail(Refuse(status=200, body=body, content_type="text/event-stream"))
    heard = await hear(chat, prompt=(Message(role="user", content="Good morning!"),))
    assert (heard.text, heard.error) == ("Hi", None)
    (found,) = heard.usage
    assert (found.input > 0, found.cached, found.is_estimated) == (True, *expected[1:])
    assert found.is_estimated or found.input == expected[0]


async def test_a_server_that_does_not_stream(
    openai_server: OpenAIServer, chat: OpenAIChat
) -> None:
    """A server that answers with one JSON object is understood all the same."""
    message = {"role": "assistant", "content": "All at once."}
    body = {
        "choices": [{"index": 0, "message": message, "finish_reason": "stop"}],
        "usage": {"prompt_tokens": 5, "completion_tokens": None, "prompt_tokens_details": None},
    }
    openai_server.fail(Refuse(status=200, body=body))
    heard = await hear(chat)
    assert heard.text == "All at once."
    assert heard.usage == [Usage(purpose="chat", model=MODEL, input=5)]


async def test_refused_parameters_are_remembered(
    openai_server: OpenAIServer, chat: OpenAIChat
) -> None:
    """A server that does not take a parameter is asked without it, from then on at once."""
    await hear(chat, "old-server")
    heard = await hear(chat, "old-server")
    assert heard.text == REPLY
    sent = [sorted(request.body) for request in openai_server.requests]
    plain = ["max_tokens", "messages", "model", "stream"]
    assert len(sent) == 3
    assert sent[1:] == [plain, plain]
    assert openai_server.requests[-1].body["max_tokens"] == 500


@pytest.mark.parametrize("name", ["max_tokens", "temperature"])
async def test_a_parameter_is_given_up_but_once(
    openai_server: OpenAIServer, make_chat: MakeChat, name: str
) -> None:
    """A server that refuses everything ends in a sentence, not in a loop."""
    chat = make_chat(temperature=0.2)
    text = f"Unsupported parameter: '{name}' is not supported with this model."
    openai_server.fail(refused(400, text), times=None)
    heard = await hear(chat)
    assert "does not understand" in str(heard.error)
    assert len(openai_server.requests) == 2


async def test_temperature(openai_server: OpenAIServer, make_chat: MakeChat) -> None:
    """A temperature is sent where it is set, and left out for models that refuse it."""
    chat = make_chat(temperature=0.2)
    await hear(chat, OTHER)
    await hear(chat, MODEL)
    await hear(chat, MODEL)
    sent = [request.body.get("temperature") for request in openai_server.requests]
    assert sent == [0.2, 0.2, None, None]


async def test_content_in_parts_is_an_answer(
    openai_server: OpenAIServer, chat: OpenAIChat
) -> None:
    """Some servers answer with a list of parts, of which texts are read."""
    parts = [{"type": "text", "text": "In "}, {"type": "image"}, "x", {"text": "parts."}]
    choice = {"message": {"content": parts}, "finish_reason": "stop"}
    openai_server.fail(Refuse(status=200, body={"choices": [choice]}))
    assert (await hear(chat)).text == "In parts."


@pytest.mark.parametrize(("finish", "is_blocked"), [("length", False), ("content_filter", True)])
async def test_an_answer_that_was_cut_says_so(
    openai_server: OpenAIServer, chat: OpenAIChat, finish: str, *, is_blocked: bool
) -> None:
    """The words that came stand, and that there should have been more is told."""
    openai_server.fail(Shape(finish=finish))
    heard = await hear(chat)
    assert (heard.text, heard.error) == (REPLY, None)
    assert Cut(is_blocked=is_blocked) in heard.events


async def test_a_refusal_is_an_answer(openai_server: OpenAIServer, chat: OpenAIChat) -> None:
    """A model that refuses is quoted."""
    openai_server.fail(Shape(refusal="I would rather not."))
    heard = await hear(chat)
    assert (heard.text, heard.error) == ("I would rather not.", None)
