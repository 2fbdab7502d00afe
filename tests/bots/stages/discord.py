"""Discord as a stage: direct messages, channels, and slash commands."""

import functools
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any

from bots.discord import DiscordBot
from core.commands import COMMANDS
from tests.bots.discord_reader import SEAMS, read
from tests.bots.inbox import Inbox
from tests.bots.stages.stage import LARGEST_FILE, PACE, Fault, Serving, Trouble, lacking, until
from tests.servers.discord import Channel, DiscordServer, File, Limits, User, permissions
from tests.servers.discord.messages import Message

_FAULTS: dict[Trouble, dict[str, Any]] = {
    "down": {"status": 500},
    "gateway": {"status": 502, "is_html": True},
    "refused": {"status": 400, "message": "nobody has heard of this"},
}
# So short that it is waited for on the spot, once; so a flood wait is two of them.
_PAUSE = 0.02


class Place:
    """A channel with Ann in it: what people see there, and what goes wrong."""

    def __init__(
        self, server: DiscordServer, channel: Channel, ann: User, *, has_worker: bool = False
    ) -> None:
        self.server = server
        self.channel = channel
        self.ann = ann
        self._has_worker = has_worker

    def serving(self, *, has_menu: bool = False) -> Serving:
        """Return a bot, with a menu of commands if wanted."""

        def is_ready(inbox: Inbox) -> bool:
            return inbox.looks > 0 and (not has_menu or bool(self.server.commands.find("chat")))

        def opening() -> DiscordBot:
            return DiscordBot(
                token=self.server.token,
                api_url=self.server.url,
                commands=COMMANDS if has_menu else (),
                pace=PACE,
                pause=0.01,
                largest_file=LARGEST_FILE,
            )

        return Serving(opening, is_ready=is_ready, has_worker=self._has_worker)

    @property
    def shown(self) -> list[str]:
        """Return the bot's messages, as Discord's programs show them."""
        return [
            _read(message.content) or message.attachments[0].name
            for message in self.channel.answers
        ]

    @property
    def files(self) -> dict[str, bytes]:
        """Return what the bot's messages carry."""
        answers = self.channel.answers
        return {file.name: file.data for message in answers for file in message.attachments}

    @property
    def pinged(self) -> set[Any]:
        """Return whom the bot's messages notified."""
        return {whom for message in self.channel.answers for whom in message.pinged}

    def wipe(self) -> None:
        """Delete what the bot wrote."""
        for message in self.channel.answers:
            self.channel.delete(message)

    def strike(self, trouble: Trouble, times: int) -> Fault:
        """Strike calls about the channel."""
        where: dict[str, Any] = {"place": self.channel, "times": times}
        if trouble == "held":
            return self.server.hold_next("*", **where)
        if trouble == "flood":
            return self.server.limit_next("*", _PAUSE, **where | {"times": 2 * times})
        return self._strike("*", trouble, **where)

    def strike_file(self, trouble: Trouble, times: int) -> Fault:
        """Strike downloads."""
        return self._strike("download", trouble, times=times)

    def _strike(self, route: str, trouble: Trouble, **where: Any) -> Fault:
        if trouble in _FAULTS:
            return self.server.fail_next(route, **_FAULTS[trouble], **where)
        return self.server.drop_next(route, is_done=trouble == "lost", **where)

    def forbid(self) -> None:
        """Let the bot write neither here nor to Ann."""
        self.ann.has_blocked = True
        if self.channel.guild:
            self.channel.allow(self.server.bot, deny=permissions.SEND_MESSAGES)


class _Stage:
    """What both ways of asking have in common: what a channel shows, and what strikes it."""

    person = "Ann"
    may_double = False

    def __init__(self, place: Place, serving: Serving) -> None:
        self.serving = serving
        self._place = place

    async def restart(self) -> None:
        """Start another."""
        await self.serving.restart()

    @property
    def standing(self) -> list[str]:
        """Messages."""
        return self._place.shown

    @property
    def shown(self) -> list[str]:
        """Messages: what is being written is one of them."""
        return self.standing

    @property
    def files(self) -> dict[str, bytes]:
        """Attachments."""
        return self._place.files

    @property
    def pinged(self) -> set[Any]:
        """Anybody."""
        return self._place.pinged

    @property
    def mentions(self) -> str:
        """Mention."""
        return f"{self._place.ann.mention} @everyone"

    def strike(self, trouble: Trouble, times: int = 1, /) -> Fault:
        """Strike calls about the channel, and those by the token of a command in it."""
        return self._place.strike(trouble, times)

    def strike_file(self, trouble: Trouble, times: int, /) -> Fault:
        """Strike downloads."""
        return self._place.strike_file(trouble, times)


class DiscordStage(_Stage):
    """A channel in which Ann writes.

    Args:
        place: The channel.
        address: What makes the bot read a message there.
    """

    def __init__(self, place: Place, *, address: str) -> None:
        super().__init__(place, place.serving())
        self.is_private = place.channel.guild is None
        self._address = address
        self._said: Message | None = None

    async def say(self, text: str) -> None:
        """Write it, to the bot."""
        self.miss(text)

    async def command(self, name: str, /, **arguments: str) -> None:
        """Type it."""
        self.miss(" ".join([f"/{name}", *arguments.values()]))

    async def send_voice(self, data: bytes, *, size: int | None = None) -> None:
        """Attach it."""
        self._attach(File(name="note.ogg", data=data, mime="audio/ogg", size=size))

    async def send_document(self, name: str, data: bytes) -> None:
        """Attach it."""
        self._attach(File(name=name, data=data, mime="text/plain; charset=utf-8"))

    def _attach(self, *files: File) -> None:
        self._said = self._place.channel.say(self._place.ann, self._address, files=files)

    def miss(self, text: str) -> None:
        """Write it; Discord's history has it."""
        self._said = self._place.channel.say(self._place.ann, f"{self._address} {text}")

    def edit(self, text: str) -> None:
        """Edit it."""
        self._place.channel.edit(self._last, f"{self._address} {text}")

    def delete(self) -> None:
        """Delete it."""
        self._place.channel.delete(self._last)

    def delete_quietly(self) -> None:
        """Delete it."""
        self.delete()

    def wipe(self) -> None:
        """Delete what the bot wrote."""
        if self.is_private:
            lacking("in direct messages, nobody deletes what another wrote")
        self._place.wipe()

    def leave(self) -> None:
        """Block the bot, or take its permissions."""
        self._place.forbid()

    def pass_day(self) -> None:
        """Let links expire."""
        self._place.server.cdn.expire()

    def lose_files(self) -> None:
        """Delete the message with its files."""
        self.delete()
        _forget(self._place, self._last.attachments)

    @property
    def _last(self) -> Message:
        assert self._said
        return self._said


class CommandStage(_Stage):
    """A channel of a server in which Ann uses slash commands."""

    is_private = False

    def __init__(self, place: Place) -> None:
        super().__init__(place, place.serving(has_menu=True))

    async def say(self, text: str) -> None:
        """Use /chat."""
        await self.command("chat", prompt=text)

    async def command(self, name: str, /, **arguments: str) -> None:
        """Use it; see that the bot thinks."""
        await self._ask(name, arguments)

    async def send_voice(self, data: bytes, *, size: int | None = None) -> None:
        """Give it to /transcribe."""
        file = File(name="note.ogg", data=data, mime="audio/ogg", size=size)
        await self._ask("transcribe", {"recording": file})

    async def send_document(self, name: str, data: bytes) -> None:
        """Give it to /chat."""
        file = File(name=name, data=data, mime="text/plain; charset=utf-8")
        await self._ask("chat", {"prompt": "Read this", "file": file})

    async def _ask(self, name: str, options: dict[str, Any]) -> None:
        asked = self._place.channel.slash(self._place.ann, name, **options)
        await until(lambda: asked.state == "thinking")

    def miss(self, _text: str, /) -> None:
        """Skip."""
        lacking("Discord tells of a command only once")

    def edit(self, _text: str, /) -> None:
        """Skip."""
        lacking("commands cannot be edited")

    def delete(self) -> None:
        """Skip."""
        lacking("commands cannot be deleted")

    def delete_quietly(self) -> None:
        """Skip."""
        self.delete()

    def wipe(self) -> None:
        """Delete the answers."""
        self._place.wipe()

    def leave(self) -> None:
        """Let 15 minutes pass, and let the bot write nowhere else."""
        self._place.server.advance(900)
        self._place.forbid()

    def pass_day(self) -> None:
        """Skip."""
        lacking("what comes with a command stands in no message that has a new link")

    def lose_files(self) -> None:
        """Forget the file."""
        resolved = self._place.channel.interactions[-1].data["resolved"]["attachments"]
        cdn = self._place.server.cdn
        _forget(self._place, [a for f in resolved.values() if (a := cdn.find(f["url"]))])


@functools.lru_cache(maxsize=64)  # tests look at the same messages over and over
def _read(content: str) -> str:
    return "".join(char for char, _ in read(content)).replace(SEAMS, "").strip()


def _forget(place: Place, attachments: Sequence[Any]) -> None:
    for attachment in attachments:
        place.server.cdn.forget(attachment)


@asynccontextmanager
async def _place(*, is_direct: bool = False, has_worker: bool = False) -> AsyncIterator[Place]:
    async with DiscordServer(limits=Limits.unlimited()) as server:
        ann = server.user("Ann")
        channel = server.direct(ann)
        if not is_direct:
            owner = server.user("Olga")
            channel = server.guild("School", owner, members=[ann]).channel("general")
        yield Place(server, channel, ann, has_worker=has_worker)
        assert server.remarks == []


@asynccontextmanager
async def direct() -> AsyncIterator[DiscordStage]:
    """Ann's direct messages."""
    async with _place(is_direct=True) as place:
        yield DiscordStage(place, address="")


@asynccontextmanager
async def channel(*, has_worker: bool = False) -> AsyncIterator[DiscordStage]:
    """A channel of a server, where the bot hears what mentions it."""
    async with _place(has_worker=has_worker) as place:
        yield DiscordStage(place, address=place.server.bot.mention)


@asynccontextmanager
async def command(*, has_worker: bool = False) -> AsyncIterator[CommandStage]:
    """The same channel, and slash commands."""
    async with _place(has_worker=has_worker) as place:
        yield CommandStage(place)
