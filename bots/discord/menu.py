"""The commands as Discord's menus know them: what is uploaded, compared, and suggested."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from core.commands import Argument, Command

# discord.com/developers/docs/interactions/application-commands, 2026-11: types of commands.
SLASH, ON_MESSAGE = 1, 3
ENTRY_POINT = 4  # of an Activity; Discord made it, and refuses a menu without it
# Likewise: types of options.
_TEXT, _YES_NO, _PLACE, _GROUP, _FILE = 3, 5, 7, 8, 11
_OPTION_TYPES = {"text": _TEXT, "group": _GROUP, "place": _PLACE, "recording": _FILE}
# Likewise, "Channel Types": all in which people write, threads included; no categories.
_PLACES = [0, 2, 5, 10, 11, 12, 13, 15, 16]
# Likewise: most suggestions, and characters of a description, a choice's name, and its value.
MOST_SUGGESTIONS = 25
LENGTH = 100

# Contexts: on servers, in the bot's own DMs, in DMs of others. Installs: by a server, by a user.
_EVERYWHERE = {"contexts": [0, 1, 2], "integration_types": [0, 1]}
_ON_OUR_SERVERS = {"contexts": [0], "integration_types": [0]}
# Permission bits as Discord writes them; "0" leaves only a server's administrators.
_NOBODY, _MANAGE_SERVER = "0", "32"

CHAT, THREAD = "chat", "thread"
ASK, TRANSCRIBE, TRANSLATE = "Ask about this", "Transcribe", "Translate"
# What /chat takes, apart from THREAD.
SAID = (
    Argument(name="prompt", help="what you want to say", is_required=True),
    Argument(name="file", help="a recording, or a text file", kind="recording"),
)
# There is nothing to start here: whoever sees the menu has begun.
_LEFT_OUT = frozenset({"start"})


def payload(commands: Sequence[Command]) -> list[dict[str, Any]]:
    """Return everything to upload: /chat, the commands, and the menu of a message.

    Commands for owners are hidden from all but a server's administrators, whom the command
    itself refuses; owners can always write them as text.
    """
    thread = {"type": _YES_NO, "name": THREAD, "description": "answer in a new thread"}
    chat = {
        "type": SLASH,
        "name": CHAT,
        "description": "talk to me",
        "options": [*_options(SAID), thread],
        **_EVERYWHERE,
    }
    rows = [_slash(command) for command in commands if command.name not in _LEFT_OUT]
    menus = [
        {"type": ON_MESSAGE, "name": name, **_EVERYWHERE} for name in (ASK, TRANSCRIBE, TRANSLATE)
    ]
    return [chat, *rows, *menus]


def is_same(ours: Sequence[Mapping[str, Any]], theirs: Sequence[Mapping[str, Any]]) -> bool:
    """Say whether Discord has these commands already, so that nothing need be uploaded.

    Args:
        ours: What would be uploaded.
        theirs: What `GET /applications/{id}/commands` returned, in any order, with what
            Discord adds to it, and with or without what is at its default.
    """
    return sorted(map(_essence, ours), key=repr) == sorted(map(_essence, theirs), key=repr)


def suggestions(
    offers: Mapping[str, Sequence[str]], commands: Iterable[Command], data: Mapping[str, Any]
) -> list[dict[str, str]]:
    """Return what to suggest to somebody who types an argument; those that begin so first.

    Never fails: for what is not understood there are no suggestions.

    Args:
        offers: What there is, by `Argument.offers`.
        commands: The table.
        data: Of the autocomplete interaction.
    """
    options = data.get("options")
    focused = [o for o in options if _is_focused(o)] if isinstance(options, list) else []
    found = [
        argument
        for command in commands
        if command.name == data.get("name")
        for argument in command.arguments
        if focused and argument.name == focused[0].get("name")
    ]
    if not found:
        return []
    typed = str(focused[0].get("value") or "").strip().lower()
    names = [n for n in offers.get(found[0].offers, ()) if typed in n.lower() and len(n) <= LENGTH]
    names.sort(key=lambda name: not name.lower().startswith(typed))
    return [{"name": name, "value": name} for name in names[:MOST_SUGGESTIONS]]


def _is_focused(option: object) -> bool:
    return isinstance(option, dict) and option.get("focused") is True


def _slash(command: Command) -> dict[str, Any]:
    row: dict[str, Any] = {
        "type": SLASH,
        "name": command.name,
        "description": command.help[:LENGTH],
        "options": _options(command.arguments),
        **_EVERYWHERE,
    }
    if command.is_for_hosts:
        row |= {"default_member_permissions": _MANAGE_SERVER, **_ON_OUR_SERVERS}
    if command.is_for_owners:
        row |= {"default_member_permissions": _NOBODY, **_ON_OUR_SERVERS}
    return row


def _options(arguments: Sequence[Argument]) -> list[dict[str, Any]]:
    """Return a command's options; Discord wants required ones first."""
    return [_option(a) for a in sorted(arguments, key=lambda a: not a.is_required)]


def _option(argument: Argument) -> dict[str, Any]:
    option: dict[str, Any] = {
        "type": _OPTION_TYPES[argument.kind],
        "name": argument.name,
        "description": argument.help[:LENGTH],
        "required": argument.is_required,
    }
    if argument.choices:
        option["choices"] = [{"name": choice, "value": choice} for choice in argument.choices]
    if argument.offers:
        option["autocomplete"] = True
    if argument.kind == "place":
        option["channel_types"] = _PLACES
    return option


def _essence(command: Mapping[str, Any]) -> tuple[Any, ...]:
    """Return what makes a command what it is, without what Discord adds or leaves out."""
    permissions = command.get("default_member_permissions")
    return (
        command.get("type") or SLASH,
        command.get("name"),
        command.get("description") or "",
        None if permissions is None else str(permissions),
        sorted(command.get("contexts") or ()),
        sorted(command.get("integration_types") or ()),
        [_option_essence(option) for option in command.get("options") or ()],
    )


def _option_essence(option: Mapping[str, Any]) -> tuple[Any, ...]:
    return (
        option.get("type"),
        option.get("name"),
        option.get("description"),
        bool(option.get("required")),
        bool(option.get("autocomplete")),
        [(choice.get("name"), choice.get("value")) for choice in option.get("choices") or ()],
        sorted(option.get("channel_types") or ()),
    )
