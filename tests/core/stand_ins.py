"""One stand-in per protocol, for tests of core alone."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Iterable, Sequence
from dataclasses import dataclass, field

from core.memory import SUMMARISE
from core.protocols import HoldAudio, Inbox, Pay
from core.reply import Reply
from core.types import (
    Chat,
    Delta,
    Document,
    File,
    Incoming,
    Message,
    ModelEvent,
    Person,
    Role,
    Transcript,
    Usage,
    Voice,
)
from tests import leaks

ANN = Person(id="desk:1", name="Ann")
BOB = Person(id="desk:2", name="Bob")
CHAT = Chat(platform="desk", ref="1", is_private=True)
GROUP = Chat(platform="desk", ref="-7", is_private=False, title="Family")

# Longer than any lease or back-off lasts.
LONG = 61.0

Script = Callable[[Sequence[Message], Sequence[str]], AsyncIterator[ModelEvent]]


def incoming(
    number: int,
    text: str = "",
    *,
    chat: Chat = CHAT,
    person: Person = ANN,
    voice: Voice | None = None,
    is_partial: bool = False,
    **fields: object,
) -> Incoming:
    """Return message `number` of somebody."""
    leaks.note_event({"text": text})
    return Incoming(
        event=f"bot:{chat.ref}:{number}",
        chat=chat,
        person=person,
        text=text,
        message=str(number),
        sent_at=number,
        voice=voice,
        is_partial=is_partial,
        **fields,  # type: ignore[arg-type]
    )


def said(text: str, *, role: Role = "user", name: str = "", tokens: int = 10) -> Message:
    """Return a message of the history that counts `tokens`."""
    return Message(role=role, content=text, name=name, tokens=tokens)


class Till:
    """Holds nothing, and notes what is paid."""

    def __init__(self) -> None:
        self.paid: list[Usage] = []

    async def __call__(self, names: Sequence[str], seconds: float) -> Pay:
        """Return what notes a call."""
        assert names
        assert seconds > 0
        return self.paid.append


async def free(names: Sequence[str], seconds: float) -> Pay:
    """Hold nothing, whatever is paid."""
    return await Till()(names, seconds)


class StandInClock:
    """A clock that moves when it is told to."""

    def __init__(self) -> None:
        self._now = 1_700_000_000_000

    def __call__(self) -> int:
        """Return the milliseconds since 1970."""
        return self._now

    def move(self, seconds: float = LONG) -> None:
        """Let time pass."""
        self._now += round(seconds * 1000)


def is_summary(prompt: Sequence[Message]) -> bool:
    """Say whether a prompt asks for a summary."""
    return prompt[-1].content.startswith(SUMMARISE)


def plain_usage(prompt: Sequence[Message], models: Sequence[str], text: str) -> Usage:
    """Return what a call like this one consumes."""
    size = sum(len(message.content.split()) for message in prompt)
    return Usage(purpose="chat", model=models[0], input=size, output=len(text.split()))


@dataclass
class StandInModel:
    """Answers each prompt with what `script` yields; by default an echo in two pieces."""

    script: Script | None = None
    prompts: list[Sequence[Message]] = field(default_factory=list)

    async def stream(
        self, prompt: Sequence[Message], *, models: Sequence[str], limit: int
    ) -> AsyncGenerator[ModelEvent]:
        """Yield the script's events."""
        assert limit > 0
        self.prompts.append(prompt)
        async for event in (self.script or echo)(prompt, models):
            if isinstance(event, Delta):
                leaks.note(event.text)
            yield event

    async def close(self) -> None:
        """Do nothing."""


def talker(length: int, *, summary: str = "the gist") -> StandInModel:
    """Return a model that says `length` words, and sums up in `summary`."""

    async def script(
        prompt: Sequence[Message], models: Sequence[str]
    ) -> AsyncIterator[ModelEvent]:
        if is_summary(prompt):
            yield Delta(text=summary)
        else:
            yield Delta(text=f"{len(prompt)}: " + "word " * length)
        yield plain_usage(prompt, models, "")

    return StandInModel(script)


async def echo(prompt: Sequence[Message], models: Sequence[str]) -> AsyncIterator[ModelEvent]:
    """Yield the last message back, in two pieces."""
    yield Delta(text="You said: ")
    yield Delta(text=prompt[-1].content)
    yield plain_usage(prompt, models, prompt[-1].content)


def saying(*pieces: str) -> Script:
    """Return a script that yields fixed pieces."""

    async def script(
        prompt: Sequence[Message], models: Sequence[str]
    ) -> AsyncIterator[ModelEvent]:
        for piece in pieces:
            yield Delta(text=piece)
        yield plain_usage(prompt, models, "".join(pieces))

    return script


@dataclass
class StandInTranscriber:
    """Hears what `words` say, one after the other, or raises it.

    Attributes:
        paid: How many parts are paid for, by the second, before it answers or fails.
        gate: Opened when it may answer; None for at once.
        translates: Whether it can translate what it hears.
    """

    words: Iterable[str | Exception] = ("good morning",)
    heard: list[bytes] = field(default_factory=list)
    gate: asyncio.Event | None = None
    translates: bool = True
    paid: int = 0

    async def transcribe(
        self, audio: bytes, voice: Voice, *, hold: HoldAudio, to_english: bool = False
    ) -> Transcript:
        """Return the next words."""
        pay = await hold(("ear",), voice.seconds or 1.0)
        for _ in range(self.paid):
            pay(Usage(purpose="transcribe", model="ear", seconds=1.0))
        self.heard.append(audio)
        if self.gate:
            await self.gate.wait()
        word = list(self.words)[len(self.heard) - 1]
        if isinstance(word, Exception):
            raise word
        leaks.note(word)
        pay(Usage(purpose="transcribe", model="ear", seconds=voice.seconds or 1.0))
        return Transcript(text=word, is_english=to_english and self.translates)

    async def close(self) -> None:
        """Do nothing."""


class StandInBot:
    """A platform without a network: remembers what was shown; fails when told to.

    Attributes:
        shown: Every preview.
        sent: Every final text: chat, message it answers, text.
        places: For every final text, the messages it replaced.
        taken_back: Messages that an empty final text replaced.
        keys: For every final text, the reply's key.
        files: Every file that followed a text.
        file_failures: What the next files meet.
        failures: What the next final texts of a chat, by its ref, meet.
        fetch_failures: What the next recordings meet.
        posts: Whether a preview is posted as a message, with a receipt.
    """

    name = "desk"
    claim = name
    is_listening = True

    def __init__(self, *, posts: bool = False) -> None:
        self.shown: list[str] = []
        self.sent: list[tuple[str, str | None, str]] = []
        self.places: list[list[str]] = []
        self.taken_back: list[str] = []
        self.keys: list[int] = []
        self.files: list[File] = []
        self.file_failures: list[Exception | None] = []
        self.failures: dict[str, list[Exception]] = {}
        self.fetch_failures: list[Exception] = []
        self.posts = posts
        self._changed = asyncio.Condition()

    async def listen(self, inbox: Inbox) -> None:
        """Wait forever."""
        del inbox
        await asyncio.Event().wait()

    async def deliver(self, reply: Reply) -> None:
        """Show or send."""
        if not reply.is_final:
            async for text in reply.snapshots():
                await self._show(reply, text)
            return
        if failures := self.failures.get(reply.chat.ref):
            raise failures.pop(0)
        leaks.note_codes(reply.text)
        for file in reply.files[reply.attached :]:
            if self.file_failures and (error := self.file_failures.pop(0)):
                raise error
            self.files.append(file)
            await reply.record_file(file.name)
        if not (reply.text or reply.files):
            self.taken_back += [posted.ref for posted in reply.posted]
            return
        async with self._changed:
            self.sent.append((reply.chat.ref, reply.to, reply.text))
            self.places.append([posted.ref for posted in reply.posted])
            self.keys.append(reply.key)
            self._changed.notify_all()

    async def _show(self, reply: Reply, text: str) -> None:
        if self.posts and not reply.posted:
            await reply.record(f"preview {reply.key}")
        async with self._changed:
            self.shown.append(text)
            self._changed.notify_all()

    async def fetch(self, file: Voice | Document) -> bytes:
        """Return bytes that name the recording."""
        if self.fetch_failures:
            raise self.fetch_failures.pop(0)
        return file.ref.encode()

    async def until(self, count: int) -> list[str]:
        """Wait for `count` texts in all; return them."""
        async with asyncio.timeout(10), self._changed:
            await self._changed.wait_for(lambda: len(self.sent) >= count)
        return self.texts()

    async def until_shown(self, text: str) -> None:
        """Wait for a preview."""
        async with asyncio.timeout(10), self._changed:
            await self._changed.wait_for(lambda: text in self.shown)

    def texts(self, chat: Chat | None = None) -> list[str]:
        """Return the final texts, of one chat or of all."""
        return [text for ref, _, text in self.sent if chat is None or ref == chat.ref]
