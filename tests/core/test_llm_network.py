"""The model client's connections: hanging up, sharing, proxies, secrets."""

import asyncio
import logging
import re
from collections.abc import AsyncIterator
from dataclasses import dataclass, field

import pytest

from core.llm import OpenAIChat
from core.types import Delta, Message
from tests.core.hearing import (
    MODEL,
    PROMPT,
    REPLY,
    UNREACHABLE,
    MakeChat,
    hear,
)
from tests.servers.openai import (
    OpenAIServer,
)
from tests.servers.openai.limits import Limits


@pytest.mark.parametrize("is_silent", [True, False])
async def test_a_cancelled_stream_hangs_up(
    openai_server: OpenAIServer, chat: OpenAIChat, *, is_silent: bool
) -> None:
    """The server sees at once that nobody listens any more."""
    openai_server.reply = lambda _: "x" * 40_000
    openai_server.first_token_delay = 60 if is_silent else 0
    openai_server.chunk_delay = 0.01
    reading = asyncio.create_task(hear(chat))
    await openai_server.until(
        lambda: openai_server.requests and (is_silent or openai_server.requests[0].sent)
    )
    reading.cancel()
    with pytest.raises(asyncio.CancelledError):
        await reading
    await openai_server.until(lambda: openai_server.requests[0].is_cut)


async def test_a_closed_stream_hangs_up(openai_server: OpenAIServer, chat: OpenAIChat) -> None:
    """A reader that leaves closes the connection; the client serves on."""
    openai_server.chunk_delay = 0.01
    stream = chat.stream(PROMPT, models=(MODEL,), limit=50)
    assert isinstance(await anext(stream), Delta)
    await stream.aclose()
    await openai_server.until(lambda: openai_server.requests[0].is_cut)
    assert (await hear(chat)).text == REPLY


async def test_connections_are_kept(openai_server: OpenAIServer, chat: OpenAIChat) -> None:
    """Replies that follow each other share a connection."""
    for _ in range(3):
        await hear(chat)
    assert len({request.port for request in openai_server.requests}) == 1


async def test_many_streams_at_once(openai_server: OpenAIServer, make_chat: MakeChat) -> None:
    """Two hundred chats are answered at the same time."""
    chat = make_chat(first_seconds=60, read_seconds=60)
    openai_server.gate = asyncio.Event()
    replies = [asyncio.create_task(hear(chat)) for _ in range(200)]
    await openai_server.until(lambda: openai_server.peak == 200)
    openai_server.gate.set()
    assert {heard.text for heard in await asyncio.gather(*replies)} == {REPLY}


async def test_a_server_without_a_key() -> None:
    """A server that wants no key is asked without one."""
    async with OpenAIServer(key="") as server:
        chat = OpenAIChat(base_url=server.url)
        assert (await hear(chat)).text == REPLY
        await chat.close()
        assert (await hear(chat)).text == REPLY
        await chat.close()


async def test_secrets_stay_secret(
    openai_server: OpenAIServer, make_chat: MakeChat, caplog: pytest.LogCaptureFixture
) -> None:
    """Neither key nor text nor the password of a URL reaches a log or a person."""
    caplog.set_level(logging.DEBUG)
    url = openai_server.url.replace("//", "//ann:geheim@")
    chat = make_chat(key="sk-wrong-0123456789", base_url=url)
    heard = await hear(chat)
    told = "".join((str(heard.error), *(entry.getMessage() for entry in caplog.records)))
    assert heard.error
    for secret in ("geheim", "sk-wrong", "6789", "Grüße", "Be kind"):
        assert secret not in told


async def test_openai_account_stays_with_openai(
    openai_server: OpenAIServer, make_chat: MakeChat, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another server is not told which OpenAI account the environment names."""
    monkeypatch.setenv("OPENAI_ORG_ID", "org-mine")
    monkeypatch.setenv("OPENAI_PROJECT_ID", "proj-mine")
    await hear(make_chat())
    assert "mine" not in str(openai_server.requests[0].headers)


@dataclass(slots=True, kw_only=True)
class Proxy:
    """An HTTP proxy on the loopback: forwards plain requests, notes CONNECT and refuses it.

    Attributes:
        ahead: Host and port that it forwards to, whatever is asked for; empty for just that.
    """

    url: str = ""
    ahead: str = ""
    seen: list[str] = field(default_factory=list)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Serve one connection."""
        head = (await reader.readuntil(b"\r\n\r\n")).decode()
        method, target, _ = head.split("\r\n")[0].split()
        self.seen.append(f"{method} {target}")
        if method == "CONNECT":
            writer.write(b"HTTP/1.1 502 Bad Gateway\r\nContent-Length: 0\r\n\r\n")
        else:
            host, port = (self.ahead or target.split("/")[2]).split(":")
            ahead, sink = await asyncio.open_connection(host, int(port))
            sink.write(
                head.replace("HTTP/1.1\r\n", "HTTP/1.1\r\nConnection: close\r\n", 1).encode()
            )
            length = int(head.lower().split("content-length: ")[1].split("\r\n")[0])
            sink.write(await reader.readexactly(length))
            while raw := await ahead.read(65_536):
                writer.write(raw)
            sink.close()
            await sink.wait_closed()
        await writer.drain()
        writer.close()
        await writer.wait_closed()


@pytest.fixture
async def proxy() -> AsyncIterator[Proxy]:
    """A running proxy."""
    proxy = Proxy()
    server = await asyncio.start_server(proxy.serve, "127.0.0.1", 0)
    proxy.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    async with server:
        yield proxy


async def test_a_proxy_is_used(
    openai_server: OpenAIServer, make_chat: MakeChat, proxy: Proxy
) -> None:
    """With a proxy set, everything goes through it."""
    heard = await hear(make_chat(proxy=proxy.url))
    assert heard.text == REPLY
    assert proxy.seen == [f"POST {openai_server.url}/chat/completions"]


async def test_a_proxy_for_https(make_chat: MakeChat, proxy: Proxy) -> None:
    """An encrypted server is asked for by CONNECT: the proxy sees no more than its name."""
    chat = make_chat(base_url="https://models.example/v1", proxy=proxy.url)
    assert UNREACHABLE in str((await hear(chat)).error)
    assert proxy.seen == ["CONNECT models.example:443"] * 3


async def test_the_environments_proxy_is_not_for_this_machine(
    openai_server: OpenAIServer, make_chat: MakeChat, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A server on this machine is asked directly, whatever proxy the environment names."""
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    for name in ("NO_PROXY", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
    assert (await hear(make_chat())).text == REPLY
    local = openai_server.url.replace("127.0.0.1", "localhost")
    assert (await hear(make_chat(base_url=local))).text == REPLY
    assert UNREACHABLE in str((await hear(make_chat(base_url="http://models.example/v1"))).error)


async def test_openai_is_told_which_prompts_begin_alike(
    openai_server: OpenAIServer, make_chat: MakeChat, proxy: Proxy
) -> None:
    """By a hash that stays the same while a chat grows, and says nothing; nobody else is told."""
    proxy.ahead = openai_server.url.split("/")[2]
    own = make_chat(base_url="http://api.openai.com/v1", proxy=proxy.url)
    regional = make_chat(base_url="http://eu.api.openai.com/v1", proxy=proxy.url)
    grown = (*PROMPT, Message(role="assistant", content="Hi"), Message(role="user", content="so"))
    elsewhere = (PROMPT[0], Message(role="user", content="Moin", name="Bob"))
    for chat, prompt in (
        (own, PROMPT),
        (regional, grown),
        (own, elsewhere),
        (make_chat(), PROMPT),
        (make_chat(base_url="http://api.openai.com.example/v1", proxy=proxy.url), PROMPT),
    ):
        assert not (await hear(chat, prompt=prompt)).error
    first, second, third, *others = (
        request.body.get("prompt_cache_key") for request in openai_server.requests
    )
    assert re.fullmatch("[0-9a-f]{32}", str(first))
    assert first == second != third
    assert others == [None, None]


async def test_a_model_that_takes_no_cache_key(
    openai_server: OpenAIServer, make_chat: MakeChat, proxy: Proxy
) -> None:
    """It is asked again without one, and from then on never with one."""
    proxy.ahead = openai_server.url.split("/")[2]
    openai_server.models["gpt-old"] = Limits(refuses=("prompt_cache_key",))
    chat = make_chat(base_url="http://api.openai.com/v1", proxy=proxy.url)
    for _ in range(2):
        assert not (await hear(chat, "gpt-old")).error
    keys = ["prompt_cache_key" in request.body for request in openai_server.requests]
    assert keys == [True, False, False]
