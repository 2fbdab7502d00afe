"""One table of commands; every platform's menu, the help and the README come from it."""

from typing import Literal

from core.commands import choosing, data, people, places, spending, talking
from core.commands.called import (
    Again,
    Answered,
    Argument,
    Ask,
    Called,
    Command,
    Rooms,
    kind_of,
    split,
)
from core.markdown import code

__all__ = [
    "BY_NAME",
    "COMMANDS",
    "Again",
    "Answered",
    "Argument",
    "Ask",
    "Called",
    "Command",
    "Rooms",
    "kind_of",
    "split",
]


async def _help(called: Called) -> Answered:
    is_owner = called.rooms.access.is_owner(called.turn.person.id)
    is_host = is_owner or called.turn.person.is_host
    rows = [
        c
        for c in COMMANDS
        if (is_owner or not c.is_for_owners) and (is_host or not c.is_for_hosts)
    ]
    lines = [f"- /{' '.join(filter(None, (c.name, code(c.usage))))}: {c.help}" for c in rows]
    return "\n".join([f"{called.invitation}. I also know these commands:\n", *lines])


def _name(offers: Literal["models", "personas"]) -> Argument:
    return Argument(name="name", help="its name; without it, I list them", offers=offers)


_WHO = Argument(name="who", help="their code, or their id", is_required=True)
_RECORDING = Argument(name="recording", help="a recording", kind="recording")
_WHOM = Argument(name="whom", help="an id, `chat` or `everyone`", is_required=True)
_HOW_MUCH = Argument(name="amount", help="such as $0.50, 20000 tokens, none", is_required=True)
_MORE = Argument(name="amount", help="such as $0.50, 20000 tokens, reset", is_required=True)
_SPAN = Argument(name="per", help="in which time", choices=spending.SPANS)
COMMANDS = (
    Command(name="start", help="say hello", handler=talking.start),
    Command(name="help", help="show what I can do", handler=_help),
    Command(name="new", help="start afresh, with an empty memory", handler=talking.new),
    Command(name="stop", help="stop the answer I am writing", handler=talking.stop),
    Command(
        name="retry", help="answer the last question again", handler=talking.retry, is_paid=True
    ),
    Command(
        name="model", help="choose the model", arguments=(_name("models"),), handler=choosing.model
    ),
    Command(
        name="persona",
        help="choose who I am",
        arguments=(_name("personas"),),
        handler=choosing.persona,
    ),
    Command(
        name="transcribe",
        help="reply with it to a voice message: what it says, as text",
        arguments=(_RECORDING,),
        handler=talking.transcribe,
        is_paid=True,
    ),
    Command(
        name="translate",
        help="into English: a text, or the message you reply to",
        arguments=(Argument(name="text", help="what to translate"), _RECORDING),
        handler=talking.translate,
        is_paid=True,
    ),
    Command(name="context", help="show what I remember of this chat", handler=choosing.context),
    Command(
        name="usage",
        help="show what was spent, and what is left",
        arguments=(
            Argument(name="time", help="since when", choices=spending.PERIODS),
            Argument(name="whose", help="whose; everyone's for owners", choices=spending.WHOSE),
        ),
        handler=spending.usage,
    ),
    Command(
        name="export",
        help="send you all I have stored about you, in private",
        handler=data.export,
        is_for_all=True,
    ),
    Command(
        name="forget",
        help="delete all I have stored about you",
        arguments=(Argument(name="confirm", help="to do it", choices=data.YES),),
        handler=data.forget,
        is_for_all=True,
    ),
    Command(
        name="private",
        help="keep nothing of what is said here",
        arguments=(Argument(name="switch", help="on or off", choices=data.SWITCH),),
        handler=data.private,
    ),
    Command(
        name="id", help="show your id and the chat's", handler=people.show_id, is_for_all=True
    ),
    Command(
        name="approve",
        help="let somebody in",
        arguments=(_WHO,),
        handler=people.approve,
        is_for_owners=True,
    ),
    Command(
        name="deny",
        help="keep somebody out",
        arguments=(_WHO,),
        handler=people.deny,
        is_for_owners=True,
    ),
    Command(
        name="settings",
        help="in a group or on a server: who may talk to me there",
        arguments=(
            Argument(name="change", help="what to change", choices=places.CHANGES),
            Argument(name="group", help="people with this role", kind="group"),
            Argument(name="place", help="everybody in this channel", kind="place"),
        ),
        handler=places.settings,
        is_for_hosts=True,
    ),
    Command(
        name="limit",
        help="set what somebody, this chat or everyone may spend",
        arguments=(_WHOM, _HOW_MUCH, _SPAN),
        handler=spending.limit,
        is_for_owners=True,
    ),
    Command(
        name="grant",
        help="allow somebody, this chat or everyone more, once, or reset what they spent",
        arguments=(_WHOM, _MORE, _SPAN),
        handler=spending.grant,
        is_for_owners=True,
    ),
    Command(
        name="users", help="list who has written to me", handler=people.users, is_for_owners=True
    ),
)
BY_NAME = {command.name: command for command in COMMANDS}
