"""The menus of commands that people see: what everybody may use, and in owners' chats all."""

import logging
import math
import re
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
_PERSON = re.compile(r"telegram:(\d+)")


class MenuEntry(Protocol):
    """A command as people see it in the menu."""

    @property
    def name(self) -> str:
        """Its name, without the slash."""

    @property
    def help(self) -> str:
        """What it does, in a few words."""

    @property
    def is_for_owners(self) -> bool:
        """Whether it refuses others."""

    @property
    def is_for_hosts(self) -> bool:
        """Whether it is for who runs a place; whom Telegram does not tell us."""


class Menu:
    """Sets the menus once, when Telegram lets us; they are a nicety that nothing waits for.

    Args:
        bot: The SDK's client.
        commands: All; empty leaves the menus as they are.
        owners: Ids of people, of whatever platform.
    """

    def __init__(
        self, bot: telegram.Bot, commands: Sequence[MenuEntry], owners: Sequence[str]
    ) -> None:
        self._bot = bot
        self._commands = commands
        self._owners = [int(match[1]) for match in map(_PERSON.fullmatch, owners) if match]
        self._due_at = 0.0 if commands else math.inf

    @property
    def due_in(self) -> float:
        """Seconds until they are to be set; infinite if they are, negative if it is high time."""
        return self._due_at - time.monotonic()

    async def set(self) -> None:
        """Set them if that is due; when it fails for now, it is due again later."""
        if self.due_in > 0:
            return
        self._due_at = math.inf
        public = [c for c in self._commands if not (c.is_for_owners or c.is_for_hosts)]
        try:
            await self._set(public)
            for owner in self._owners:
                await self._set_for(owner)
        except telegram.error.BadRequest as error:
            log.warning("the command menu is not set: %s", reason(error))
        except telegram.error.RetryAfter as error:
            self._due_at = time.monotonic() + seconds(error)
        except telegram.error.TelegramError as error:
            self._due_at = time.monotonic() + RETRY_SECONDS
            log.info("the command menu is not set yet: %s", reason(error))

    async def _set_for(self, owner: int) -> None:
        """Show an owner everything, once they have written to the bot."""
        try:
            await self._set(self._commands, telegram.BotCommandScopeChat(owner))
        except (telegram.error.BadRequest, telegram.error.Forbidden) as error:
            log.info("an owner sees the menu of everybody: %s", reason(error))

    async def _set(
        self, commands: Sequence[MenuEntry], scope: telegram.BotCommandScope | None = None
    ) -> None:
        menu = [
            telegram.BotCommand(command.name, command.help[:DESCRIPTION_LENGTH])
            for command in commands[:MOST_COMMANDS]
        ]
        await self._bot.set_my_commands(menu, scope=scope, read_timeout=SECONDS)
