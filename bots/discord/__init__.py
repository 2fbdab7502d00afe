"""Discord as a platform: the gateway brings messages in, plain requests bring answers out."""

import logging

import discord

# It says so at every start, about voice channels, which nothing here uses.
discord.VoiceClient.warn_nacl = discord.VoiceClient.warn_dave = False
# At DEBUG the SDK logs what people write.
logging.getLogger("discord").setLevel(logging.WARNING)
# Our own log says that a connection is gone and when it is back.
logging.getLogger("discord.client").addFilter(
    lambda record: not str(record.msg).startswith("Attempting a reconnect")
)

from bots.discord.bot import DiscordBot  # noqa: E402 - the SDK comes before

__all__ = ["DiscordBot"]
