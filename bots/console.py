"""A terminal as a platform; the smallest bot, and the template for a new one.

A bot turns what people do into `Incoming` for an `Inbox` (`listen`), shows a `Reply` while it
grows and once it is final (`deliver`), and gets at recordings (`fetch`).
"""

import asyncio
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

from bots import files, terminal
from bots.live import missing
from core.errors import FetchError, SettingsError, StoreError
from core.protocols import Inbox
from core.reply import Reply
from core.types import Chat, Document, File, Incoming, Person, Quoted, Voice

CHAT = Chat(platform="console", ref="local", is_private=True)
PERSON = Person(id="console:0", name="you")
HINT = "/help lists the commands, /voice FILE sends a recording, Ctrl-D leaves."
NOBODY = (
    "TELEGRAM_BOT_TOKEN, DISCORD_BOT_TOKEN: at least one should be set; standard input is no "
    "terminal, and holds no questions"
)
FRAME_SECONDS = 0.1
RETRY_SECONDS = 1.0
# The final text follows the end of its preview within a commit; an empty one never comes.
SETTLE_SECONDS = 2.0


class ConsoleBot:
    """One private chat with whoever sits at the terminal, `console:0`.

    Args:
        commands: What to complete.
        notice: Shown once at the start; empty for none.
        screen: Where to talk; None for standard input and output.
    """

    name = "console"
    claim = name
    is_listening = True

    def __init__(
        self,
        *,
        commands: Sequence[terminal.Named],
        notice: str = "",
        screen: terminal.Screen | None = None,
    ) -> None:
        self._screen = screen or terminal.open_screen(commands)
        self._notice = notice
        self._begun = self._newest = time.time_ns()
        self._is_answered = asyncio.Event()

    async def listen(self, inbox: Inbox) -> None:
        """Hand over what is typed, each message once the last is answered, until EOF.

        Raises:
            SettingsError: Nobody types, and nothing was said.
        """
        self._screen.greet(self._notice, HINT)
        line = await self._screen.read()
        if line is None and not self._screen.is_typed:
            raise SettingsError(NOBODY)
        while line is not None:
            try:
                incoming = self._incoming(*files.parse(line))
            except FetchError as error:
                await self._screen.show(str(error))
            else:
                await self._screen.wait(
                    self._ask(incoming, inbox),
                    interrupt=lambda: self._send(self._incoming("/stop"), inbox),
                )
            line = await self._screen.read()

    async def deliver(self, reply: Reply) -> None:
        """Show the end of `reply` while it grows, then the whole of it in its place.

        Files are saved in the state folder, and their paths shown.
        """
        number = int(reply.to) if reply.to and reply.to.isdecimal() else self._begun
        if reply.is_final:
            try:
                if reply.text or not reply.files:
                    await self._screen.show(reply.text, title=self._title(number))
                for file in reply.files:
                    await self._show_file(file)
            finally:
                self._note_answer(number)
            return
        async for text in reply.snapshots():
            self._screen.preview(text)
            await reply.has_closed(within=FRAME_SECONDS)
        asyncio.get_running_loop().call_later(SETTLE_SECONDS, self._note_answer, number)

    async def _show_file(self, file: File) -> None:
        try:
            path = await asyncio.to_thread(files.save, file)
        except OSError as error:
            why = f"it cannot be saved: {error.strerror}"
            await self._screen.show(missing(file, why))
        else:
            await self._screen.show_path(path)

    async def fetch(self, file: Voice | Document) -> bytes:
        """Read the file that was named."""
        return await asyncio.to_thread(files.read, Path(file.ref))

    async def _ask(self, incoming: Incoming, inbox: Inbox) -> None:
        await self._send(incoming, inbox)
        await self._is_answered.wait()

    async def _send(self, incoming: Incoming, inbox: Inbox) -> None:
        self._is_answered.clear()
        while True:
            try:
                return await inbox.receive(incoming)
            except StoreError as error:
                await self._screen.show(str(error))
                await asyncio.sleep(RETRY_SECONDS)

    def _note_answer(self, number: int) -> None:
        if number >= self._newest:
            self._is_answered.set()

    def _title(self, number: int) -> str:
        """Say what an answer belongs to that was asked for before we were started."""
        if number >= self._begun:
            return ""
        asked = datetime.fromtimestamp(number / 1e9, UTC).astimezone()
        return f"To your message of {asked:%d %B, %H:%M}:"

    def _incoming(self, text: str, voice: Voice | None = None) -> Incoming:
        self._newest = max(time.time_ns(), self._newest + 1)
        is_spoken = text == "/voice"
        return Incoming(
            event=f"{PERSON.id}:{self._newest}",
            chat=CHAT,
            person=PERSON,
            text="" if is_spoken else text,
            message=str(self._newest),
            sent_at=self._newest // 1_000_000,
            voice=voice if is_spoken else None,
            quoted=Quoted(voice=voice) if voice and not is_spoken else None,
        )
