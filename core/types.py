"""The nouns of a conversation, frozen."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from core.money import Grant

Role = Literal["system", "user", "assistant"]
# A question is a message that is never answered together with others.
Kind = Literal["message", "question", "command", "stop"]
# Then a piece of work is given up: a message is buried, a text stays in the outbox.
MOST_FAILURES = 5

# How a turn ended: refused for want of leave, money or words; failed, and the person was told so;
# buried after too many failures nobody foresaw; ignored, as it was not meant for us.
Ending = Literal["answered", "stopped", "refused", "failed", "buried", "ignored"]

Purpose = Literal["chat", "summary", "transcribe", "translate"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Chat:
    """A place where people and the bot talk; a forum topic or thread is a chat of its own.

    Attributes:
        platform: Name of the bot that serves it.
        ref: The bot's own address of it: `number`, or `number/topic` of a topic in a chat.
        is_private: One person and the bot, nobody else.
        places: Ids of the wider places it lies in, the narrowest first: of a thread its
            channel and its server. Known for a message that comes in, not of a stored chat.
    """

    platform: str
    ref: str
    is_private: bool
    title: str = ""
    places: tuple[str, ...] = ()

    @property
    def id(self) -> str:
        """Its id as the setting ALLOWED names it; topics share that of their chat."""
        return f"{self.platform}:{self.ref.partition('/')[0]}"

    @property
    def place(self) -> str:
        """Id of the widest place it lies in: of itself, if of no other."""
        return self.places[-1] if self.places else self.id


@dataclass(frozen=True, slots=True, kw_only=True)
class Person:
    """Somebody who writes.

    Attributes:
        id: `platform:number`, as in the settings OWNERS and ALLOWED.
        groups: Ids, in the same form, of the groups of people they belong to in this chat.
        is_host: They run the place they write in, and may say who else talks to us there.
    """

    id: str
    name: str
    groups: tuple[str, ...] = ()
    is_host: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """A chat, and how far its messages were taken in.

    Attributes:
        sent_at: Of the newest that was.
        waiting: Ids of those that nobody has begun to answer.
    """

    chat: Chat
    sent_at: int
    waiting: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Voice:
    """Recorded speech that a platform keeps: a voice note, an audio file, a video note.

    Attributes:
        ref: What the bot needs to fetch it.
        seconds: Its length as the platform states it; None when it does not.
        size: In bytes; None when the platform does not say.
        mime: Media type as the platform states it, or empty.
        name: File name, or empty.
    """

    ref: str
    seconds: float | None = None
    size: int | None = None
    mime: str = ""
    name: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Document:
    """A text file that a platform keeps.

    Attributes:
        ref: What the bot needs to fetch it.
        name: Of the file.
        size: In bytes; None when the platform does not say.
    """

    ref: str
    name: str
    size: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class File:
    """A file to send: a picture, an archive.

    Attributes:
        name: With its ending and without a folder.
        mime: Media type.
    """

    name: str
    mime: str
    data: bytes = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Quoted:
    """The message somebody replied to.

    Attributes:
        name: Who wrote it; empty for the bot itself.
    """

    name: str = ""
    text: str = ""
    voice: Voice | None = None
    documents: tuple[Document, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Incoming:
    """One message from a platform, complete enough to be answered by any worker later.

    Attributes:
        event: Unique on its platform and the same at each redelivery; starts with the bot's id.
        text: What was written, without the mention that addressed the bot; a command in its
            plain spelling, `/name arguments`.
        message: The platform's id of the message, to reply to.
        sent_at: Milliseconds since 1970, by the platform's clock.
        is_partial: More is about to follow: a client splits long texts, or the next has come, too.
        is_alone: The platform waits for an answer to just this message.
        unreadable: What it holds that cannot be read yet, in words ("a picture"), or empty.
    """

    event: str
    chat: Chat
    person: Person
    text: str
    message: str
    sent_at: int
    voice: Voice | None = None
    documents: tuple[Document, ...] = ()
    quoted: Quoted | None = None
    is_partial: bool = False
    is_alone: bool = False
    unreadable: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """A message of the history, or of a prompt.

    Attributes:
        name: Who said it, where several people speak; else empty.
        tokens: What it adds to a prompt, name and framing included; counted once, with the
            reference vocabulary (see `core.tokens`). 0: not counted yet.
        total: Tokens of its chat's history up to and with it; 0 outside a history.
    """

    role: Role
    content: str
    name: str = ""
    tokens: int = 0
    total: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Usage:
    """What one paid call consumed, as the provider says or, failing that, as we estimate.

    Attributes:
        cached: The part of `input` billed as a repeated prefix.
        written: The part of `input` that the provider put into its cache, for a price.
        seconds: Of audio; 0 for text.
        is_estimated: The provider did not say (a cancelled or broken call, an old server).
        predicted: Our own count of `input` before the call, in reference tokens; 0 if none.
        cost: In micro-dollars; None when the price is unknown.
    """

    purpose: Purpose
    model: str
    input: int = 0
    cached: int = 0
    written: int = 0
    output: int = 0
    seconds: float = 0.0
    is_estimated: bool = False
    predicted: int = 0
    cost: int | None = None

    @property
    def tokens(self) -> int:
        """All it counts for: what was read and what was written."""
        return self.input + self.output


@dataclass(frozen=True, slots=True, kw_only=True)
class Lease:
    """The right to work on a chat until it expires; `epoch` tells a late worker it is late."""

    chat_id: int
    chat: Chat
    epoch: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ChatState:
    """What a chat has chosen and what it remembers.

    Attributes:
        model, persona: Chosen by command; empty for the default.
        total: Reference tokens of all its history, forgotten or not.
        start: The `total` at which its memory starts; what lies before is in `summary`.
        summary: What to know of the history before `start`.
        erased: How often a part of its history was deleted.
        is_off_record: Nothing is kept of what is said in it now.
    """

    model: str = ""
    persona: str = ""
    total: int = 0
    start: int = 0
    summary: str = ""
    erased: int = 0
    is_off_record: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Turn:
    """What waits to be answered at once: one command, or what one person wrote in a row.

    Attributes:
        ids: Of its messages in the inbox, in order.
        transcripts: What was heard before, by index in `messages`, and is not paid for again.
        attempts: How often it was taken up, this time included.
        failures: How often of these the work failed; else the process died, or a file had to wait.
        stops: Every /stop that waits behind it.
        posted: Ids of messages that an earlier attempt already put into the chat, in order.
        waited: Seconds since its first message was due, which is 20 ms after it was stored.
        status: Of whoever wrote the first; see `core.people.Known`.
    """

    ids: tuple[int, ...]
    kind: Kind
    messages: tuple[Incoming, ...]
    state: ChatState
    transcripts: Mapping[int, str] = field(default_factory=dict)
    attempts: int = 1
    failures: int = 0
    stops: tuple[Incoming, ...] = ()
    posted: tuple[str, ...] = ()
    waited: float = 0.0
    status: str = ""

    @property
    def id(self) -> int:
        """The turn's own id: that of its first message."""
        return self.ids[0]

    @property
    def hold(self) -> str:
        """The name under which money is held for it."""
        return f"turn {self.id}"

    @property
    def person(self) -> Person:
        """Whose turn it is."""
        return self.messages[0].person


@dataclass(frozen=True, slots=True, kw_only=True)
class Outgoing:
    """A final text on its way out, as the outbox keeps it.

    Attributes:
        turn: The turn it answers; None for a notice nobody asked for.
        to: The message it answers; None for none.
        posted: Ids of messages already in the chat that this text should replace, in order.
        files: All that follow the text, in order; what is sent keeps none.
        attached: How many of them are already in the chat.
        failures: How often a defect kept it from going out; a refusal of the platform is none.
    """

    id: int
    turn: int | None
    chat: Chat
    to: str | None
    text: str
    posted: tuple[str, ...] = ()
    files: tuple[File, ...] = ()
    attached: int = 0
    failures: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Notice:
    """A text that somebody, by id, did not ask for; for their private chat, if one is known."""

    person: str
    text: str
    files: tuple[File, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What a turn ended in; committed as a whole or not at all.

    Attributes:
        text: The reply, in Markdown; empty for none. Files follow it.
        history: Messages to remember, in order.
        replaces: The turn that these messages stand for in the history, in place of its own.
        buried: Why the turn was given up, for the owner; empty when it was not.
        notices: What others are told of it.
        forgets: Everything is deleted that is stored about whoever's turn it is.
        grants: What may be spent beyond a limit, from now on.
        ending: How it ended, in a word.
    """

    text: str = ""
    files: tuple[File, ...] = ()
    history: tuple[Message, ...] = ()
    usage: tuple[Usage, ...] = ()
    replaces: int | None = None
    buried: str = ""
    notices: tuple[Notice, ...] = ()
    forgets: bool = False
    grants: tuple[Grant, ...] = ()
    ending: Ending = "answered"


@dataclass(frozen=True, slots=True, kw_only=True)
class Transcript:
    """What was said in a recording; `usage`: what is entered with it.

    Attributes:
        is_english: It was translated as asked; where it is not, that is left to the caller.
    """

    text: str
    usage: tuple[Usage, ...] = ()
    is_english: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Delta:
    """A further piece of the reply; where it is anew, all that came before is void."""

    text: str
    is_anew: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Restart:
    """The reply so far is void: the model starts over (its connection broke, say)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Cut:
    """The reply ends here though it was not at its end: too long, or blocked by the provider."""

    is_blocked: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Waiting:
    """The model is not asked yet, because others were first.

    Attributes:
        ahead: How many of those wait, too; None: the turn has come.
        is_long: It takes so long that a person wants to know.
    """

    ahead: int | None
    is_long: bool = False


ModelEvent = Delta | Restart | Cut | Waiting | Usage
