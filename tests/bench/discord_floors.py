"""Bare relays for Discord of a few lines, without storage, history or formatting.

Both reply at the first token, edit about once a second without the model's waiting for it, and
edit once more at the end, as small bots do. Discord is spoken to as the SDK's manual says; the
model too by `default`, while `fast` reads its lines itself over the transport Causerie uses.
"""

import asyncio
import os
import sys
import time

import discord
import yarl

from tests.bench.reading import Read, reader

EDIT_SECONDS = 1.0


class _Client(discord.Client):
    def __init__(self, read: Read) -> None:
        intents = discord.Intents(guilds=True, guild_messages=True, message_content=True)
        super().__init__(intents=intents)
        self._read = read

    async def on_message(self, message: discord.Message) -> None:
        """Answer whoever mentions the bot."""
        if message.author.bot or self.user not in message.mentions:
            return
        answer, posted, editing, at = "", None, None, 0.0
        async for text in self._read(message.content):
            answer += text
            if posted is None:
                posted, at = await message.reply(answer), time.monotonic()
            elif time.monotonic() - at >= EDIT_SECONDS and (editing is None or editing.done()):
                editing, at = asyncio.create_task(posted.edit(content=answer)), time.monotonic()
        if editing:
            await editing
        if posted:
            await posted.edit(content=answer)


def main(kind: str) -> None:
    """Relay until a signal."""
    discord.http.Route.BASE = os.environ["DISCORD_API_URL"] + "/api/v10"
    gateway = yarl.URL(os.environ["DISCORD_GATEWAY_URL"])
    discord.gateway.DiscordWebSocket.DEFAULT_GATEWAY = gateway
    _Client(reader(kind)).run(os.environ["DISCORD_BOT_TOKEN"])


if __name__ == "__main__":
    main(sys.argv[1])
