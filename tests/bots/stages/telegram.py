"""Telegram as a stage: private chats and groups, polled and posted."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from bots.telegram import Hook, TelegramBot
from tests.bots.inbox import Inbox
from tests.bots.stages.stage import LARGEST_FILE, PACE, Fault, Serving, Trouble, lacking
from tests.ports import free_port
from tests.servers.telegram import Chat, TelegramServer
from tests.servers.telegram.params import Upload
from tests.servers.telegram.world import Message, User

_FAULTS: dict[Trouble, dict[str, Any]] = {
    "down": {"status": 500},
    "gateway": {"status": 502, "is_html": True},
    "refused": {"status": 400, "description": "Bad Request: nobody has heard of this"},
    "flood": {"retry_after": 2},  # whole seconds; a single one is waited for on the spot
}


class TelegramStage:
    """A chat of Ann's.

    Args:
        server: Where.
        room: The chat.
        address: What makes the bot read a message there.
        hook: Where the bot is posted to; None: it polls.
    """

    person = "Ann"
    may_double = True  # sendMessage takes no key by which it could be told from another

    def __init__(
        self, server: TelegramServer, room: Chat, *, address: str, hook: Hook | None = None
    ) -> None:
        self.is_private = room.type == "private"
        self.serving = Serving(self._open, is_ready=self._is_ready)
        self._server = server
        self._hook = hook
        self._room = room
        self._ann: User = room.members[0]
        self._address = address
        self._said: Message | None = None

    def _open(self) -> TelegramBot:
        return TelegramBot(
            token=self._server.token,
            api_url=self._server.url,
            hook=self._hook,
            private_pace=PACE,
            group_pace=PACE,
            pause=0.01,
            largest_file=LARGEST_FILE,
        )

    def _is_ready(self, _: Inbox) -> bool:
        methods = {call.method for call in self._server.calls}
        return bool(methods & {"getUpdates", "setWebhook"})

    async def restart(self) -> None:
        """Start another."""
        await self.serving.restart()

    async def say(self, text: str) -> None:
        """Write it, to the bot."""
        self.miss(text)

    async def command(self, name: str, /, **arguments: str) -> None:
        """Type it, for this bot and no other."""
        words = f"/{name}@{self._server.bot.username}", *arguments.values()
        self._said = self._room.say(self._ann, " ".join(words))

    async def send_voice(self, data: bytes, *, size: int | None = None) -> None:
        """Record a voice note."""
        self._said = self._room.say_voice(self._ann, data, size=size, caption=self._address)

    async def send_document(self, name: str, data: bytes) -> None:
        """Attach it."""
        self._said = self._room.say_document(self._ann, data, name=name, caption=self._address)

    def miss(self, text: str) -> None:
        """Write it; Telegram keeps it for the bot."""
        self._said = self._room.say(self._ann, f"{self._address} {text}".lstrip())

    def edit(self, text: str) -> None:
        """Edit it."""
        self._room.edit(self._last, f"{self._address} {text}".lstrip())

    def delete(self) -> None:
        """Skip."""
        lacking("Telegram tells bots of no deletion")

    def delete_quietly(self) -> None:
        """Delete it, of which Telegram tells no bot."""
        self._room.delete(self._last)

    def wipe(self) -> None:
        """Delete for everybody."""
        for message in self._room.answers:
            self._room.delete(message)

    def leave(self) -> None:
        """Block the bot, or throw it out."""
        if self.is_private:
            self._server.block(self._ann)
        else:
            self._server.set_bot_status(self._room, self._ann, "kicked")

    @property
    def standing(self) -> list[str]:
        """Messages."""
        return [message.text or _file(message).name for message in self._room.answers]

    @property
    def shown(self) -> list[str]:
        """Messages and a draft, which only a further message ends before its 30 seconds."""
        return self.standing + ([self._room.draft.text] if self._room.draft else [])

    @property
    def files(self) -> dict[str, bytes]:
        """Uploads."""
        sent = [_file(message) for message in self._room.answers if message.content]
        return {file.name: file.data for file in sent}

    @property
    def pinged(self) -> set[Any]:
        """Skip."""
        lacking("Telegram finds mentions in what bots write, and nothing can keep it from that")

    @property
    def mentions(self) -> str:
        """Mention."""
        return "@ann"

    def strike(self, trouble: Trouble, times: int = 1, /) -> Fault:
        """Strike what is said about the chat, polling spared."""
        if trouble == "held":
            return self._server.hold_next("*", times=times, place=self._room)
        return self._strike("*", trouble, times=times, place=self._room)

    def strike_file(self, trouble: Trouble, times: int, /) -> Fault:
        """Strike downloads."""
        return self._strike("file", trouble, times=times)

    def _strike(self, method: str, trouble: Trouble, **where: Any) -> Fault:
        if trouble in _FAULTS:
            return self._server.fail_next(method, **_FAULTS[trouble], **where)
        return self._server.drop_next(method, is_done=trouble == "lost", **where)

    def pass_day(self) -> None:
        """Let links expire."""
        self._server.expire_links()

    def lose_files(self) -> None:
        """Forget all files."""
        self._server.files.clear()
        self._server.paths.clear()

    @property
    def _last(self) -> Message:
        assert self._said
        return self._said


def _file(message: Message) -> Upload:
    """Return what was uploaded, under the name that only documents keep."""
    found = message.options.get("photo") or message.options["document"]
    assert isinstance(found, Upload)
    return found


@asynccontextmanager
async def private_chat() -> AsyncIterator[TelegramStage]:
    """Ann's private chat."""
    async with TelegramServer() as server:
        room = server.private(server.user("Ann", username="ann"))
        yield TelegramStage(server, room, address="")
        assert server.remarks == []


@asynccontextmanager
async def group() -> AsyncIterator[TelegramStage]:
    """A group with Ann in it, where the bot hears what mentions it."""
    async with TelegramServer() as server:
        room = server.group("Friends", [server.user("Ann", username="ann")])
        yield TelegramStage(server, room, address=f"@{server.bot.username}")
        assert server.remarks == []


@asynccontextmanager
async def webhook() -> AsyncIterator[TelegramStage]:
    """Ann's private chat, from which messages are posted to the bot."""
    port = free_port()
    async with TelegramServer(local=[f"http://127.0.0.1:{port}"]) as server:
        room = server.private(server.user("Ann", username="ann"))
        hook = Hook(
            url="https://bot.example/telegram",
            secret="not-for-everybody",
            listen=f"127.0.0.1:{port}",
            drain=0.2,
        )
        yield TelegramStage(server, room, address="", hook=hook)
        assert server.remarks == []
