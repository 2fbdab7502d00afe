"""CPU per streamed chunk: our reading of a reply beside the SDK's typed stream.

Run as `python -m tests.bench.sse`. The server runs in a process of its own, so that only the
client is measured.
"""

import asyncio
import multiprocessing
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from multiprocessing.connection import Connection

import openai

from core.llm import OpenAIChat
from core.types import Delta, Message
from tests.servers.openai import OpenAIServer

CHATS = 20
CHUNKS = 200
DELAY_SECONDS = 0.002
MODEL = "gpt-5.4-mini"
Read = Callable[[], Awaitable[int]]


async def _serve(pipe: Connection) -> None:
    async with OpenAIServer(is_exact=False) as server:
        server.reply = lambda _: ["word "] * CHUNKS
        server.chunk_delay = DELAY_SECONDS
        pipe.send((server.url, server.key))
        await asyncio.to_thread(pipe.recv)


def _run_server(pipe: Connection) -> None:
    asyncio.run(_serve(pipe))


async def _measure(read: Read) -> float:
    """Return the microseconds of CPU per chunk when many replies stream at once."""
    await read()
    start = time.process_time()
    lengths = await asyncio.gather(*(read() for _ in range(CHATS)))
    seconds = time.process_time() - start
    if lengths != [5 * CHUNKS] * CHATS:
        raise RuntimeError(f"replies are not whole: {lengths}")
    return seconds / (CHATS * CHUNKS) * 1e6


@asynccontextmanager
async def _ours(url: str, key: str) -> AsyncIterator[Read]:
    chat = OpenAIChat(key=key, base_url=url)
    prompt = (Message(role="user", content="Hello", tokens=1),)

    async def read() -> int:
        events = chat.stream(prompt, models=(MODEL,), limit=1_000)
        return sum([len(event.text) async for event in events if isinstance(event, Delta)])

    yield read
    await chat.close()


@asynccontextmanager
async def _typed(url: str, key: str, *, is_aiohttp: bool) -> AsyncIterator[Read]:
    http = openai.DefaultAioHttpClient() if is_aiohttp else openai.DefaultAsyncHttpxClient()
    client = openai.AsyncOpenAI(api_key=key, base_url=url, http_client=http)

    async def read() -> int:
        length = 0
        stream = await client.chat.completions.create(
            model=MODEL, messages=[{"role": "user", "content": "Hello"}], stream=True
        )
        async for chunk in stream:
            if chunk.choices:
                length += len(chunk.choices[0].delta.content or "")
        return length

    yield read
    await client.close()


async def _bench(url: str, key: str) -> None:
    async with (
        _ours(url, key) as ours,
        _typed(url, key, is_aiohttp=True) as typed,
        _typed(url, key, is_aiohttp=False) as default,
    ):
        base = await _measure(ours)
        sys.stdout.write(f"our reading, aiohttp      {base:7.1f} us a chunk\n")
        for name, read in (("typed stream, aiohttp", typed), ("typed stream, default", default)):
            cost = await _measure(read)
            sys.stdout.write(f"{name:25} {cost:7.1f} us a chunk  {cost / base:5.1f} x ours\n")


def main() -> None:
    """Measure and print."""
    here, there = multiprocessing.Pipe()
    server = multiprocessing.get_context("spawn").Process(target=_run_server, args=(there,))
    server.start()
    try:
        asyncio.run(_bench(*here.recv()))
    finally:
        here.send(None)
        server.join()


if __name__ == "__main__":
    main()
