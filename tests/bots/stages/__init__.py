"""Every platform as the same stage, on which one contract is played (`tests/bots/test_contract*`).

A new platform is one more entry of STAGES.
"""

from collections.abc import Callable, Mapping
from contextlib import AbstractAsyncContextManager
from functools import partial

from tests.bots.stages import console, discord, telegram
from tests.bots.stages.stage import LARGEST_FILE, TROUBLES, Stage, until

__all__ = ["LARGEST_FILE", "STAGES", "TROUBLES", "Stage", "until"]

STAGES: Mapping[str, Callable[[], AbstractAsyncContextManager[Stage]]] = {
    "telegram-private": telegram.private_chat,
    "telegram-group": telegram.group,
    "telegram-webhook": telegram.webhook,
    "discord-direct": discord.direct,
    "discord-channel": discord.channel,
    "discord-command": discord.command,
    "discord-channel-worker": partial(discord.channel, has_worker=True),
    "discord-command-worker": partial(discord.command, has_worker=True),
    "console": console.terminal,
}
