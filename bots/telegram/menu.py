"""The menu of commands that people see in a chat."""

import logging
import math
import time
from collections.abc import Sequence
from typing import Protocol

import telegram

from bots.telegram.transport import seconds
from bots.telegram.updates import reason

log = logging.getLogger(__name__)

SECONDS = 5.0
# Until a menu that could not be set is tried again.
RETRY_SECONDS = 60.0
# Bot API 10.1, setMyCommands: at most 100; BotCommand.description: 1-256 characters.
MOST_COMMANDS = 100
DESCRIPTION_LENGTH = 256


class MenuEntry(Protocol):
    """A command as people see it in the menu."""

    @property
    def name(self) -> str:
        """Its name, without the slash."""

    @property
    def help(self) -> str:
        """What it does, in a few words."""


class Menu:
    """Sets the menu once, when Telegram lets us; it is a nicety that nothing waits for.

    Args:
        bot: The SDK's client.
        commands: The menu; empty leaves it as it is.
    """

    def __init__(self, bot: telegram.Bot, commands: Sequence[MenuEntry]) -> None:
        self._bot = bot
        self._commands = commands
        self._due_at = 0.0 if commands else math.inf

    @property
    def due_in(self) -> float:
        """Seconds until it is to be set; infinite if it is, negative if it is high time."""
        return self._due_at - time.monotonic()

    async def set(self) -> None:
        """Set it if that is due; when it fails for now, it is due again later."""
        if self.due_in > 0:
            return
        menu = [
            telegram.BotCommand(command.name, command.help[:DESCRIPTION_LENGTH])
            for command in self._commands[:MOST_COMMANDS]
        ]
        self._due_at = math.inf
        try:
            await self._bot.set_my_commands(menu, read_timeout=SECONDS)
        except telegram.error.BadRequest as error:
            log.warning("the command menu is not set: %s", reason(error))
        except telegram.error.RetryAfter as error:
            self._due_at = time.monotonic() + seconds(error)
        except telegram.error.TelegramError as error:
            self._due_at = time.monotonic() + RETRY_SECONDS
            log.info("the command menu is not set yet: %s", reason(error))
