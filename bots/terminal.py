"""A terminal, or plain lines in its place: reading what is typed, showing what is answered."""

import asyncio
import contextlib
import io
import os
import re
import sys
import threading
from collections.abc import Awaitable, Callable, Coroutine, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, Protocol, TextIO

import markdown_it
import platformdirs
from markdown_it.rules_inline import StateInline
from prompt_toolkit import PromptSession
from prompt_toolkit.application import run_in_terminal
from prompt_toolkit.completion import CompleteEvent, Completer, Completion, PathCompleter
from prompt_toolkit.document import Document
from prompt_toolkit.formatted_text import FormattedText
from prompt_toolkit.history import FileHistory, History, InMemoryHistory
from prompt_toolkit.input import Input
from prompt_toolkit.input.typeahead import store_typeahead
from prompt_toolkit.key_binding import KeyBindings, KeyPress, KeyPressEvent
from prompt_toolkit.keys import Keys
from prompt_toolkit.output import Output
from rich.console import Console
from rich.live import Live
from rich.markdown import Markdown
from rich.segment import SegmentLines
from rich.text import Text

from bots import files
from bots.markup.latex import readable
from bots.markup.source import MATH
from core.errors import DeliveryError, GoneError

PROMPT = FormattedText([("ansigreen bold", "\u203a ")])
VOICE_HELP = "send a recording as a voice message"
# What would steer a terminal instead of being shown: all controls but tab and line feed.
_CONTROLS = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")
# HTML is text in a chat, and a picture is its link: rich would leave out the one, and the
# address of the other.
_PARSER = (
    markdown_it.MarkdownIt("commonmark")
    .enable(["strikethrough", "table"])
    .disable(["html_block", "html_inline", "image"])
)


class Named(Protocol):
    """A command as a menu shows it."""

    @property
    def name(self) -> str:
        """Without its slash."""
        ...

    @property
    def help(self) -> str:
        """What it does."""
        ...


class Screen(Protocol):
    """Where a person reads and writes."""

    @property
    def is_typed(self) -> bool:
        """Whether a person types there."""
        ...

    def greet(self, notice: str, hint: str) -> None:
        """Open with a notice, if there is any, and a hint."""

    async def read(self) -> str | None:
        """Return what was written next, None when the person leaves."""

    async def wait(
        self, answer: Coroutine[Any, Any, None], *, interrupt: Callable[[], Awaitable[None]]
    ) -> None:
        """Wait for an answer; a first Ctrl-C calls `interrupt`, a second ends the waiting."""

    def preview(self, text: str) -> None:
        """Show the end of a growing Markdown text in place of the last preview."""

    async def show(self, text: str, *, title: str = "") -> None:
        """Show a whole Markdown text for good, in place of the preview.

        Raises:
            GoneError: Nobody reads it any more.
            DeliveryError: It cannot be shown, and the chat ends.
        """

    async def show_path(self, path: Path) -> None:
        """Show where a file is; raises as `show`."""


def open_screen(commands: Sequence[Named]) -> Screen:
    """Return the terminal, or plain lines where input or output is none."""
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="replace")
    if sys.stdin and sys.stdin.isatty() and sys.stdout.isatty():
        return Terminal(commands)
    source = sys.stdin.fileno() if sys.stdin else os.open(os.devnull, os.O_RDONLY)
    return Lines(source, sys.stdout)


class Terminal:
    """A person at a terminal.

    What is typed during an answer stands at the next prompt. A preview is never taller than
    the terminal and is erased for the whole text, so that text stands in the scrollback once.

    Args:
        commands: What to complete.
        source: Keys; None for standard input.
        sink: Where the prompt is drawn; None for standard output.
        console: Where answers are drawn; None for standard output.
    """

    def __init__(
        self,
        commands: Sequence[Named],
        *,
        source: Input | None = None,
        sink: Output | None = None,
        console: Console | None = None,
    ) -> None:
        self.is_typed = True
        self._console = console or Console(highlight=False)
        self._live: Live | None = None
        self._session = PromptSession[str](
            PROMPT,
            completer=_Completer(commands),
            history=_history(),
            key_bindings=_bindings(),
            multiline=True,
            enable_suspend=True,
            prompt_continuation="  ",
            input=source,
            output=sink,
        )

    def greet(self, notice: str, hint: str) -> None:
        """Open with a notice, if there is any, and a hint."""
        if notice:
            self._console.print(_markdown(notice))
        self._console.print(hint, style="dim")

    async def read(self) -> str | None:
        """Return what was typed next, None when the person leaves."""
        line = ""
        while not line.strip():
            try:
                line = await self._session.prompt_async(handle_sigint=False)
            except EOFError:
                return None
        return line

    async def wait(
        self, answer: Coroutine[Any, Any, None], *, interrupt: Callable[[], Awaitable[None]]
    ) -> None:
        """Wait for an answer; a first Ctrl-C calls `interrupt`, a second ends the waiting."""
        source = self._session.input
        answering = asyncio.ensure_future(answer)
        interrupting: list[asyncio.Future[None]] = []
        typed: list[KeyPress] = []

        def take(keys: Iterable[KeyPress]) -> None:
            for key in keys:
                if key.key != Keys.ControlC:
                    typed.append(key)
                elif interrupting:
                    answering.cancel()
                else:
                    interrupting.append(asyncio.ensure_future(interrupt()))

        try:
            with source.raw_mode(), source.attach(lambda: take(source.read_keys())):
                await asyncio.wait([answering])
        finally:
            for task in (answering, *interrupting):
                task.cancel()
            self._erase()
        store_typeahead(source, typed)
        if not answering.cancelled():
            answering.result()

    def preview(self, text: str) -> None:
        """Show the end of a growing Markdown text in place of the last preview."""
        if self._session.app.is_running:
            return
        lines = self._console.render_lines(_markdown(text), pad=False)
        tail = SegmentLines(lines[-max(1, self._console.height - 2) :], new_lines=True)
        if self._live is None:
            self._live = Live(console=self._console, auto_refresh=False, transient=True)
            self._live.start()
        self._live.update(tail, refresh=True)

    async def show(self, text: str, *, title: str = "") -> None:
        """Show a whole Markdown text for good, in place of the preview."""

        def draw() -> None:
            with self._console:  # one write, so that nothing flickers
                self._erase()
                if title:
                    self._console.print(title, style="dim")
                self._console.print(_markdown(text))
                self._console.line()

        await run_in_terminal(draw)

    async def show_path(self, path: Path) -> None:
        """Show where a file is, in one piece for whoever copies it."""

        def draw() -> None:
            self._erase()
            self._console.print(Text(_printable(str(path))), soft_wrap=True)

        await run_in_terminal(draw)

    def _erase(self) -> None:
        if self._live:
            self._live.stop()
            self._live = None


class Lines:
    """Lines from a pipe or a file, answered by plain text.

    Args:
        source: File descriptor to read from.
        sink: Where answers go.
    """

    def __init__(self, source: int, sink: TextIO) -> None:
        self.is_typed = os.isatty(source)
        self._source = source
        self._sink = sink
        self._lines: asyncio.Queue[str | None] | None = None
        self._is_gone = False
        self._fault = ""

    def greet(self, notice: str, hint: str) -> None:  # noqa: ARG002 - nobody can press keys
        """Say the notice, if there is any, apart from the answers."""
        if notice:
            sys.stderr.write(f"{_printable(notice)}\n")

    async def read(self) -> str | None:
        """Return the next line that is not blank, None at the end or when nobody listens.

        Raises:
            DeliveryError: Answers can be written no more: the disk is full, say.
        """
        if self._fault:
            raise DeliveryError(self._fault)
        if self._is_gone:
            return None
        if self._lines is None:
            self._lines = asyncio.Queue()
            # The loop's own threads are waited for at the end; a read may never return.
            loop = asyncio.get_running_loop()
            threading.Thread(target=self._pump, args=(loop, self._lines), daemon=True).start()
        return await self._lines.get()

    async def wait(
        self,
        answer: Coroutine[Any, Any, None],
        *,
        interrupt: Callable[[], Awaitable[None]],  # noqa: ARG002 - nobody can press keys
    ) -> None:
        """Wait for an answer."""
        await answer

    def preview(self, text: str) -> None:
        """Show nothing before it is final."""

    async def show(self, text: str, *, title: str = "") -> None:
        """Write a text as it is."""
        self._write(title, text)

    async def show_path(self, path: Path) -> None:
        """Write where a file is."""
        self._write(str(path))

    def _write(self, *texts: str) -> None:
        if self._fault:
            raise DeliveryError(self._fault)
        try:
            self._sink.write("".join(f"{_printable(part)}\n" for part in texts if part))
            self._sink.flush()
        except OSError as error:
            # What is still buffered would make Python's exit complain.
            os.dup2(os.open(os.devnull, os.O_WRONLY), self._sink.fileno())
            if isinstance(error, BrokenPipeError):
                self._is_gone = True
                raise GoneError("Nobody reads the answers any more.") from error
            self._fault = f"Cannot write to standard output: {error.strerror}."
            raise DeliveryError(self._fault) from error

    def _pump(self, loop: asyncio.AbstractEventLoop, lines: asyncio.Queue[str | None]) -> None:
        # The loop may be closed before the input is; a terminal that is gone cannot be read.
        with contextlib.suppress(RuntimeError):
            with contextlib.suppress(OSError), open(self._source, "rb", closefd=False) as source:
                for line in source:
                    if text := line.decode("utf-8", "replace").strip():
                        loop.call_soon_threadsafe(lines.put_nowait, text)
            loop.call_soon_threadsafe(lines.put_nowait, None)


class _Completer(Completer):
    """Completes commands, and paths behind those that take a file."""

    def __init__(self, commands: Sequence[Named]) -> None:
        self._help = {"/voice": VOICE_HELP} | {f"/{c.name}": c.help for c in commands}
        self._paths = PathCompleter(expanduser=True)

    def get_completions(self, document: Document, event: CompleteEvent) -> Iterator[Completion]:
        """Yield what may follow the cursor."""
        text = document.text_before_cursor
        command, blank, argument = text.partition(" ")
        if not blank:
            matches = (name for name in self._help if text and name.startswith(text))
            for name in matches:
                yield Completion(name, -len(text), display_meta=self._help[name])
        elif command in files.TAKE_FILE:
            yield from self._paths.get_completions(Document(argument.lstrip("\"' ")), event)


def _bindings() -> KeyBindings:
    bindings = KeyBindings()

    @bindings.add("enter")
    def _send(event: KeyPressEvent) -> None:
        event.current_buffer.validate_and_handle()

    @bindings.add("escape", "enter")
    def _break_line(event: KeyPressEvent) -> None:
        event.current_buffer.insert_text("\n")

    @bindings.add("c-c")
    def _clear_or_leave(event: KeyPressEvent) -> None:
        if event.current_buffer.text:
            event.current_buffer.reset()
        else:
            event.app.exit(exception=EOFError)

    return bindings


def _history() -> History:
    """Return what was typed before; only its owner may read it."""
    path = Path(platformdirs.user_state_dir("causerie")) / "history"
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch(mode=0o600)
    except OSError:
        return InMemoryHistory()
    return FileHistory(path)


def _markdown(text: str) -> Markdown:
    markdown = Markdown("", hyperlinks=False, code_theme="ansi_dark")
    markdown.parsed = _PARSER.parse(_printable(text))
    for token in markdown.parsed:
        for child in token.children or ():
            if child.type == "softbreak":
                child.type = "hardbreak"
    return markdown


def _write_formula(state: StateInline, silent: bool) -> bool:  # noqa: FBT001 - a parser's rule
    """Take LaTeX out of Markdown's hands, and write what it says, or itself, as code."""
    found = MATH.match(state.src, state.pos, state.posMax)
    if not found:
        return False
    if not silent:
        text = readable(found[0]) or found[0]
        is_amid = "\n" in text and state.src[: state.pos].rstrip(" ")[-1:] not in ("", "\n")
        state.push("code_inline", "code", 0).content = f"\n{text}" if is_amid else text
    state.pos = found.end()
    return True


_PARSER.inline.ruler.before("escape", "formula", _write_formula)


def _printable(text: str) -> str:
    return _CONTROLS.sub("", text).encode("utf-8", "replace").decode()
