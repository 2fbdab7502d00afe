"""The command about a place: who may talk there besides those an owner let in."""

import re
from collections.abc import Sequence

from core.commands.called import Answered, Called
from core.markdown import code, plain
from core.people import Admitted
from core.types import Chat

CHANGES = ("allow", "forbid")


async def settings(called: Called) -> Answered:
    """Show or change who may talk in this place."""
    chat, store = called.incoming.chat, called.rooms.store
    if chat.is_private:
        return "There is nothing to set in a private chat."
    verb, *rest = called.arguments.split(maxsplit=1) or [""]
    verb = verb.lower()
    if called.rooms.access.is_open:
        return "Everybody may talk to me here: my owner has set that."
    if not verb:
        return _admitted(await store.admitted(chat.place))
    if verb not in CHANGES:
        return (
            f"Say what to change: {code('/settings allow')} or {code('/settings forbid')}, then "
            "whom; without that, all of this chat."
        )
    for admitted in _named("".join(rest), chat):
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
