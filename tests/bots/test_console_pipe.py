"""The terminal chat without keys: pipes, files, and what decides between them."""

import asyncio
import contextlib
import io
import os
import pty
import sys
from pathlib import Path

import pytest
from prompt_toolkit.application.current import create_app_session

from bots.console import ConsoleBot
from bots.terminal import Lines, Screen, open_screen
from core.errors import DeliveryError, GoneError
from core.reply import Reply
from core.types import File, Incoming
from tests.bots.inbox import Inbox

NOTICE = "This is a **demo brain**."


class Pipes:
    """Standard input and output as pipes."""

    def __init__(self, text: bytes) -> None:
        self.source, feed = os.pipe()
        os.write(feed, text)
        os.close(feed)
        self.out = io.StringIO()
        self.screen: Screen = Lines(self.source, self.out)

    def close(self) -> None:
        """Let go of the input."""
        os.close(self.source)


async def test_a_pipe_is_answered_line_by_line(capfd: pytest.CaptureFixture[str]) -> None:
    """Lines are answered in order, in plain text, and the end of input is the end."""
    pipes = Pipes(b"one\n\ntwo \xff\r\n/voice /no/such.ogg\nthree")
    bot = ConsoleBot(commands=(), notice=NOTICE, screen=pipes.screen)
    answers: list[asyncio.Task[None]] = []

    async def receive(incoming: Incoming) -> None:
        reply = Reply(chat=incoming.chat, key=1, to=incoming.message)
        preview = asyncio.create_task(bot.deliver(reply))
        reply.grow("**")
        await asyncio.sleep(0)
        reply.close()
        await preview
        reply.settle(f"**{incoming.text}**\x1b[2J")
        answers.append(asyncio.create_task(bot.deliver(reply)))

    await asyncio.wait_for(bot.listen(Inbox(then=receive)), 10)
    await asyncio.gather(*answers)
    pipes.close()
    lines = pipes.out.getvalue().splitlines()
    missing = "There is no file called /no/such.ogg here."
    assert lines == ["**one**[2J", "**two \ufffd**[2J", missing, "**three**[2J"]
    assert capfd.readouterr().err == f"{NOTICE}\n"


async def test_a_pipe_gets_the_paths_of_files(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each on a line of its own, and nothing else."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    pipes = Pipes(b"one\n")
    bot = ConsoleBot(commands=(), screen=pipes.screen)

    async def receive(incoming: Incoming) -> None:
        reply = Reply(chat=incoming.chat, key=1, to=incoming.message)
        files = [File(name=name, mime="", data=b"x") for name in ("a.png", "../b.zip")]
        reply.settle("", files=tuple(files))
        await bot.deliver(reply)

    await asyncio.wait_for(bot.listen(Inbox(then=receive)), 10)
    pipes.close()
    folder = tmp_path / "causerie" / "files"
    assert pipes.out.getvalue().splitlines() == [f"{folder}/a.png", f"{folder}/b.zip"]


async def test_nobody_reading_ends_the_chat() -> None:
    """When the reader of the answers is gone, no further line is answered."""
    pipes = Pipes(b"one\ntwo\n")
    drain, end = os.pipe()
    os.close(drain)
    with os.fdopen(end, "w", encoding="utf-8") as sink:
        bot = ConsoleBot(commands=(), screen=Lines(pipes.source, sink))
        gone: list[BaseException | None] = []

        async def receive(incoming: Incoming) -> None:
            reply = Reply(chat=incoming.chat, key=1, to=incoming.message)
            reply.settle("1")
            with pytest.raises(GoneError) as caught:
                await bot.deliver(reply)
            gone.append(caught.value)

        await asyncio.wait_for(bot.listen(Inbox(then=receive)), 10)
    pipes.close()
    assert len(gone) == 1


async def test_a_full_disk_ends_the_chat_with_a_sentence() -> None:
    """What could not be written is kept for the next time: its delivery failed for now only."""
    pipes = Pipes(b"one\ntwo\n")
    with open("/dev/full", "w", encoding="utf-8") as sink:  # noqa: ASYNC230, PTH123 - no disk
        bot = ConsoleBot(commands=(), screen=Lines(pipes.source, sink))
        failed: list[BaseException] = []

        async def receive(incoming: Incoming) -> None:
            for _ in range(2):
                reply = Reply(chat=incoming.chat, key=1, to=incoming.message)
                reply.settle("1")
                with pytest.raises(DeliveryError) as caught:
                    await bot.deliver(reply)
                failed.append(caught.value)

        with pytest.raises(DeliveryError, match="Cannot write to standard output: No space"):
            await asyncio.wait_for(bot.listen(Inbox(then=receive)), 10)
    pipes.close()
    assert [isinstance(error, GoneError) for error in failed] == [False, False]


async def test_no_terminal_means_plain_lines(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where input or output is no terminal, no key and no colour is used."""
    source, feed = os.pipe()
    os.close(feed)
    with os.fdopen(source) as stdin, io.TextIOWrapper(io.BytesIO(), "ascii") as stdout:
        monkeypatch.setattr(sys, "stdin", stdin)
        monkeypatch.setattr(sys, "stdout", stdout)
        screen = open_screen(())
        await screen.show("naïve")
        assert await screen.read() is None
        assert stdout.buffer.getvalue() == b"na?ve\n"


async def test_an_output_without_an_encoding_is_plain(monkeypatch: pytest.MonkeyPatch) -> None:
    """Standard output may be replaced by a stream of text."""
    pipes = Pipes(b"")
    with os.fdopen(pipes.source) as stdin:
        monkeypatch.setattr(sys, "stdin", stdin)
        monkeypatch.setattr(sys, "stdout", pipes.out)
        await open_screen(()).show("naïve")
    assert pipes.out.getvalue() == "naïve\n"


async def test_a_terminal_means_keys(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Where both are a terminal, keys are read."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    parent, child = pty.openpty()
    with os.fdopen(child, "r+b", 0) as tty, io.TextIOWrapper(tty) as both:
        monkeypatch.setattr(sys, "stdin", both)
        monkeypatch.setattr(sys, "stdout", both)
        with create_app_session():
            screen = open_screen(())
            os.write(parent, b"hello\r")
            assert await asyncio.wait_for(screen.read(), 10) == "hello"
            await screen.show("**Hi**")
    seen = b""
    with contextlib.suppress(OSError):  # how Linux says that the other end is closed
        while piece := os.read(parent, 4096):
            seen += piece
    os.close(parent)
    assert b"\x1b[1mHi" in seen
