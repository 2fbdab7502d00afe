"""One table of commands; every platform's menu, the help and the README come from it."""

import re
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Literal

from core import personas
from core.access import Access
from core.errors import InputError
from core.markdown import code, plain
from core.memory import Recalled
from core.protocols import Store
from core.types import Admitted, Chat, Incoming, Kind, Known, Lease, Message, Notice, Outcome, Turn
from core.understand import Understanding, spoken


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
    arguments: str

    @property
    def incoming(self) -> Incoming:
        """The message it was given in."""
        return self.turn.messages[0]


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
    """

    name: str
    help: str
    handler: Callable[[Called], Awaitable[Answered]]
    arguments: tuple[Argument, ...] = ()
    is_for_owners: bool = False
    is_for_hosts: bool = False
    is_for_all: bool = False

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


async def _start(called: Called) -> Answered:
    return (
        f"Hello {plain(called.incoming.person.name)}! Write or speak to me, and I will answer.\n\n"
        "I remember what we talk about here; /new starts afresh, /help shows what else I can do."
    )


async def _help(called: Called) -> Answered:
    is_owner = called.rooms.access.is_owner(called.turn.person.id)
    is_host = is_owner or called.turn.person.is_host
    rows = [
        c
        for c in COMMANDS
        if (is_owner or not c.is_for_owners) and (is_host or not c.is_for_hosts)
    ]
    lines = [f"- /{' '.join(filter(None, (c.name, code(c.usage))))}: {c.help}" for c in rows]
    return "Write or speak to me. I also know these commands:\n\n" + "\n".join(lines)


async def _new(called: Called) -> Answered:
    await called.rooms.store.forget(called.lease)
    return "A new start: I no longer think of what we said before."


async def _stop(_: Called) -> Answered:
    return "Stopped."


async def _retry(called: Called) -> Answered:
    rooms = called.rooms
    turn = await rooms.store.last_turn(called.lease)
    if turn is None or not await rooms.access.may(turn.messages[0]):
        return "There is nothing to answer again yet."
    return Again(turn=turn)


async def _model(called: Called) -> Answered:
    rooms = called.rooms
    current = called.turn.state.model or rooms.models[0]
    if not called.arguments:
        return _choices("model", rooms.models, current)
    if called.arguments not in rooms.models:
        return f"I do not know that model. {_choices('model', rooms.models, current)}"
    await rooms.store.choose(called.lease, model=called.arguments)
    return f"From now on {code(called.arguments)} answers here."


async def _persona(called: Called) -> Answered:
    rooms = called.rooms
    current = called.turn.state.persona or personas.DEFAULT
    if not called.arguments:
        return _choices("persona", rooms.personas, current)
    name = called.arguments.lower()
    if name not in rooms.personas:
        return f"I do not know that persona. {_choices('persona', rooms.personas, current)}"
    await rooms.store.choose(called.lease, persona=name)
    return f"From now on I am {code(name)} here."


async def _transcribe(called: Called) -> Answered:
    transcript = await called.rooms.understanding.hear(called.lease, called.turn)
    return plain(transcript.text)


async def _translate(called: Called) -> Answered:
    instruction = "Translate the text into English. Return the translation and nothing else."
    incoming = called.incoming
    if called.arguments:
        return Ask(instruction=instruction, text=called.arguments)
    if incoming.quoted and incoming.quoted.text and not incoming.quoted.voice:
        return Ask(instruction=instruction, text=incoming.quoted.text)
    if not incoming.voice and not (incoming.quoted and incoming.quoted.voice):
        raise InputError("Write `/translate` with a text, or reply with it to a message.")
    transcript = await called.rooms.understanding.hear(called.lease, called.turn, to_english=True)
    if transcript.is_english:
        return plain(transcript.text)
    heard = spoken(transcript.text)
    return Ask(instruction=instruction, text=transcript.text, heard=heard)


async def _context(called: Called) -> Answered:
    empty = Message(role="user", content="")
    recalled = await called.rooms.recall(called.lease, called.turn, empty)
    used = recalled.persona + recalled.summary + recalled.history
    rows = [
        ("persona", recalled.persona),
        ("summary of what came earlier", recalled.summary),
        (f"{_turns(recalled)} messages kept word for word", recalled.history),
        ("room left", max(0, recalled.budget.prompt - used)),
    ]
    lines = [f"- {name}: {count:,} tokens" for name, count in rows]
    head = f"Of {recalled.budget.prompt:,} tokens, {code(recalled.prompt.models[0])} will see:"
    tail = f"A reply may take {recalled.budget.reply:,} more."
    return "\n".join((head, "", *lines, "", tail))


def _turns(recalled: Recalled) -> int:
    return sum(m.role != "system" for m in recalled.prompt.messages) - 1


async def _id(called: Called) -> Answered:
    chat = called.incoming.chat
    lines = [f"You are `{called.turn.person.id}`."]
    if not chat.is_private:
        lines.append(f"This chat is `{chat.id}`.")
        lines.extend(f"It is a part of `{place}`." for place in chat.places)
    return "\n".join(lines)


async def _approve(called: Called) -> Answered:
    return await _decide(called, "approved", "may talk to me now")


async def _deny(called: Called) -> Answered:
    return await _decide(called, "denied", "may not talk to me")


async def _decide(called: Called, status: str, verdict: str) -> Answered:
    if not called.arguments:
        return "Write the code or the id of the person behind the command."
    if called.rooms.access.is_owner(called.arguments):
        return "Owners may always; the setting OWNERS says who they are."
    known = await called.rooms.store.decide(called.arguments, status)
    if known is None:
        return "I know nobody with this code or id. A code holds for an hour."
    welcome = Notice(person=known.id, text="My owner has let you in. What can I do for you?")
    return Outcome(
        text=f"{plain(known.name)} (`{known.id}`) {verdict}.",
        notices=(welcome,) if status == "approved" else (),
    )


async def _settings(called: Called) -> Answered:
    chat, store = called.incoming.chat, called.rooms.store
    if chat.is_private:
        return "There is nothing to set in a private chat."
    verb, _, rest = called.arguments.partition(" ")
    if called.rooms.access.is_open:
        return "Everybody may talk to me here: my owner has set that."
    if not verb:
        return _admitted(await store.admitted(chat.place))
    if verb not in SETTINGS:
        return (
            f"Say what to change: {code('/settings allow')} or {code('/settings forbid')}, then "
            "whom; without that, all of this chat."
        )
    for admitted in _named(rest, chat):
        if verb == "allow":
            await store.admit(chat.place, admitted)
        else:
            await store.dismiss(chat.place, admitted.id)
    return _admitted(await store.admitted(chat.place))


def _named(text: str, chat: Chat) -> list[Admitted]:
    """Return what a text names by ids, each with the name that may follow; else the chat."""
    found = re.findall(r"(\w+:-?\d+)((?:(?!\s\w+:-?\d).)*)", text)
    named = [Admitted(id=id_, name=name.strip()) for id_, name in found]
    return named or [Admitted(id=chat.id, name=chat.title)]


def _admitted(rows: Sequence[Admitted]) -> str:
    if not rows:
        return (
            "Only people whom my owner has let in may talk to me here. "
            f"With {code('/settings allow')} all of a chat or a role may."
        )
    lines = [f"- {plain(row.name)} (`{row.id}`)" for row in rows]
    return "Besides people whom my owner has let in, these may talk to me here:\n\n" + "\n".join(
        lines
    )


async def _users(called: Called) -> Answered:
    people = await called.rooms.store.everybody()
    return "\n".join(f"- {plain(k.name)} (`{k.id}`): {_standing(called, k)}" for k in people)


def _standing(called: Called, known: Known) -> str:
    if called.rooms.access.is_owner(known.id):
        return "owner"
    return known.status or "no decision"


def _choices(what: str, names: Sequence[str], current: str) -> str:
    listed = "\n".join(f"- {code(n)}{' (now)' if n == current else ''}" for n in names)
    return f"Choose one with `/{what} name`:\n\n{listed}"


def _name(offers: Literal["models", "personas"]) -> Argument:
    return Argument(name="name", help="its name; without it, I list them", offers=offers)


SETTINGS = ("allow", "forbid")
_WHO = Argument(name="who", help="their code, or their id", is_required=True)
_RECORDING = Argument(name="recording", help="a recording", kind="recording")
COMMANDS = (
    Command(name="start", help="say hello", handler=_start),
    Command(name="help", help="show what I can do", handler=_help),
    Command(name="new", help="start afresh, with an empty memory", handler=_new),
    Command(name="stop", help="stop the answer I am writing", handler=_stop),
    Command(name="retry", help="answer the last question again", handler=_retry),
    Command(name="model", help="choose the model", arguments=(_name("models"),), handler=_model),
    Command(
        name="persona", help="choose who I am", arguments=(_name("personas"),), handler=_persona
    ),
    Command(
        name="transcribe",
        help="reply with it to a voice message: what it says, as text",
        arguments=(_RECORDING,),
        handler=_transcribe,
    ),
    Command(
        name="translate",
        help="into English: a text, or the message you reply to",
        arguments=(Argument(name="text", help="what to translate"), _RECORDING),
        handler=_translate,
    ),
    Command(name="context", help="show what I remember of this chat", handler=_context),
    Command(name="id", help="show your id and the chat's", handler=_id, is_for_all=True),
    Command(
        name="approve",
        help="let somebody in",
        arguments=(_WHO,),
        handler=_approve,
        is_for_owners=True,
    ),
    Command(
        name="deny",
        help="keep somebody out",
        arguments=(_WHO,),
        handler=_deny,
        is_for_owners=True,
    ),
    Command(
        name="settings",
        help="in a group or on a server: who may talk to me there",
        arguments=(
            Argument(name="change", help="what to change", choices=SETTINGS),
            Argument(name="group", help="people with this role", kind="group"),
            Argument(name="place", help="everybody in this channel", kind="place"),
        ),
        handler=_settings,
        is_for_hosts=True,
    ),
    Command(name="users", help="list who has written to me", handler=_users, is_for_owners=True),
)
BY_NAME = {command.name: command for command in COMMANDS}
