"""From what was sent to words: texts, quotes, and recordings that are heard."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, replace

from core import documents
from core.errors import BudgetError, CauserieError, FetchError, InputError, ModelError, SpeechError
from core.markdown import plain, quote
from core.protocols import Bot, Store, Transcriber
from core.types import Document, Incoming, Lease, Quoted, Transcript, Turn, Voice
from core.usage import Purse

OWN_LENGTH = 200
# Each is kept in memory while it is heard, and platforms hand out up to 25 MB.
MOST_HEARD = 16


@dataclass(frozen=True, slots=True, kw_only=True)
class Understood:
    """A turn in words.

    Attributes:
        content: What the model reads.
        heard: Markdown that shows the person what was heard; empty if nothing was.
    """

    content: str
    heard: str = ""


class Understanding:
    """Puts turns into words; a recording is paid for once, however often its turn is tried.

    Only so many recordings of all chats are fetched and heard at a time; others wait in line.
    """

    def __init__(self, store: Store, *, transcriber: Transcriber, bots: Mapping[str, Bot]) -> None:
        self._store = store
        self._transcriber = transcriber
        self._bots = bots
        self._places = asyncio.Semaphore(MOST_HEARD)

    async def read(self, lease: Lease, turn: Turn, purse: Purse) -> Understood:
        """Return what a turn says.

        A file that cannot be read, or a recording that cannot be heard, does not keep the rest
        of its turn from being answered; what is wrong with it stands above the answer.

        Raises:
            InputError: It says nothing.
            SpeechError, FetchError, ModelError: A recording cannot be heard or a file not be
                read, and nothing else is said.
            DeliveryError: A file cannot be fetched now.
        """
        contents, heard = [], []
        error: CauserieError | None = None
        for index, message in enumerate(turn.messages):
            transcript = ""
            if voice_in(message):
                transcript, problem = await self._hear_if_possible(lease, turn, index, purse)
                if problem:
                    error = problem
                    heard.append(f"⚠️ {problem}")
                    continue
                heard.append(spoken(transcript))
            for document in _documents_in(message):
                try:
                    contents.append(await self._open(lease, document))
                except FetchError as problem:
                    error = problem
                    heard.append(f"⚠️ {problem}")
            contents.append(_content(message, transcript))
        content = "\n".join(filter(None, contents))
        if not content:
            raise error or InputError(_nothing(turn.messages[-1].unreadable))
        return Understood(content=content, heard="\n\n".join(heard))

    async def _hear_if_possible(
        self, lease: Lease, turn: Turn, index: int, purse: Purse
    ) -> tuple[str, CauserieError | None]:
        before = len(purse.paid)
        try:
            return (await self.hear(lease, turn, purse, index=index)).text, None
        except (BudgetError, SpeechError, FetchError, ModelError) as error:
            if len(turn.messages) == 1:
                raise
            if isinstance(error, SpeechError) and len(purse.paid) > before:
                # However often the turn is tried, it is not to be heard and paid for again.
                silence = Transcript(text="", usage=purse.take_paid())
                await self._store.heard(lease, turn, index, silence, hold=purse.name)
            return "", error

    async def _open(self, lease: Lease, document: Document) -> str:
        name = " ".join(document.name.split())
        if (document.size or 0) > documents.LARGEST_BYTES:
            raise FetchError(documents.too_large(name))
        data = await self._bots[lease.chat.platform].fetch(document)
        return documents.read(data, name)

    async def hear(
        self,
        lease: Lease,
        turn: Turn,
        purse: Purse,
        *,
        index: int = 0,
        to_english: bool = False,
    ) -> Transcript:
        """Return the transcript of a message's recording, or of the one it replies to.

        Raises:
            SpeechError, FetchError, ModelError: It cannot be heard; InputError if there is none.
            BudgetError: A spending limit does not allow it.
            DeliveryError: It cannot be fetched now.
        """
        voice = voice_in(turn.messages[index])
        if voice is None:
            raise InputError("Reply with this command to a voice message.")
        if index in turn.transcripts:
            return Transcript(text=turn.transcripts[index])
        async with self._places:
            audio = await self._bots[lease.chat.platform].fetch(voice)
            transcript = await self._transcriber.transcribe(
                audio, voice, hold=purse.hold_audio, to_english=to_english
            )
        # Taken before it is entered: the store does so even if this is stopped meanwhile.
        transcript = replace(transcript, usage=purse.take_paid())
        await self._store.heard(lease, turn, index, transcript, hold=purse.name)
        return transcript


def voice_in(message: Incoming) -> Voice | None:
    """Return the recording a message holds, or the one it replies to."""
    return message.voice or (message.quoted.voice if message.quoted else None)


def _documents_in(message: Incoming) -> tuple[Document, ...]:
    return message.documents + (message.quoted.documents if message.quoted else ())


def spoken(text: str) -> str:
    """Return Markdown that shows what was heard."""
    return quote(f"🎤 {plain(text)}")


def _content(message: Incoming, transcript: str) -> str:
    quoted = message.quoted
    words = [_quoted(quoted)] if quoted and quoted.text else []
    if quoted and quoted.voice and not message.voice:
        words.append(quote(transcript))
    elif transcript:
        words.append(transcript)
    words.append(message.text)
    said = "\n\n".join(filter(None, words))
    if said and message.unreadable:
        said += f"\n\n[It came with {message.unreadable}, which you cannot see.]"
    return said


def _quoted(quoted: Quoted) -> str:
    if quoted.name:
        return quote(f"{quoted.name}: {quoted.text}")
    own = quoted.text  # the model has said it itself, so its beginning is enough
    return quote(own if len(own) <= OWN_LENGTH else f"{own[:OWN_LENGTH]}…")


def _nothing(unreadable: str) -> str:
    if unreadable:
        return f"I can read text and hear voice messages, but not {unreadable} yet."
    return "I am here. Write your question with my name, or reply to a message with it."
