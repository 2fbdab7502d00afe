"""What a command is, and what its handler is given."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Literal

from core.access import Access
from core.memory import Recalled
from core.protocols import Store
from core.types import Incoming, Kind, Lease, Message, Outcome, Turn
from core.understand import Understanding
from core.usage import Purse, Spending


@dataclass(frozen=True, slots=True, kw_only=True)
class Ask:
    """A command that asks the model something outside the chat's memory."""

    instruction: str
    text: str
    heard: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Again:
    """A command that asks a finished turn's question anew."""

    turn: Turn


Answered = str | Outcome | Ask | Again


@dataclass(frozen=True, slots=True, kw_only=True)
class Rooms:
    """What handlers may use.

    Attributes:
        models: What a chat can choose from, the default first.
        personas: Likewise.
        recall: Composes the prompt that a message would be sent with.
    """

    store: Store
    access: Access
    spending: Spending
    understanding: Understanding
    models: Sequence[str]
    personas: Sequence[str]
    recall: Callable[[Lease, Turn, Message], Awaitable[Recalled]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Called:
    """A command as somebody gave it."""

    rooms: Rooms
    lease: Lease
    turn: Turn
    purse: Purse
    arguments: str

    @property
    def incoming(self) -> Incoming:
        """The message it was given in."""
        return self.turn.messages[0]

    @property
    def invitation(self) -> str:
        """What people do to be answered in this chat: among others it is not enough to write."""
        is_private = self.incoming.chat.is_private
        return "Write or speak to me" if is_private else "Mention me, or reply to me"


@dataclass(frozen=True, slots=True, kw_only=True)
class Argument:
    """What may be written behind a command's name; a menu can offer it by its own means.

    Attributes:
        help: What it is, as menus show it.
        kind: What it names. A group or a place is written as its id, `platform:number`, and
            what people call it. A recording is no text: it comes with the message or stands
            in the one replied to.
        choices: All that can be written; empty for anything.
        offers: Where a menu finds what it can offer instead: a list in the composition root.
    """

    name: str
    help: str
    kind: Literal["text", "group", "place", "recording"] = "text"
    choices: tuple[str, ...] = ()
    offers: Literal["", "models", "personas"] = ""
    is_required: bool = False

    @property
    def usage(self) -> str:
        """How it is written, as help texts show it."""
        name = "|".join(self.choices) or self.name
        return f"<{name}>" if self.is_required else f"[{name}]"


@dataclass(frozen=True, slots=True, kw_only=True)
class Command:
    """A row of the table.

    Attributes:
        name: Without its slash.
        help: What it does, as menus show it.
        arguments: In the order in which they are written.
        is_for_owners: Others are refused, and their menus may leave it out.
        is_for_hosts: For those who run a place, and for owners; likewise.
        is_for_all: Even for strangers.
        is_paid: It asks a model, and so counts as a question.
    """

    name: str
    help: str
    handler: Callable[[Called], Awaitable[Answered]]
    arguments: tuple[Argument, ...] = ()
    is_for_owners: bool = False
    is_for_hosts: bool = False
    is_for_all: bool = False
    is_paid: bool = False

    @property
    def usage(self) -> str:
        """How its arguments are written; empty if it takes none."""
        return " ".join(a.usage for a in self.arguments if a.kind != "recording")


def kind_of(incoming: Incoming) -> Kind:
    """Tell a command, and the one that acts ahead of the queue, from a message."""
    name, _ = split(incoming.text)
    if not name:
        return "question" if incoming.is_alone else "message"
    return "stop" if name == "stop" else "command"


def split(text: str) -> tuple[str, str]:
    """Return a command's name and its arguments; an empty name if `text` is none."""
    head, *rest = text.split(maxsplit=1) or [""]
    name = head[1:].lower()
    if not head.startswith("/") or not name.replace("_", "").isalnum():
        return "", ""
    return name, "".join(rest).strip()
