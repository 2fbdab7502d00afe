"""Fixtures of the tests of core."""

import contextlib
from collections.abc import AsyncIterator

import pytest

from core.llm import OpenAIChat
from tests.core.hearing import MakeChat
from tests.servers.openai import OpenAIServer


@pytest.fixture
async def make_chat(openai_server: OpenAIServer) -> AsyncIterator[MakeChat]:
    """Return what makes a client of the loopback server: patient for 0.3 s, quick to retry."""
    async with contextlib.AsyncExitStack() as stack:

        def make(**options: object) -> OpenAIChat:
            wanted = {
                "key": openai_server.key,
                "base_url": openai_server.url,
                "read_seconds": 0.3,
                "backoff_seconds": 0.001,
            }
            chat = OpenAIChat(**(wanted | options))  # type: ignore[arg-type]
            stack.push_async_callback(chat.close)
            return chat

        yield make


@pytest.fixture
def chat(make_chat: MakeChat) -> OpenAIChat:
    """A client of the loopback server."""
    return make_chat()
