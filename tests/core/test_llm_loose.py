"""The model client and servers that speak the protocol loosely: what is paid for is shown."""

import asyncio
import json
from typing import Literal

import pytest

from core.llm import OpenAIChat
from core.types import Usage
from tests.core.hearing import REPLY, UNCLEAR, UNREACHABLE, MakeChat, hear
from tests.servers.openai import Break, OpenAIServer, Refuse


def event(**fields: object) -> bytes:
    """Return a chunk as an event."""
    return b"data: " + json.dumps(fields).encode() + b"\n\n"


def said(text: str, finish: object = None) -> bytes:
    """Return a chunk that says something."""
    return event(choices=[{"delta": {"content": text}, "finish_reason": finish}])


USAGE = event(choices=[], usage={"prompt_tokens": 5, "completion_tokens": 2})
DONE = b"data: [DONE]\n\n"


def stream(*events: bytes, content_type: str = "text/event-stream") -> Refuse:
    """Return a stream that comes in one piece."""
    return Refuse(status=200, body=b"".join(events), content_type=content_type)


@pytest.mark.parametrize(
    "events",
    [
        (b"data: [DONE] \n\n",),
        (b"data:  [Done]\n\n",),
        (b"data: [done]\n\n",),
        (b'data: {"usage":\n\n', DONE),
        (b"data: [1]\n\n", DONE),
        (b"data: " + b"[" * 100_000 + b"\n\n", DONE),
        (DONE, b"data: bye\n\n"),
    ],
    ids=lambda events: repr(events[0][:20]),
)
async def test_an_answer_that_stands_is_shown(
    openai_server: OpenAIServer, chat: OpenAIChat, events: tuple[bytes, ...]
) -> None:
    """Nothing that comes after the finish_reason takes away what was said before it."""
    openai_server.fail(stream(said("Hi."), said("", "stop"), *events))
    heard = await hear(chat)
    assert (heard.text, heard.restarts, heard.error) == ("Hi.", 0, None)
    assert len(openai_server.requests) == 1


async def test_a_thought_is_paid_for(openai_server: OpenAIServer, chat: OpenAIChat) -> None:
    """It is no part of the answer, but counts where the server reports no usage."""
    openai_server.fail(stream(said("<think>" + "hm " * 99), said("</think>Hi.", "stop"), DONE))
    heard = await hear(chat)
    assert (heard.text, heard.error) == ("Hi.", None)
    assert heard.usage[0].output > 99


async def test_what_follows_a_malformed_event_counts(
    openai_server: OpenAIServer, chat: OpenAIChat
) -> None:
    """The usage that comes after it is the provider's own."""
    openai_server.fail(stream(said("Hi.", "stop"), b"data: {\n\n", USAGE, DONE))
    assert (await hear(chat)).usage == [
        Usage(purpose="chat", model="gpt-5.4-mini", input=5, output=2)
    ]


@pytest.mark.parametrize(
    "odd", [b"data: {\n\n", b"data: " + b"[" * 100_000 + b"\n\n"], ids=["broken", "deep"]
)
async def test_what_came_before_a_malformed_event_is_shown(
    openai_server: OpenAIServer, chat: OpenAIChat, odd: bytes
) -> None:
    """It stays with the reader until the reply begins anew; what comes after is not read."""
    openai_server.fail(stream(said("Once "), odd, said("more", "stop"), DONE), times=None)
    heard = await hear(chat)
    assert (heard.text, heard.restarts) == ("Once ", 2)
    assert UNCLEAR in str(heard.error)
    openai_server.heal()
    assert (await hear(chat)).text == REPLY


@pytest.mark.parametrize(
    "answer",
    [
        stream(said("Hi "), said("Ann."), DONE),
        stream(said("Hi Ann.", ""), DONE),
        Refuse(status=200, body={"choices": [{"message": {"content": "Hi Ann."}}]}),
        Refuse(
            status=200,
            body={"choices": [{"message": {"content": "Hi Ann."}, "finish_reason": None}]},
        ),
    ],
    ids=["none", "empty", "whole-none", "whole-null"],
)
async def test_an_answer_without_a_finish_reason(
    openai_server: OpenAIServer, chat: OpenAIChat, answer: Refuse
) -> None:
    """It is complete when it has text, and [DONE] came or it came as one object."""
    openai_server.fail(answer)
    heard = await hear(chat)
    assert (heard.text, heard.restarts, heard.error) == ("Hi Ann.", 0, None)
    assert len(openai_server.requests) == 1


@pytest.mark.parametrize(
    "answer",
    [
        stream(said("Hi "), said("Ann.")),
        stream(said(""), DONE),
        stream(DONE),
        Refuse(status=200, body=b'{"choices": [{"message": {"content": "Hi"}}'),
        Refuse(status=200, body={}),
    ],
    ids=["unended", "empty", "done", "half", "nothing"],
)
async def test_what_ends_without_any_sign_is_no_answer(
    openai_server: OpenAIServer, chat: OpenAIChat, answer: Refuse
) -> None:
    """A stream that ends by itself, or says nothing, is asked for again."""
    openai_server.fail(answer)
    heard = await hear(chat)
    assert (heard.text, heard.error) == (REPLY, None)
    assert len(openai_server.requests) == 2


@pytest.mark.parametrize("how", ["reset", "stall"])
async def test_what_breaks_after_done_is_no_matter(
    openai_server: OpenAIServer, chat: OpenAIChat, how: Literal["reset", "stall"]
) -> None:
    """Nor is the end of the connection awaited, where no finish_reason came."""
    openai_server.fail(Break(how=how, after="done", finish=""))
    heard = await hear(chat)
    assert (heard.text, heard.error) == (REPLY, None)
    assert len(openai_server.requests) == 1


@pytest.mark.parametrize("finish", [["stop"], {"type": "stop"}, 7, True], ids=repr)
async def test_a_finish_reason_that_is_no_word_is_none(
    openai_server: OpenAIServer, chat: OpenAIChat, finish: object
) -> None:
    """It is passed over: the answer is complete by [DONE], and broken without it."""
    openai_server.fail(stream(said("Hi.", finish)))
    openai_server.fail(stream(said("Hi.", finish), DONE))
    heard = await hear(chat)
    assert (heard.text, heard.restarts, heard.error) == ("Hi.", 1, None)


@pytest.mark.parametrize(
    "answer",
    [
        b"what do you want?\r\n\r\n",
        b"HTTP/1.1 20 0 OK\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\n\r\nnot zipped",
        b"HTTP/1.1 302 Found\r\nLocation: http://[\r\nContent-Length: 0\r\n\r\n",
    ],
    ids=["words", "status", "chunk", "gzip", "location"],
)
async def test_a_server_that_speaks_no_http(make_chat: MakeChat, answer: bytes) -> None:
    """It is asked again, and then ends in a sentence."""
    asked = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        asked.append(await reader.readuntil(b"\r\n\r\n"))
        writer.write(answer)
        await writer.drain()
        writer.close()

    async with await asyncio.start_server(serve, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        heard = await hear(make_chat(base_url=f"http://127.0.0.1:{port}/v1"))
    assert str(heard.error).endswith("please try again.") or UNREACHABLE in str(heard.error)
    assert len(asked) == 3


async def test_a_first_word_may_take_its_time(
    openai_server: OpenAIServer, make_chat: MakeChat
) -> None:
    """A model may think much longer before it begins than it may fall silent later."""
    chat = make_chat(first_seconds=20, read_seconds=0.2)
    openai_server.first_token_delay = 0.6
    assert (await hear(chat)).text == REPLY
    assert len(openai_server.requests) == 1
    openai_server.fail(Break(how="stall", after=1), times=None)
    heard = await asyncio.wait_for(hear(chat), timeout=15)
    assert UNREACHABLE in str(heard.error)
    assert len(openai_server.requests) == 4


@pytest.mark.parametrize(
    "events",
    [
        (b"data:\n\n", said("Hi"), b"data: \n\n", said(" Ann."), b"data:   \n\n"),
        (b"data:\ndata:\n\n", said("Hi Ann.")),
    ],
    ids=["each", "two"],
)
async def test_a_heartbeat_without_data_says_nothing(
    openai_server: OpenAIServer, chat: OpenAIChat, events: tuple[bytes, ...]
) -> None:
    """An event whose data is blank is passed over."""
    openai_server.fail(stream(*events, said("", "stop"), DONE))
    heard = await hear(chat)
    assert (heard.text, heard.error) == ("Hi Ann.", None)
    assert len(openai_server.requests) == 1


@pytest.mark.parametrize("kind", ["application/json", "application/x-ndjson"])
@pytest.mark.parametrize("start", [b"", b"\n", b": hello\n\n", b"event: message\n"])
async def test_events_labelled_as_json(
    openai_server: OpenAIServer, chat: OpenAIChat, kind: str, start: bytes
) -> None:
    """What does not begin as an object is read as events, whatever it is called."""
    openai_server.fail(stream(start, said("Hi "), said("Ann.", "stop"), DONE, content_type=kind))
    heard = await hear(chat)
    assert (heard.text, heard.error) == ("Hi Ann.", None)
    assert len(openai_server.requests) == 1


@pytest.mark.parametrize("mark", [b"", b"\xef\xbb\xbf", b" \r\n"])
async def test_an_object_may_come_after_a_mark(
    openai_server: OpenAIServer, chat: OpenAIChat, mark: bytes
) -> None:
    """A byte-order mark or white space before it changes nothing."""
    body = mark + b'{"choices": [{"message": {"content": "Hi."}}]}'
    openai_server.fail(Refuse(status=200, body=body))
    assert (await hear(chat)).text == "Hi."
    assert len(openai_server.requests) == 1


async def test_broken_letters_cost_no_answer(
    openai_server: OpenAIServer, chat: OpenAIChat
) -> None:
    """Bytes that are no UTF-8 are replaced, as by a server that cuts a letter in two."""
    halves = [
        b'data: {"choices":[{"delta":{"content":"%b"}}]}\n\n' % raw for raw in (b"a\xc3", b"\xa4b")
    ]
    openai_server.fail(stream(*halves, said("", "stop"), DONE))
    heard = await hear(chat)
    assert (heard.text, heard.error) == ("a\ufffd\ufffdb", None)
    assert len(openai_server.requests) == 1
