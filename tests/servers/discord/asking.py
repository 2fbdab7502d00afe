"""Commands as people use them: from typed options to the event the bot gets."""

from typing import TYPE_CHECKING, Any

from tests.servers.discord import commands, permissions, places
from tests.servers.discord.errors import Json
from tests.servers.discord.interactions import AUTOCOMPLETE, COMMAND, Interaction
from tests.servers.discord.messages import Message
from tests.servers.discord.people import Role, User
from tests.servers.discord.places import File

if TYPE_CHECKING:
    from tests.servers.discord.channels import Channel

# Interactions, "Interaction context types", 2026-11.
IN_GUILD, IN_BOT_DM, IN_PRIVATE = 0, 1, 2
# Interactions, "Interaction object": what the app may in conversations without a guild.
_DIRECT = permissions.ATTACH_FILES | permissions.EMBED_LINKS | permissions.MENTION_EVERYONE
_MOST_TEXT = 6000


def slash(
    channel: "Channel", user: User, name: str, options: Json, *, focused: str = ""
) -> Interaction:
    """Send a slash command, or while typing into `focused`, ask for suggestions.

    The client refuses, by an AssertionError, what the real one does not let through: a command
    that is not registered or not offered here, options it does not have, a required one missing,
    a value of the wrong type or outside the choices.

    Args:
        channel: Where.
        user: Who.
        name: Of the command; `group sub` for subcommands.
        options: By name: text, numbers, booleans, User, Role, Channel, File.
        focused: The option being typed into; makes it autocomplete.
    """
    first, *rest = name.split()
    command = channel.server.commands.find(first)
    assert command, f"there is no command /{first}"
    resolved: Json = {}
    declared, wrap = command.get("options") or [], []
    for word in rest:
        sub = next((o for o in declared if o["name"] == word and o["type"] <= 2), None)
        assert sub, f"/{first} has no subcommand {word}"
        wrap.append(sub)
        declared = sub.get("options") or []
    given = _options(channel, declared, options, resolved, focused=focused)
    for sub in reversed(wrap):
        given = [{"name": sub["name"], "type": sub["type"], "options": given}]
    data: Json = {"id": command["id"], "name": first, "type": commands.CHAT_INPUT}
    if given:
        data["options"] = given
    if resolved:
        data["resolved"] = resolved
    return _send(channel, user, command, data, type=AUTOCOMPLETE if focused else COMMAND)


def _options(
    channel: "Channel", declared: list[Json], options: Json, resolved: Json, *, focused: str
) -> list[Json]:
    names = {option["name"] for option in declared}
    assert names.issuperset(options), f"the command has only {sorted(names)}"
    found = []
    for option in declared:
        name = option["name"]
        if name not in options:
            is_missing = option.get("required") and not focused
            assert not is_missing, f"the client demands {name}"
            continue
        is_focused = name == focused
        value = options[name]
        if is_focused:
            assert option.get("autocomplete"), f"{name} suggests nothing"
        else:
            _check(option, value)
        entry = {"name": name, "type": option["type"], "value": value}
        entry["value"] = _resolve(channel, value, resolved)
        if is_focused:
            entry["focused"] = True
        found.append(entry)
    return found


_TYPES: dict[int, Any] = {
    commands.STRING: str,
    commands.INTEGER: int,
    commands.BOOLEAN: bool,
    commands.USER_OPTION: User,
    commands.ROLE: Role,
    commands.MENTIONABLE: User | Role,
    commands.NUMBER: int | float,
    commands.ATTACHMENT: File,
}


def _check(option: Json, value: Any) -> None:
    """Check a value as the client does."""
    name, kind = option["name"], option["type"]
    expected = _TYPES.get(kind)
    assert expected is None or isinstance(value, expected), f"{name} cannot be {value!r}"
    if option.get("choices"):
        choices = [choice["value"] for choice in option["choices"]]
        assert value in choices, f"{name} is one of {choices}"
    if isinstance(value, str):
        least, most = option.get("min_length", 0), option.get("max_length", _MOST_TEXT)
        assert least <= len(value) <= most, f"{name} has {least} to {most} characters"
    elif isinstance(value, int | float) and not isinstance(value, bool):
        assert option.get("min_value", value) <= value, f"{name} is too small"
        assert value <= option.get("max_value", value), f"{name} is too large"


def _resolve(channel: "Channel", value: Any, resolved: Json) -> Any:
    """Return a value as the API spells it, and put what it stands for into `resolved`."""
    if isinstance(value, str | int | float):
        return value
    if isinstance(value, File):
        attachment = channel.attach(value, is_ephemeral=True)
        found = channel.server.cdn.json(attachment)
        return _keep(resolved, "attachments", attachment.id, found)
    if isinstance(value, Role):
        return _keep(resolved, "roles", value.id, value.json())
    if isinstance(value, User):
        member = channel.guild.members.get(value.id) if channel.guild else None
        if member:
            may = permissions.in_channel(member, channel)
            found = member.json(has_user=False) | {"permissions": str(may)}
            _keep(resolved, "members", value.id, found)
        return _keep(resolved, "users", value.id, value.json())
    return _keep(resolved, "channels", value.id, value.json() | {"permissions": "0"})


def _keep(resolved: Json, kind: str, number: int, found: Json) -> str:
    resolved.setdefault(kind, {})[str(number)] = found
    return str(number)


def menu(channel: "Channel", user: User, name: str, target: Message | User) -> Interaction:
    """Choose a command from the context menu of a message or a person.

    The target is whole, whatever the bot's intents: the person hands it over.
    """
    kind = commands.MESSAGE if isinstance(target, Message) else commands.USER
    command = channel.server.commands.find(name, kind)
    assert command, f"the context menu has no {name}"
    resolved: Json = {}
    if isinstance(target, Message):
        number = _keep(resolved, "messages", target.id, target.json())
    else:
        number = _resolve(channel, target, resolved)
    data: Json = {
        "id": command["id"],
        "name": name,
        "type": kind,
        "target_id": number,
        "resolved": resolved,
    }
    return _send(channel, user, command, data, type=COMMAND)


def _send(
    channel: "Channel",
    user: User,
    command: Json,
    data: Json,
    *,
    type: int,  # noqa: A002 - as Discord names it
) -> Interaction:
    """Send an interaction to the bot, if the client offers the command here."""
    is_archived = channel.thread and channel.thread.is_archived
    assert not is_archived, "there are no commands in archived threads"
    context = _context(channel)
    contexts = command["contexts"]
    assert contexts is None or context in contexts, f"{command['name']} is not offered here"
    owners = _owners(channel, user, command, context)
    assert owners, f"{command['name']} is not installed here"
    _check_permission(channel, user, command)
    interaction = Interaction(channel, user, type=type, data=data, owners=owners)
    interaction.payload = _payload(interaction, context)
    channel.interactions.append(interaction)
    server = channel.server
    server.interactions[interaction.token] = interaction
    server.gateway.dispatch(
        "INTERACTION_CREATE",
        interaction.payload,
        guild_id=channel.guild.id if channel.guild and channel.guild.has_bot else None,
        is_about_bot=False,
    )
    server.ring_after(server.limits.ack_seconds, channel)
    channel.ring()
    return interaction


def _context(channel: "Channel") -> int:
    if channel.guild:
        return IN_GUILD
    return IN_BOT_DM if channel.server.bot in channel.recipients else IN_PRIVATE


def _owners(channel: "Channel", user: User, command: Json, context: int) -> dict[str, str]:
    """Return in whose name the app acts here, as "Authorizing integration owners" says."""
    kinds = command["integration_types"]
    found = {}
    if 0 in kinds:
        if channel.guild and channel.guild.has_bot:
            found["0"] = str(channel.guild.id)
        elif context == IN_BOT_DM:
            found["0"] = "0"
    if 1 in kinds and user.has_installed:
        found["1"] = str(user.id)
    return found


def _check_permission(channel: "Channel", user: User, command: Json) -> None:
    if channel.guild is None:
        return
    member = channel.guild.members.get(user.id)
    assert member, f"{user.name} is not in {channel.guild.name}"
    may = permissions.in_channel(member, channel)
    assert may & permissions.USE_APPLICATION_COMMANDS, f"{user.name} may not use commands here"
    needed = command.get("default_member_permissions")
    if needed is not None and may != permissions.ALL:
        is_allowed = int(needed) and may & int(needed) == int(needed)
        assert is_allowed, f"{user.name} may not use {command['name']}"


def _payload(interaction: Interaction, context: int) -> Json:
    channel, user = interaction.channel, interaction.user
    server, guild = channel.server, channel.guild
    found: Json = {
        "id": str(interaction.id),
        "application_id": str(server.application_id),
        "type": interaction.type,
        "data": interaction.data,
        "channel_id": str(channel.id),
        "channel": channel.json(),
        "token": interaction.token,
        "version": 1,
        "locale": user.locale,
        "entitlements": [],
        "entitlement_sku_ids": [],
        "authorizing_integration_owners": interaction.owners,
        "context": context,
        "attachment_size_limit": server.limits.upload_bytes,
        "app_permissions": str(_app_permissions(channel, context)),
    }
    if guild is None:
        return found | {"user": user.json()}
    member = guild.members[user.id]
    may = str(permissions.in_channel(member, channel))
    found["channel"] |= {"permissions": may}
    if channel.type in places.THREADS:
        found["channel"].pop("member", None)
    return found | {
        "guild_id": str(guild.id),
        "guild": {"id": str(guild.id), "locale": "en-US", "features": []},
        "guild_locale": "en-US",
        "member": member.json() | {"permissions": may},
    }


def _app_permissions(channel: "Channel", context: int) -> int:
    if context == IN_GUILD:
        if channel.guild and channel.guild.has_bot:
            return channel.bot_permissions
        return _DIRECT | permissions.USE_EXTERNAL_EMOJIS
    return _DIRECT | (permissions.USE_EXTERNAL_EMOJIS if context == IN_BOT_DM else 0)
