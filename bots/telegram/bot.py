"""Telegram: one `core.protocols.Bot`."""

from collections.abc import Sequence
from types import TracebackType
from typing import Self

import telegram

from bots import live
from bots.telegram.menu import Menu, MenuEntry
from bots.telegram.polling import Polling
from bots.telegram.registration import Hook
from bots.telegram.screen import Notes, TelegramScreen
from bots.telegram.transport import AiohttpRequest, seconds
from bots.telegram.webhook import Webhook
from core.errors import DeliveryError, FetchError
from core.protocols import Inbox
from core.reply import Reply
from core.types import Document, Voice

# Bot API 10.1, getFile: "bots can download files of up to 20MB in size"; 20 << 20 in the
# open-source server, 2026-11.
LARGEST_FILE = 20 << 20
# "Bots FAQ", core.telegram.org/bots/faq, 2026-11: about one message a second in a chat, and
# 20 a minute in a group. Edits count.
PRIVATE_PACE = live.Pace(edit=1.2)
GROUP_PACE = live.Pace(edit=3.0)

_UNREACHABLE = "Telegram does not hand out the file right now."
_LOCAL = (
    "I cannot fetch this file: my Bot API server keeps files to itself. Whoever runs this bot has "
    "to start that server without --local."
)
_EXPIRED = "Telegram does not hand out this file any more; please send it again."


class TelegramBot:
    """Serves one bot account; see `core.protocols.Bot`.

    Args:
        token: From @BotFather.
        api_url: Root of the Bot API server, such as https://api.telegram.org.
        proxy: URL of an HTTP proxy; None means the one the system names, if any.
        hook: Where Telegram posts updates to; None: we ask for them.
        commands: All that there are; empty leaves the menus as they are.
        owners: Ids of who is shown all of them, of whatever platform.
        private_pace: How often previews may call in a private chat.
        group_pace: The same in a group.
        pause: Seconds to wait when polling or storing has failed; they double up to 30.
        largest_file: Bytes; more are not fetched.
    """

    name = "telegram"

    def __init__(  # noqa: PLR0913 - settings, all named, most with a default
        self,
        *,
        token: str,
        api_url: str,
        proxy: str | None = None,
        hook: Hook | None = None,
        commands: Sequence[MenuEntry] = (),
        owners: Sequence[str] = (),
        private_pace: live.Pace = PRIVATE_PACE,
        group_pace: live.Pace = GROUP_PACE,
        pause: float = 1.0,
        largest_file: int = LARGEST_FILE,
    ) -> None:
        root = api_url.rstrip("/")
        self._request = AiohttpRequest(proxy=proxy)
        self._bot = telegram.Bot(
            token,
            base_url=f"{root}/bot",
            base_file_url=f"{root}/file/bot",
            request=self._request,
            get_updates_request=self._request,
        )
        # Two that ask take updates from each other; any number may be posted to.
        self.claim = "" if hook else self.name
        self._hook = hook
        self._menu = Menu(self._bot, commands, owners)
        self._paces = {True: private_pace, False: group_pace}
        self._pause = pause
        self._largest_file = largest_file
        self._notes = Notes()
        self._listening: Polling | Webhook | None = None

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.close()

    async def close(self) -> None:
        """Close all connections."""
        await self._request.shutdown()

    async def listen(self, inbox: Inbox) -> None:
        """Hand every message to `inbox` until cancelled.

        Raises:
            SettingsError: The token is refused, or what is set about the webhook.
        """
        if self._hook:
            hook = Webhook(self._bot, self._hook, menu=self._menu, pause=self._pause)
            self._listening = hook
            return await hook.run(inbox)
        polling = Polling(self._bot, self._request, menu=self._menu, pause=self._pause)
        self._listening = polling
        return await polling.run(inbox)

    @property
    def is_listening(self) -> bool:
        """Whether what people write is heard now."""
        return self._listening is not None and self._listening.is_listening

    async def deliver(self, reply: Reply) -> None:
        """Show `reply` in its chat.

        A message whose confirmation was lost on its way to us is sent again, so that it may
        appear twice; an edit never does.

        Raises:
            DeliveryError: The final text does not stand yet; to be called again with it.
            GoneError: It never will.
        """
        pace = self._paces[reply.chat.is_private]
        await live.show(reply, TelegramScreen(self._bot, reply, notes=self._notes, pace=pace))

    async def fetch(self, file: Voice | Document) -> bytes:
        """Return a file's bytes.

        Raises:
            FetchError: It is too large for bots, or expired.
            DeliveryError: Not now.
        """
        if file.size is not None and file.size > self._largest_file:
            raise FetchError(self._too_large())
        try:
            found = await self._bot.get_file(file.ref)
            return await self._download(found.file_path or "")
        except telegram.error.RetryAfter as error:
            raise DeliveryError(_UNREACHABLE, retry_after=seconds(error)) from None
        except telegram.error.BadRequest as error:
            if "too big" in error.message.lower():
                raise FetchError(self._too_large()) from None
            if "temporarily" in error.message.lower():
                raise DeliveryError(_UNREACHABLE) from None
            raise FetchError(_EXPIRED) from None
        except telegram.error.TelegramError:
            raise DeliveryError(_UNREACHABLE) from None

    async def _download(self, url: str) -> bytes:
        """Fetch a file; a local Bot API server that names a path instead is of no use here."""
        if not url.startswith(("http://", "https://")):
            raise FetchError(_LOCAL)
        return await self._request.download(url, most=self._largest_file)

    def _too_large(self) -> str:
        return (
            f"This file is too large: bots can fetch at most {self._largest_file >> 20} MB "
            "from Telegram."
        )
