"""A webhook: Telegram posts each update to us and is told 200 only once it is stored.

What is promised:

- An update is confirmed after the inbox has it. If it cannot be stored, Telegram is told 503 and
  sends it again; so nothing is lost while Telegram keeps it (24 hours), whoever of us is asked
  next. What comes again is the same event, which the inbox knows.
- The messages of a chat, and their edits, are stored in order. Telegram sends the updates of a
  chat one after the other: the next only once it was told that we have the one before, however
  many connections and listeners there are (telegram-bot-api, WebhookActor.cpp, send_update and
  on_update_error, with the chat's id as queue; 2026-11; the documentation does not say so). A
  server that sends several of a chat at once has them stored in the order in which they came to
  a listener, but if one of them fails, the next may overtake it.
- Chats do not wait for each other, beyond what the database makes them wait.
"""

import asyncio
import hmac
import logging
from http import HTTPStatus
from weakref import WeakValueDictionary

import telegram
from aiohttp import ClientError, web

from bots.telegram.menu import Menu
from bots.telegram.payload import parse
from bots.telegram.registration import Hook, Registration
from bots.telegram.updates import Found, Pauses, read, store
from bots.web import serve_http
from core.errors import StoreError
from core.protocols import Inbox

log = logging.getLogger(__name__)

# Bot API 10.1, setWebhook.secret_token.
HEADER = "X-Telegram-Bot-Api-Secret-Token"
# More than the longest message with all that it quotes.
LARGEST_UPDATE = 1 << 20
# Telegram waits 60 seconds for an answer (telegram-bot-api, WebhookActor.cpp, 2026-11), and so do
# proxies; what is stored later would be stored beside its own repetition.
STORE_SECONDS = 30.0
# Telegram obeys it; without it the pauses double to two minutes (as above, on_update_error).
RETRY_SECONDS = 2


class Webhook:
    """Brings messages in as Telegram posts them; see `core.protocols.Bot.listen`.

    Args:
        bot: The SDK's client.
        hook: Where Telegram reaches us.
        menu: What is set at the start.
        pause: Seconds after a first failure; they double up to 30.
    """

    def __init__(self, bot: telegram.Bot, hook: Hook, *, menu: Menu, pause: float) -> None:
        self._hook = hook
        self._registration = Registration(bot, hook, menu=menu, pause=pause)
        self._storage = Pauses(pause, "storing telegram's messages")
        self._me: telegram.User | None = None
        self._is_ending = False
        self._storing: set[asyncio.Task[None]] = set()
        self._turns: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()

    @property
    def is_listening(self) -> bool:
        """Whether updates are taken now."""
        return self._me is not None and not self._is_ending

    async def run(self, inbox: Inbox) -> None:
        """Hand every message to `inbox` until cancelled, then end what is being stored.

        The webhook is left in place: what is sent meanwhile waits at Telegram.

        Raises:
            SettingsError: The token is refused, or the URL, or the address cannot be listened on.
        """
        broken: asyncio.Future[None] = asyncio.get_running_loop().create_future()

        async def take(request: web.Request) -> web.Response:
            return await self._take(request, inbox, broken)

        # Proxies may strip any part of the path; the secret says what is Telegram's.
        routes = [web.post("/{path:.*}", take), web.get("/{path:(.*/)?}healthz", self._tell)]
        async with serve_http(
            self._hook.listen,
            routes,
            setting="TELEGRAM_WEBHOOK_LISTEN",
            largest=LARGEST_UPDATE,
            drain=self._hook.drain / 2,
        ):
            keeping = asyncio.create_task(self._keep())
            try:
                await asyncio.wait({keeping, broken}, return_when=asyncio.FIRST_COMPLETED)
                await (broken if broken.done() else keeping)
            finally:
                keeping.cancel()
                broken.cancel()
                await self._drain()
                await asyncio.wait({keeping})

    async def _keep(self) -> None:
        me = await self._registration.introduce()
        self._me = me
        log.info("telegram bot @%s is listening behind its webhook", me.username)
        await self._registration.keep()

    async def _tell(self, _: web.Request) -> web.Response:
        """Tell a proxy whether to send updates here."""
        if self._is_ending:
            return _later("ending")
        return web.Response(text="ok\n") if self._me else _later("starting")

    async def _take(
        self, request: web.Request, inbox: Inbox, broken: "asyncio.Future[None]"
    ) -> web.Response:
        if not self._is_from_telegram(request):
            self._registration.doubt()
            return web.Response(status=HTTPStatus.FORBIDDEN)
        try:
            raw = parse(await request.read())
        except (ValueError, OSError, ClientError):
            return web.Response(status=HTTPStatus.BAD_REQUEST)
        if not isinstance(raw, dict):
            return web.Response(status=HTTPStatus.BAD_REQUEST)
        if self._is_ending or self._me is None:
            return _later("not now")
        message = read(raw, self._me)
        return await self._store(message, inbox, broken) if message else web.Response()

    def _is_from_telegram(self, request: web.Request) -> bool:
        given = request.headers.get(HEADER, "").encode(errors="surrogateescape")
        return hmac.compare_digest(given, self._hook.secret.encode())

    async def _store(
        self, message: Found, inbox: Inbox, broken: "asyncio.Future[None]"
    ) -> web.Response:
        """Answer once a message is stored, or is not; what is no failure of the store is a bug."""
        task = asyncio.create_task(self._in_turn(message, inbox))
        self._storing.add(task)
        task.add_done_callback(self._storing.discard)
        await asyncio.wait({task})
        if task.cancelled():
            return _later("ending")
        error = task.exception()
        if isinstance(error, StoreError):
            self._storage.begin(str(error))
            return _later("not stored")
        if error:
            if not broken.done():
                broken.set_exception(error)
            return web.Response(status=HTTPStatus.INTERNAL_SERVER_ERROR)
        self._storage.end()
        return web.Response()

    async def _in_turn(self, message: Found, inbox: Inbox) -> None:
        """Store a message after those of its chat that came before it."""
        turn = self._turns.setdefault(message.ref, asyncio.Lock())
        try:
            async with asyncio.timeout(STORE_SECONDS), turn:
                await store(message, inbox)
        except TimeoutError:
            raise StoreError("The database does not answer.") from None

    async def _drain(self) -> None:
        self._is_ending = True
        if self._storing:
            await asyncio.wait(self._storing, timeout=self._hook.drain)
        for task in self._storing:
            task.cancel()


def _later(reason: str) -> web.Response:
    return web.Response(
        status=HTTPStatus.SERVICE_UNAVAILABLE,
        text=f"{reason}\n",
        headers={"Retry-After": str(RETRY_SECONDS)},
    )
