"""The model's Markdown, as each platform shows it.

`dangling` closes what a growing text leaves open, `source` makes Markdown safe to parse,
`parse` walks it into text with spans (`styled`), with `table` and `latex` for what chats cannot
show, `split` cuts that at safe places; none of them knows a platform. `telegram` and `discord`
turn each piece into a message. Everything here is a pure function of its arguments, takes
linear time, and raises nothing.
"""

from bots.markup.discord import DiscordPart, discord_parts
from bots.markup.telegram import Entity, Part, plain_parts, telegram_parts

__all__ = [
    "DiscordPart",
    "Entity",
    "Part",
    "discord_parts",
    "plain_parts",
    "telegram_parts",
]
