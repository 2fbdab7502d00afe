"""A gateway connection that is read only as fast as what it brings can be stored."""

import asyncio
from collections.abc import Callable

import aiohttp
import discord

SECONDS = 0.02


def hold_back(client: discord.Client, *, until: Callable[[], bool]) -> None:
    """Let a client read its connection only while a condition holds.

    What is not read waits at Discord. If that lasts for more than a minute, the SDK gives the
    connection up, and resumes the session from the last event that it has read.

    Args:
        client: Not connected yet.
        until: Says whether there is room for more.
    """
    connect = client.http.ws_connect

    async def held_back(url: str, *, compress: int = 0) -> aiohttp.ClientWebSocketResponse:
        socket = await connect(url, compress=compress)
        receive = socket.receive

        async def receive_later(timeout: float | None = None) -> aiohttp.WSMessage:  # noqa: ASYNC109
            await asyncio.sleep(0)  # for what was read last, each event of which has a task
            while not until():  # noqa: ASYNC110 - rare, and nothing to wake us is simpler
                await asyncio.sleep(SECONDS)
            return await receive(timeout)

        socket.receive = receive_later  # type: ignore[method-assign]
        return socket

    # The SDK has no public way to be slowed down; a test holds this one.
    client.http.ws_connect = held_back  # type: ignore[method-assign]
