"""What a message holds: its text as people see it, its files, and the message it answers."""

import datetime as dt
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import discord

from core.documents import is_text
from core.types import Document, Quoted, Voice

NAME_LENGTH = 64
FORWARDED = "Forwarded message"

# Of files whose media type says nothing; those that may be films are left out.
_AUDIBLE_NAMES = (".flac", ".m4a", ".mp3", ".mpga", ".oga", ".ogg", ".opus", ".wav")
_KINDS = {"image/gif": "an animation", "image/": "a picture", "video/": "a video"}

# discord.com/developers/docs/reference#message-formatting, 2026-11. Code stands first, so that
# nothing is changed in it.
_MARK = re.compile(
    r"(?P<code>```.*?```|``.+?``|`[^`]+`)"
    r"|<(?P<kind>@!?|@&|#)(?P<id>\d{1,20})>"
    r"|<a?:(?P<emoji>\w+):\d+>"
    r"|<t:(?P<time>\d{1,11})(?::\w)?>"
    r"|</(?P<command>[^:<>]+):\d+>",
    re.ASCII | re.DOTALL,
)
_UNKNOWN = {"@": "unknown-user", "@!": "unknown-user", "@&": "unknown-role", "#": "unknown"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Files:
    """The files that came with a message.

    Attributes:
        others: What cannot be read, each in words.
    """

    voice: Voice | None
    documents: tuple[Document, ...]
    others: tuple[str, ...]


def without(text: str, marks: str) -> str:
    """Take marks, a pattern, out where they only address: at the beginning and the end."""
    while found := re.match(rf"\s*(?:{marks})\s*(?:,|:(?=\s|$))?\s*", text):
        text = text[found.end() :]
    while found := re.search(rf"(?:{marks})\s*$", text):
        text = text[: found.start()].rstrip()
    return text


def spelled(text: str, users: Mapping[int, str], guild: discord.Guild | None) -> str:
    """Write mentions, emoji and times as people see them; code stays as it is.

    Args:
        text: As Discord's programs write it.
        users: Names of those who may be mentioned, by id.
        guild: Knows the names of roles and channels; None outside servers.
    """

    def spell(mark: re.Match[str]) -> str:
        if sign := mark["kind"]:
            id_ = int(mark["id"])
            is_user = sign in {"@", "@!"}
            known = users.get(id_, "") if is_user else _known(sign, id_, guild)
            return sign[0] + (name(known) or _UNKNOWN[sign])
        if mark["emoji"]:
            return f":{mark['emoji']}:"
        if mark["time"]:
            return _time(int(mark["time"]))
        return f"/{mark['command']}" if mark["command"] else mark[0]

    return clean(_MARK.sub(spell, text))


def _known(sign: str, id_: int, guild: discord.Guild | None) -> str:
    if guild is None:
        return ""
    found = guild.get_role(id_) if sign == "@&" else guild.get_channel_or_thread(id_)
    return found.name.lstrip("@") if found else ""


def _time(seconds: int) -> str:
    return f"{dt.datetime.fromtimestamp(seconds, dt.UTC):%Y-%m-%d %H:%M} UTC"


def mentioned(message: discord.Message) -> dict[int, str]:
    """Return the names of the people a message mentions, by id."""
    return {user.id: user.display_name for user in message.mentions}


def user_name(user: discord.User | discord.Member) -> str:
    """Return what people see as somebody's name; never empty."""
    return name(user.display_name) or name(user.name) or "somebody"


def name(text: str | None) -> str:
    """Put a name on one line of bounded length."""
    return " ".join(clean(text).split())[:NAME_LENGTH].rstrip()


def clean(text: str | None) -> str:
    """Replace what no database stores."""
    if not text or text.isascii():
        return (text or "").replace("\0", " ")
    units = text.replace("\0", " ").encode("utf-16-le", "surrogatepass")
    return units.decode("utf-16-le", "replace")


def replied_to(message: discord.Message) -> discord.Message | None:
    """Return the message that another replies to, if Discord sent it along."""
    replied = message.reference.resolved if message.reference else None
    return replied if isinstance(replied, discord.Message) else None


def quoted(message: discord.Message, me_id: int) -> Quoted | None:
    """Return what a message replies to, or forwards."""
    replied = replied_to(message)
    return quote(replied, me_id) if replied else _forwarded(message)


def quote(message: discord.Message, me_id: int) -> Quoted | None:
    """Return a message as one that is talked about; None if nothing in it can be read.

    Our own files repeat what we have said, so that they are none of it.
    """
    is_ours = message.author.id == me_id
    text = spelled(message.content, mentioned(message), message.guild) or _shown(message.embeds)
    files = sorted_files(() if is_ours else message.attachments, kept=kept(message))
    found = _quoting("" if is_ours else user_name(message.author), text, files)
    return found or _forwarded(message)


def _forwarded(message: discord.Message) -> Quoted | None:
    """Return what a message forwards; who wrote it Discord does not tell."""
    for snapshot in message.message_snapshots:
        text = spelled(snapshot.content, {}, message.guild) or _shown(snapshot.embeds)
        files = sorted_files(snapshot.attachments, kept=kept(message))
        if found := _quoting(FORWARDED, text, files):
            return found
    return None


def _quoting(who: str, text: str, files: Files) -> Quoted | None:
    if not (text or files.voice or files.documents):
        return None
    return Quoted(name=who, text=text, voice=files.voice, documents=files.documents)


def _shown(embeds: Iterable[discord.Embed]) -> str:
    """Return the text of the boxes that programs write."""
    words = (word for embed in embeds for word in (embed.title, embed.description))
    return clean("\n\n".join(filter(None, words)))


def kept(message: discord.Message) -> str:
    """Return where a message's files can be asked for anew: `channel/message`."""
    return f"{message.channel.id}/{message.id}"


def sorted_files(attachments: Iterable[discord.Attachment], *, kept: str = "") -> Files:
    """Sort files: the first recording is heard, text is read, and the rest is named.

    Their `ref` is `url channel/message/attachment`. The url expires within a day; what follows
    it is where a fresh one can be had.

    Args:
        attachments: Of one message, or of one that it forwards.
        kept: Of the message; empty if they belong to none, and then nothing follows the url.
    """
    voice: Voice | None = None
    documents: list[Document] = []
    others: list[str] = []
    for file in attachments:
        ref = clean(f"{file.url} {kept}/{file.id}" if kept else file.url)
        mime, name_ = clean(file.content_type), clean(file.filename)
        if file.is_voice_message() or _is_audible(mime, name_):
            if voice:
                others.append("another recording")
            else:
                voice = Voice(
                    ref=ref, seconds=file.duration, size=file.size, mime=mime, name=name_
                )
        elif is_text(mime, name_):
            documents.append(Document(ref=ref, name=name_, size=file.size))
        else:
            others.append(next((k for m, k in _KINDS.items() if mime.startswith(m)), "a document"))
    return Files(voice=voice, documents=tuple(documents), others=tuple(others))


def _is_audible(mime: str, name: str) -> bool:
    return mime.startswith("audio/") or name.lower().endswith(_AUDIBLE_NAMES)


def unreadable(message: discord.Message) -> str:
    """Name what a message holds besides text and what is read of its files, or return ""."""
    words = [*sorted_files(message.attachments).others]
    for snapshot in message.message_snapshots:
        words += sorted_files(snapshot.attachments).others
        words += ["a sticker"] * len(snapshot.stickers)
    words += ["a sticker"] * len(message.stickers)
    if message.poll:
        words.append("a poll")
    if message.activity:
        words.append("an invitation")
    if message.embeds and not message.content and not words:
        words.append("an embed")
    return listed(words)


def listed(words: Iterable[str]) -> str:
    """Return different words as a list in one sentence."""
    return " and ".join(dict.fromkeys(words))
