"""How a floor reads the model's stream: as the SDK's manual says, or line by line."""

import json
from collections.abc import AsyncIterator, Callable

import openai

from tests.bench.talk import MODEL

Read = Callable[[str], AsyncIterator[str]]


def reader(kind: str) -> Read:
    """Return what asks the model and yields its words; `default` or `fast`."""
    if kind == "fast":
        return _raw(openai.AsyncOpenAI(http_client=openai.DefaultAioHttpClient()))
    return _typed(openai.AsyncOpenAI())


def _typed(client: openai.AsyncOpenAI) -> Read:
    async def read(question: str) -> AsyncIterator[str]:
        stream = await client.chat.completions.create(
            model=MODEL, messages=[{"role": "user", "content": question}], stream=True
        )
        async for chunk in stream:
            if chunk.choices and chunk.choices[0].delta.content:
                yield chunk.choices[0].delta.content

    return read


def _raw(client: openai.AsyncOpenAI) -> Read:
    async def read(question: str) -> AsyncIterator[str]:
        async with client.chat.completions.with_streaming_response.create(
            model=MODEL, messages=[{"role": "user", "content": question}], stream=True
        ) as response:
            async for line in response.iter_lines():
                if line.startswith("data: {"):
                    choices = json.loads(line[6:])["choices"]
                    if choices and (text := choices[0]["delta"].get("content")):
                        yield text

    return read
