"""The terminal chat, driven by keys and by pipes."""

import asyncio
import contextlib
import io
import re
import stat
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import pytest
from prompt_toolkit.application.current import get_app_or_none
from prompt_toolkit.input import PipeInput, create_pipe_input
from prompt_toolkit.output import DummyOutput
from rich.console import Console

from bots.console import CHAT, ConsoleBot
from bots.terminal import Terminal
from core.errors import FetchError, StoreError
from core.reply import Reply
from core.types import File, Incoming, Voice
from tests.bots.inbox import Inbox
from tests.bots.terminal_steps import visible

HEIGHT = 12
CTRL_C, CTRL_D, ENTER, TAB = "\x03", "\x04", "\r", "\t"
NOTICE = "This is a **demo brain**."


@dataclass(frozen=True)
class Row:
    """A row of a command table."""

    name: str
    help: str


COMMANDS = (Row("help", "say what I can do"), Row("new", "start afresh"))


async def get(inbox: Inbox, count: int) -> Incoming:
    """Wait for the `count`-th message."""
    await until(lambda: len(inbox.messages) >= count)
    return inbox.messages[count - 1]


@dataclass
class Chat:
    """A person at a terminal, and what they see."""

    bot: ConsoleBot
    keys: PipeInput
    inbox: Inbox
    out: io.StringIO
    listening: asyncio.Task[None]

    def see(self) -> str:
        """Return what the terminal and its scrollback show."""
        return visible(self.out.getvalue(), height=HEIGHT)

    def shows_last(self, words: str) -> bool:
        """Say whether what they see ends with `words`."""
        return self.see().endswith(words)

    async def answer(self, incoming: Incoming, text: str) -> None:
        """Deliver a final text."""
        reply = Reply(chat=incoming.chat, key=1, to=incoming.message)
        reply.settle(text)
        await self.bot.deliver(reply)

    async def leave(self) -> None:
        """Press Ctrl-D and wait for the end."""
        self.keys.send_text(CTRL_D)
        await asyncio.wait_for(self.listening, 5)


async def until(is_true: Callable[[], object]) -> None:
    """Wait for a condition, ten seconds at most."""
    async with asyncio.timeout(10):
        while not is_true():  # noqa: ASYNC110 - what a screen shows rings no bell
            await asyncio.sleep(0.005)


def offered() -> str:
    """Return the one completion the prompt offers now."""
    app = get_app_or_none()
    menu = app.current_buffer.complete_state if app else None
    return menu.completions[0].text if menu and len(menu.completions) == 1 else ""


@pytest.fixture(autouse=True)
def state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A state directory of the test's own."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    return tmp_path / "state"


@pytest.fixture
def keys() -> Iterator[PipeInput]:
    """A keyboard."""
    with create_pipe_input() as source:
        yield source


@pytest.fixture
async def chat(keys: PipeInput) -> AsyncIterator[Chat]:
    """A terminal with a bot that listens."""
    out = io.StringIO()
    console = Console(file=out, force_terminal=True, width=80, height=HEIGHT, highlight=False)
    screen = Terminal(COMMANDS, source=keys, sink=DummyOutput(), console=console)
    bot = ConsoleBot(commands=COMMANDS, notice=NOTICE, screen=screen)
    inbox = Inbox()
    listening = asyncio.create_task(bot.listen(inbox))
    yield Chat(bot=bot, keys=keys, inbox=inbox, out=out, listening=listening)
    listening.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await listening


async def test_says_what_it_is_and_hands_over_what_is_typed(chat: Chat) -> None:
    """The notice and the keys come first; each message has an event of its own."""
    chat.keys.send_text("hello" + ENTER)
    first = await get(chat.inbox, 1)
    await chat.answer(first, "Hi!")
    chat.keys.send_text("  " + ENTER + "again" + ENTER)
    second = await get(chat.inbox, 2)
    await chat.answer(second, "Hi again!")
    await chat.leave()
    assert chat.see().startswith("This is a demo brain.\n/help lists the commands")
    assert chat.inbox.texts == ["hello", "again"]
    assert first.chat.is_private
    assert (first.chat.platform, first.person.id) == (chat.bot.name, "console:0")
    assert first.event != second.event
    assert int(first.message) < int(second.message)


async def test_the_prompt_waits_for_the_answer(chat: Chat) -> None:
    """What is typed during an answer stands at the next prompt and is not lost."""
    chat.keys.send_text("one" + ENTER)
    first = await get(chat.inbox, 1)
    chat.keys.send_text("two" + ENTER)
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(asyncio.shield(chat.listening), 0.1)
    assert chat.inbox.texts == ["one"]
    await chat.answer(first, "1")
    await get(chat.inbox, 2)
    assert chat.inbox.texts == ["one", "two"]


async def test_a_long_answer_stands_in_the_scrollback_once(chat: Chat) -> None:
    """However the preview grew and began anew, the final text is there in full, once."""
    chat.keys.send_text("count" + ENTER)
    incoming = await get(chat.inbox, 1)
    reply = Reply(chat=incoming.chat, key=1, to=incoming.message)
    lines = [f"- line {number}" for number in range(60)]
    preview = asyncio.create_task(chat.bot.deliver(reply))
    for end in (1, 5, 30, 2, 60):
        reply.grow("\n".join(lines[:end]))
        await until(partial(chat.shows_last, f"line {end - 1}"))
    assert "line 30" not in chat.see().splitlines()[0]
    assert len(chat.see().splitlines()) < HEIGHT + 3
    reply.close()
    await preview
    reply.settle("\n".join(lines))
    await chat.bot.deliver(reply)
    assert re.findall(r"line (\d+)$", chat.see(), re.MULTILINE) == [str(n) for n in range(60)]


async def test_shows_html_and_line_breaks_but_obeys_no_controls(chat: Chat) -> None:
    """Tags are text, a line break is one, and no answer steers the terminal."""
    chat.keys.send_text("x" + ENTER)
    text = "a vector<int>\nand <b>\n\n<div>\n\n\x1b]0;title\x07`x` \ud83d"
    await chat.answer(await get(chat.inbox, 1), text)
    shown = chat.see()
    assert "a vector<int>\nand <b>" in shown
    assert "<div>" in shown
    assert "]0;titlex ?" in shown


async def test_shows_formulas_and_where_pictures_are(chat: Chat) -> None:
    """LaTeX is read as on the platforms, but in code; what cannot be read stays as it is."""
    chat.keys.send_text("x" + ENTER)
    text = (
        "It is \\(x_1^2\\), `$x^2$`, $5 or $\\nope{$.\n\n\\[ a_1*b*c \\]\n\n"
        "So \\begin{align}a &= b \\\\ c &= d\\end{align}\n\n![A cat](http://h/c.png)"
    )
    await chat.answer(await get(chat.inbox, 1), text)
    shown = chat.see()
    assert "It is x₁², $x^2$, $5 or $\\nope{$.\n\na₁*b*c\n\nSo\na = b\nc = d\n" in shown
    assert "A cat (http://h/c.png)" in shown


async def test_ctrl_c_stops_the_answer(chat: Chat) -> None:
    """During an answer Ctrl-C sends /stop; the prompt is back when that is answered."""
    chat.keys.send_text("tell me" + ENTER)
    first = await get(chat.inbox, 1)
    chat.keys.send_text(CTRL_C)
    stop = await get(chat.inbox, 2)
    assert stop.text == "/stop"
    await chat.answer(first, "Once upon")
    await chat.answer(stop, "Stopped.")
    await chat.leave()
    assert chat.see().endswith("Once upon\n\nStopped.")


async def test_a_second_ctrl_c_gives_the_prompt_back(chat: Chat) -> None:
    """A person never has to wait for an answer that does not come."""
    chat.keys.send_text("tell me" + ENTER)
    await get(chat.inbox, 1)
    chat.keys.send_text(CTRL_C)
    await get(chat.inbox, 2)
    chat.keys.send_text(CTRL_C)
    await chat.leave()


async def test_an_empty_answer_gives_the_prompt_back(chat: Chat) -> None:
    """A preview that ends without a final text is an answer, too."""
    chat.keys.send_text("tell me" + ENTER)
    incoming = await get(chat.inbox, 1)
    reply = Reply(chat=incoming.chat, key=1, to=incoming.message)
    reply.close()
    await chat.bot.deliver(reply)
    chat.keys.send_text("next" + ENTER)
    await get(chat.inbox, 2)


async def test_ctrl_c_clears_a_line_and_leaves_an_empty_one(chat: Chat) -> None:
    """At the prompt Ctrl-C first throws the line away, then ends the chat."""
    chat.keys.send_text("never mind" + CTRL_C + CTRL_C)
    await asyncio.wait_for(chat.listening, 5)
    assert chat.inbox.texts == []


async def test_a_pasted_text_is_one_message(chat: Chat) -> None:
    """Line breaks in a paste, or behind Alt, do not send."""
    chat.keys.send_text("\x1b[200~one\ntwo\x1b[201~\x1b\rthree" + ENTER)
    incoming = await get(chat.inbox, 1)
    assert incoming.text == "one\ntwo\nthree"


async def test_completes_commands_and_paths(
    chat: Chat, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Tab completes a command by name and the file behind /voice."""
    (tmp_path / "note.ogg").write_bytes(b"sound")
    monkeypatch.setenv("HOME", str(tmp_path))

    chat.keys.send_text("plain /x" + CTRL_C + "/voi")
    await until(lambda: offered() == "/voice")
    chat.keys.send_text(TAB + " ~/no")
    await until(lambda: offered() == "te.ogg")
    chat.keys.send_text(TAB)
    chat.keys.send_text(ENTER)
    assert (await get(chat.inbox, 1)).voice


async def test_sends_recordings(chat: Chat, tmp_path: Path) -> None:
    """`/voice FILE` is a voice message, other commands quote it; paths may be quoted."""
    path = tmp_path / "a note.ogg"
    path.write_bytes(b"sound")
    escaped = str(path).replace(" ", "\\ ")
    for number, line in enumerate((f"/voice {path}", f'/voice "{path}"', f"/voice {escaped}"), 1):
        chat.keys.send_text(line + ENTER)
        incoming = await get(chat.inbox, number)
        expected = Voice(ref=str(path), size=5, mime="audio/ogg", name="a note.ogg")
        assert (incoming.text, incoming.voice) == ("", expected)
        assert await chat.bot.fetch(expected) == b"sound"
        await chat.answer(incoming, "Heard.")
    chat.keys.send_text(f"/transcribe {path}" + ENTER)
    incoming = await get(chat.inbox, 4)
    assert (incoming.text, incoming.voice) == ("/transcribe", None)
    assert incoming.quoted
    assert incoming.quoted.voice == expected


async def test_says_kindly_what_is_wrong_with_a_file(chat: Chat, tmp_path: Path) -> None:
    """A missing file or a folder gets a sentence and never reaches the relay."""
    lines = ("/voice", f"/voice {tmp_path}", "/voice /no/such.ogg", "/voice 'open", "/transcribe")
    chat.keys.send_text("".join(line + ENTER for line in lines))
    incoming = await get(chat.inbox, 1)
    assert incoming.text == "/transcribe"
    shown = " ".join(chat.see().split())
    assert "Please name the recording" in shown
    assert "is a folder, not a recording." in shown
    assert "There is no file called /no/such.ogg here." in shown
    assert "'open" in shown


async def test_a_file_that_vanished_or_is_closed_cannot_be_fetched(
    chat: Chat, tmp_path: Path
) -> None:
    """A file that was there when it was named may be gone when it is heard."""
    with pytest.raises(FetchError, match="no file called"):
        await chat.bot.fetch(Voice(ref=str(tmp_path / "gone.ogg")))
    # Reading it fails for everybody, the administrator included.
    with pytest.raises(FetchError, match="not allowed"):
        await chat.bot.fetch(Voice(ref="/proc/self/mem"))


async def test_an_old_answer_says_what_it_belongs_to(chat: Chat) -> None:
    """An answer from before a restart is shown above the prompt, with the time of its question."""
    await until(get_app_or_none)
    for to in ("1790000000000000000", None):
        reply = Reply(chat=CHAT, key=1, to=to)
        preview = asyncio.create_task(chat.bot.deliver(reply))
        reply.grow("Better late")
        await asyncio.sleep(0)
        reply.close()
        await preview
        reply.settle("Better late than never.")
        await chat.bot.deliver(reply)
    shown = chat.see()
    assert len(re.findall(r"To your message of \d\d September, \d\d:\d\d:\nBetter", shown)) == 1
    assert shown.count("Better") == 2


async def test_files_are_saved_and_their_paths_shown(chat: Chat, state: Path) -> None:
    """Below the text stands nothing but where the files are; only their owner may read them."""
    folder = state / "causerie" / "files"
    for number, data in enumerate((b"one", b"two", b"two"), 1):
        chat.keys.send_text("x" + ENTER)
        incoming = await get(chat.inbox, number)
        reply = Reply(chat=incoming.chat, key=number, to=incoming.message)
        file = File(name="a_long_[b]_name_*_of_a_picture.png", mime="image/png", data=data)
        reply.settle("**Here**" if number == 1 else "", files=(file,))
        await chat.bot.deliver(reply)
    await chat.leave()
    path, other = (folder / f"a_long_[b]_name_*_of_a_picture{end}.png" for end in ("", "-2"))
    assert chat.see().endswith(f"Here\n\n{path}\n{other}\n{other}")
    assert (path.read_bytes(), other.read_bytes()) == (b"one", b"two")
    assert {stat.S_IMODE(found.stat().st_mode) for found in folder.iterdir()} == {0o600}
    assert len(list(folder.iterdir())) == 2


async def test_a_file_that_cannot_be_saved_is_missed_in_words(chat: Chat, state: Path) -> None:
    """The text stands all the same."""
    (state / "causerie").mkdir(parents=True, exist_ok=True)
    (state / "causerie" / "files").touch()
    chat.keys.send_text("x" + ENTER)
    incoming = await get(chat.inbox, 1)
    reply = Reply(chat=incoming.chat, key=1, to=incoming.message)
    reply.settle("Here", files=(File(name="a.png", mime="image/png", data=b"x"),))
    await chat.bot.deliver(reply)
    assert chat.see().endswith("Here a.png is missing: it cannot be saved: File exists.")


async def test_tries_again_when_a_message_cannot_be_stored(chat: Chat) -> None:
    """A message is handed over until it is durable, and the person told why it takes time."""
    chat.inbox.faults = [StoreError("The disk is full.")]
    chat.keys.send_text("hello" + ENTER)
    await get(chat.inbox, 1)
    assert "The disk is full." in chat.see()


async def test_remembers_what_was_typed_for_its_owner_only(chat: Chat, state: Path) -> None:
    """The history survives in the state directory and nobody else may read it."""
    chat.keys.send_text("secret" + ENTER)
    await get(chat.inbox, 1)
    file = state / "causerie" / "history"
    await until(lambda: "secret" in file.read_text())
    assert stat.S_IMODE(file.stat().st_mode) == 0o600


async def test_works_without_a_place_for_the_history(
    keys: PipeInput, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where nothing can be written, the history lasts as long as the process."""
    monkeypatch.setenv("XDG_STATE_HOME", "/dev/null")
    screen = Terminal((), source=keys, sink=DummyOutput())
    keys.send_text("x" + ENTER)
    assert await screen.read() == "x"
