"""What a message or an interaction means: an Incoming, or nothing for us. Pure.

Over data that is not what Discord's documentation says, every function here raises one of
MALFORMED and nothing else.
"""

import copy
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, cast

import discord

from bots.discord import content, menu
from core import commands
from core.commands import Argument
from core.types import Chat, Document, Incoming, Person, Quoted, Voice

MALFORMED = (AttributeError, LookupError, OverflowError, TypeError, ValueError)

# As `Incoming.unreadable`.
HIDDEN = "messages that do not mention me (my owner can turn on the Message Content intent)"
ASKED = "What do you say to this?"
_CHOSEN = {menu.ASK: ASKED, menu.TRANSCRIBE: "/transcribe", menu.TRANSLATE: "/translate"}
_WRITTEN = (discord.MessageType.default, discord.MessageType.reply)
_OPENS_THREADS = (discord.ChannelType.text, discord.ChannelType.news)

User = discord.User | discord.Member


@dataclass(frozen=True, slots=True, kw_only=True)
class _Said:
    text: str
    voice: Voice | None = None
    documents: tuple[Document, ...] = ()
    quoted: Quoted | None = None
    unreadable: str = ""


def from_message(
    message: discord.Message, me: discord.ClientUser, *, may_read_all: bool = True
) -> Incoming | None:
    """Return a message, new or edited, if it is one for us to answer.

    Not for us: system messages, what bots and webhooks write, and on servers everything that
    neither mentions the bot, nor replies to it, nor stands in a thread it opened or joined.

    One that was read from a channel's history has no roles in it; they are known if the
    caller puts a Member into `message.author`.

    Args:
        message: As the gateway or a history brings it.
        me: The bot.
        may_read_all: The Message Content intent is on. Without it, a message that is for us
            but does not mention us comes empty; its Incoming says so in `unreadable`.
    """
    author, is_private = message.author, message.channel.type is discord.ChannelType.private
    if message.type not in _WRITTEN or message.webhook_id or author.bot or author.system:
        return None
    if not is_private and not (_guild_id(message) and _is_for(message, me)):
        return None
    said = _message(message, me, may_read_all=may_read_all or is_private)
    held = (message.content, said.voice, said.documents, said.quoted, said.unreadable)
    if not any(held):
        return None
    return Incoming(
        event=f"{me.id}:{message.id}",
        chat=_chat(message.channel, guild_id=_guild_id(message), is_private=is_private),
        person=_person(author, is_host=message.guild is not None and _is_host(author)),
        text=said.text,
        message=str(message.id),
        sent_at=_sent_at(message.id),
        voice=said.voice,
        documents=said.documents,
        quoted=said.quoted,
        unreadable=said.unreadable,
    )


def from_interaction(
    interaction: discord.Interaction, me_id: int, *, ticket: str
) -> Incoming | None:
    """Return a slash command, or a choice from a message's menu, as if it had been written.

    None for interactions of other kinds, and where Discord does not say in which channel.

    Args:
        interaction: As the gateway brings it.
        me_id: The bot's own user.
        ticket: What the answer needs to find the interaction again; becomes `message`.
    """
    channel = interaction.channel
    if interaction.type is not discord.InteractionType.application_command or channel is None:
        return None
    said = _command(interaction, _data(interaction), me_id)
    if said is None:
        return None
    may, guild_id = interaction.permissions, interaction.guild_id
    is_private = guild_id is None and interaction.context.dm_channel
    return Incoming(
        event=f"{me_id}:i{interaction.id}",
        chat=_chat(channel, guild_id=guild_id, is_private=is_private),
        person=_person(
            interaction.user,
            is_host=guild_id is not None and (may.manage_guild or may.administrator),
        ),
        text=said.text,
        message=ticket,
        sent_at=_sent_at(interaction.id),
        voice=said.voice,
        documents=said.documents,
        quoted=said.quoted,
        is_alone=True,
        unreadable=said.unreadable,
    )


def asks_for_thread(interaction: discord.Interaction) -> bool:
    """Say whether an interaction asks for a thread of its own."""
    data = _data(interaction)
    return data.get("name") == menu.CHAT and _values(data).get(menu.THREAD) is True


def wants_thread(interaction: discord.Interaction) -> bool:
    """Say whether an interaction asks for a thread of its own, where the bot can open one."""
    channel, may = interaction.channel, interaction.app_permissions
    return (
        asks_for_thread(interaction)
        and channel is not None
        and channel.type in _OPENS_THREADS
        and interaction.is_guild_integration()
        and may.create_public_threads
        and may.send_messages_in_threads
    )


def may_post(interaction: discord.Interaction) -> bool:
    """Say whether the bot may write where it is asked, not only answer."""
    if interaction.context.dm_channel:
        return True
    may = interaction.app_permissions
    is_thread = isinstance(interaction.channel, discord.Thread)
    return interaction.is_guild_integration() and (
        may.send_messages_in_threads if is_thread else may.send_messages
    )


def _message(message: discord.Message, me: discord.ClientUser, *, may_read_all: bool) -> _Said:
    if not may_read_all and not _mentions(message, me) and _is_empty(message):
        return _Said(text="", unreadable=HIDDEN)
    marks = (f"<@!?{me.id}>", *(f"<@&{role.id}>" for role in _own_roles(message, me)))
    text = content.without(message.content, "|".join(marks))
    name, arguments = commands.split(text)
    if name:
        text = f"/{name} {_with_id(arguments)}".rstrip()
    files = content.sorted_files(message.attachments, kept=content.kept(message))
    return _Said(
        text=content.spelled(text, content.mentioned(message), message.guild),
        voice=files.voice,
        documents=files.documents,
        quoted=content.quoted(message, me.id),
        unreadable=content.unreadable(message),
    )


def _with_id(arguments: str) -> str:
    """Return the id of somebody who is mentioned, alone, behind a command."""
    found = re.fullmatch(r"\s*<@!?(\d{1,20})>\s*", arguments, re.ASCII)
    return f"discord:{found[1]}" if found else arguments


def _is_empty(message: discord.Message) -> bool:
    """Say whether a message has nothing that a person can send.

    Without the intent Discord withholds all of it but stickers.
    """
    return not (
        message.content
        or message.attachments
        or message.embeds
        or message.poll
        or message.message_snapshots
        or message.stickers
    )


def _is_for(message: discord.Message, me: discord.ClientUser) -> bool:
    """Say whether a message on a server is meant for the bot."""
    replied, place = content.replied_to(message), message.channel
    if _mentions(message, me) or (replied is not None and replied.author.id == me.id):
        return True
    if not isinstance(place, discord.Thread):
        return False
    return place.owner_id == me.id or place.me is not None


def _mentions(message: discord.Message, me: discord.ClientUser) -> bool:
    return any(user.id == me.id for user in message.mentions) or bool(_own_roles(message, me))


def _own_roles(message: discord.Message, me: discord.ClientUser) -> list[discord.Role]:
    """Return the mentioned roles that Discord made for the bot alone."""
    return [role for role in message.role_mentions if role.tags and role.tags.bot_id == me.id]


def _data(interaction: discord.Interaction) -> Mapping[str, Any]:
    return cast("Mapping[str, Any]", interaction.data or {})


def _values(data: Mapping[str, Any]) -> dict[str, Any]:
    return {option["name"]: option["value"] for option in data.get("options") or ()}


def _command(
    interaction: discord.Interaction, data: Mapping[str, Any], me_id: int
) -> _Said | None:
    kind, name = data.get("type", menu.SLASH), data["name"]
    if kind == menu.SLASH:
        return _typed(interaction, data, name)
    if kind == menu.ON_MESSAGE and name in _CHOSEN:
        return _chosen(interaction, data, me_id)
    return None


def _typed(interaction: discord.Interaction, data: Mapping[str, Any], name: str) -> _Said:
    """Return a slash command in its plain spelling, with the files that came with it."""
    values, resolved = _values(data), data.get("resolved") or {}
    words, attached = [], []
    for argument in _arguments(name):
        value = values.get(argument.name)
        if value is None:
            continue
        if argument.kind == "recording":
            raw = resolved["attachments"][value]
            state = interaction._state  # noqa: SLF001 - as in `_chosen`
            attached.append(discord.Attachment(data=raw, state=state))
        elif argument.kind == "text":
            text = value if name == menu.CHAT else _with_id(value)
            words.append(content.spelled(text, _people(resolved), interaction.guild))
        else:
            words.append(_spelled_id(argument, value, resolved))
    text, files = " ".join(words), content.sorted_files(attached)
    return _Said(
        text=text if name == menu.CHAT else f"/{content.name(name)} {text}".rstrip(),
        voice=files.voice,
        documents=files.documents,
        unreadable=content.listed(files.others),
    )


def _arguments(name: str) -> Sequence[Argument]:
    if name == menu.CHAT:
        return menu.SAID
    return commands.BY_NAME[name].arguments if name in commands.BY_NAME else ()


def _people(resolved: Mapping[str, Any]) -> dict[int, str]:
    users = resolved.get("users", {})
    return {int(id_): user.get("global_name") or user["username"] for id_, user in users.items()}


def _spelled_id(argument: Argument, value: str, resolved: Mapping[str, Any]) -> str:
    """Return a role or channel as commands spell it: its id, then its name.

    Without colons, since a name must not look like a further id.
    """
    kind, sign = ("roles", "@") if argument.kind == "group" else ("channels", "#")
    name = content.name(resolved[kind][value]["name"]).replace(":", " ").lstrip(sign)
    return f"discord:{int(value)} {sign}{name}"


def _chosen(interaction: discord.Interaction, data: Mapping[str, Any], me_id: int) -> _Said:
    """Return what was chosen from a message's menu, with that message as the quoted one."""
    # The SDK makes objects of what came along only for its own command tree, which is given
    # its state; and it takes what it reads out of the data.
    target = discord.Message(
        state=interaction._state,  # noqa: SLF001 - see above
        channel=cast("discord.TextChannel", interaction.channel),
        data=copy.deepcopy(data["resolved"]["messages"][data["target_id"]]),
    )
    text, quoted = _CHOSEN[data["name"]], content.quote(target, me_id)
    if quoted:
        return _Said(text=text, quoted=quoted)
    return _Said(text="" if text == ASKED else text, unreadable=content.unreadable(target))


def _guild_id(message: discord.Message) -> int | None:
    if message.guild:
        return message.guild.id
    channel = message.channel
    return channel.guild_id if isinstance(channel, discord.PartialMessageable) else None


def _chat(channel: discord.abc.Snowflake, *, guild_id: int | None, is_private: bool) -> Chat:
    wider = [channel.parent_id] if isinstance(channel, discord.Thread) else []
    if guild_id is not None:
        wider.append(guild_id)
    return Chat(
        platform="discord",
        ref=str(channel.id),
        is_private=is_private,
        title="" if is_private else _title(channel),
        places=tuple(f"discord:{id_}" for id_ in wider),
    )


def _title(channel: discord.abc.Snowflake) -> str:
    """Return the names of server, channel and thread, as far as they are known."""
    guild, name = getattr(channel, "guild", None), content.name(getattr(channel, "name", ""))
    if guild is None:
        return name
    words = [content.name(guild.name)]
    if isinstance(channel, discord.Thread):
        words.append(f"#{content.name(channel.parent.name)}" if channel.parent else "")
        words.append(f"> {name}")
    else:
        words.append(f"#{name}" if name else "")
    return " ".join(filter(None, words))


def _person(user: User, *, is_host: bool) -> Person:
    # `Member.roles` leaves out the roles on servers that the bot is no member of.
    roles = user._roles if isinstance(user, discord.Member) else ()  # noqa: SLF001 - see above
    return Person(
        id=f"discord:{user.id}",
        name=content.user_name(user),
        groups=tuple(f"discord:{role}" for role in roles),
        is_host=is_host,
    )


def _is_host(user: User) -> bool:
    return isinstance(user, discord.Member) and user.guild_permissions.manage_guild


def _sent_at(snowflake: int) -> int:
    return (snowflake >> 22) + discord.utils.DISCORD_EPOCH
