"""The console as a stage: a person at a terminal."""

import io
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, nullcontext
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from prompt_toolkit.input import PipeInput, create_pipe_input
from prompt_toolkit.output import DummyOutput
from rich.console import Console

from bots.console import HINT, ConsoleBot
from bots.terminal import Terminal
from tests.bots.stages.stage import Fault, Serving, Trouble, lacking
from tests.bots.terminal_steps import visible

HEIGHT = 40


class ConsoleStage:
    """Somebody at a terminal, who is asked for the next line once the last is answered."""

    person = "you"
    is_private = True
    may_double = False

    def __init__(self, keys: PipeInput, folder: Path) -> None:
        self.serving = Serving(self._open, is_ready=lambda _: HINT in self._out.getvalue())
        self._keys = keys
        self._folder = folder
        self._saved = folder / "causerie" / "files"
        self._out = io.StringIO()
        self._console = Console(
            file=self._out, force_terminal=True, width=120, height=HEIGHT, highlight=False
        )

    def _open(self) -> "nullcontext[ConsoleBot]":
        sink = DummyOutput()
        screen = Terminal((), source=self._keys, sink=sink, console=self._console)
        return nullcontext(ConsoleBot(commands=(), screen=screen))

    async def restart(self) -> None:
        """Skip."""
        lacking("a terminal ends with its bot")

    async def say(self, text: str) -> None:
        """Type it."""
        self._keys.send_text(f"{text}\r")

    async def command(self, name: str, /, **arguments: str) -> None:
        """Type it."""
        await self.say(" ".join([f"/{name}", *arguments.values()]))

    async def send_voice(self, data: bytes, *, size: int | None = None) -> None:
        """Name it."""
        if size is not None:
            lacking("a file has the size it has, and any is read")
        path = self._folder / "note.ogg"
        path.write_bytes(data)
        await self.say(f"/voice {path}")

    async def send_document(self, _name: str, _data: bytes, /) -> None:
        """Skip."""
        lacking("the console takes recordings only")

    def miss(self, _text: str, /) -> None:
        """Skip."""
        lacking("a terminal ends with its bot")

    def edit(self, _text: str, /) -> None:
        """Skip."""
        lacking("what was typed stays")

    def delete(self) -> None:
        """Skip."""
        lacking("what was typed stays")

    def delete_quietly(self) -> None:
        """Skip."""
        self.delete()

    def wipe(self) -> None:
        """Skip."""
        lacking("what was printed stays")

    def leave(self) -> None:
        """Skip."""
        lacking("a terminal ends with its bot")

    @property
    def standing(self) -> list[str]:
        """The same: a preview is erased for what follows it."""
        return self.shown

    @property
    def shown(self) -> list[str]:
        """All that was printed since the greeting, with a preview."""
        text = visible(self._out.getvalue(), height=HEIGHT).partition(HINT)[2].strip()
        text = text.replace(f"{self._saved}/", "")
        return [text] if text else []

    @property
    def files(self) -> dict[str, bytes]:
        """What was saved."""
        return {path.name: path.read_bytes() for path in self._saved.iterdir()}

    @property
    def pinged(self) -> set[Any]:
        """Nobody: there is nobody else."""
        return set()

    @property
    def mentions(self) -> str:
        """What mentions people elsewhere."""
        return "@ann @everyone"

    def strike(self, _trouble: Trouble, _times: int = 1, /) -> Fault:
        """Skip."""
        lacking("nothing is between a bot and its terminal")

    def strike_file(self, _trouble: Trouble, _times: int, /) -> Fault:
        """Skip."""
        lacking("nothing is between a bot and its files")

    def pass_day(self) -> None:
        """Do nothing: files are not linked to."""

    def lose_files(self) -> None:
        """Delete it."""
        (self._folder / "note.ogg").unlink()


@asynccontextmanager
async def terminal() -> AsyncIterator[ConsoleStage]:
    """A terminal with a folder of its own."""
    with (
        TemporaryDirectory() as folder,
        pytest.MonkeyPatch.context() as patch,
        create_pipe_input() as keys,
    ):
        patch.setenv("XDG_STATE_HOME", folder)
        yield ConsoleStage(keys, Path(folder))
