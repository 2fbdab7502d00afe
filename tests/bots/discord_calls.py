"""Steps that the tests of calls to Discord share."""

import asyncio
import time
from collections.abc import Awaitable
from typing import Any

import pytest

from bots.discord.rest import Body, Rest
from bots.discord.ticket import Ticket
from core.errors import DeliveryError
from tests.servers.discord import Channel, DiscordServer, Interaction, User

_COMMAND = {
    "name": "ask",
    "description": "Ask me",
    "integration_types": [0, 1],
    "contexts": [0, 1, 2],
    "options": [{"type": 3, "name": "model", "description": "Which", "autocomplete": True}],
}
HELLO = Body(text="Hello")


def open_rest(server: DiscordServer, **options: Any) -> Rest:
    """Return a client of the server's bot."""
    return Rest(server.token, **{"root": f"{server.url}/api/v10", **options})


async def put_command(rest: Rest, server: DiscordServer) -> None:
    """Make /ask known, whose option `model` suggests."""
    await rest.put_commands(str(server.application_id), [_COMMAND])


async def ask(rest: Rest, channel: Channel, user: User) -> tuple[Interaction, Ticket]:
    """Let somebody use a command; return what that is, and the right to answer."""
    await put_command(rest, channel.server)
    interaction = channel.slash(user, "ask")
    return interaction, Ticket(
        application=str(channel.server.application_id),
        interaction=str(interaction.id),
        token=interaction.token,
        user=str(user.id),
        created_at=int(time.time() * 1000),
    )


async def failure(call: Awaitable[object]) -> DeliveryError:
    """Return why a call cannot be made now."""
    with pytest.raises(DeliveryError) as caught:
        await call
    return caught.value


async def outcomes(calls: list[Awaitable[object]]) -> list[object]:
    """Make calls at once; return what each gave, or its error."""
    return list(await asyncio.gather(*calls, return_exceptions=True))


def failed(found: list[object]) -> list[DeliveryError]:
    """Return the errors among outcomes."""
    return [item for item in found if isinstance(item, DeliveryError)]
