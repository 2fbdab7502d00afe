"""The model's Markdown, as each platform shows it.

`dangling` closes what a growing text leaves open, `source` makes Markdown safe to parse,
`parse` walks it into text with spans (`styled`), `split` cuts that at safe places; none of
them knows a platform. `telegram` turns each piece into a message. Everything here is a pure
function of its arguments, takes linear time, and raises nothing.
"""

from bots.markup.telegram import Entity, Part, plain_parts, telegram_parts

__all__ = ["Entity", "Part", "plain_parts", "telegram_parts"]
