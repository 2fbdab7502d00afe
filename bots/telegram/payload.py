"""JSON from Telegram, read so that one odd value does not make the rest unreadable."""

import json
import re
from typing import Any

# The Bot API nests a dozen levels at most; a JSON parser goes down some hundreds.
_DEEPEST = 100
# Bot API 10.1, "Making requests": no number has more than 52 significant bits.
_LONGEST = 20
_TOKEN = re.compile(r'"(?:[^"\\]|\\.)*"?|[\[\]{}]', re.DOTALL)


def parse(payload: bytes) -> Any:  # noqa: ANN401 - JSON
    """Return what JSON says.

    Bytes that are no UTF-8 become U+FFFD; an integer that is none of Telegram's, and what is
    nested deeper than anything of theirs, become None.

    Raises:
        ValueError: It is no JSON.
    """
    text = payload.decode(errors="replace")
    try:
        return json.loads(text, parse_int=_integer)
    except RecursionError:
        return json.loads(_shallow(text), parse_int=_integer)


def _integer(digits: str) -> int | None:
    return int(digits) if len(digits) <= _LONGEST else None


def _shallow(text: str) -> str:
    """Put null in place of what is nested too deep; what is not closed stays no JSON."""
    kept, depth, end = [], 0, 0
    for token in _TOKEN.finditer(text):
        if token[0] in "[{":
            depth += 1
            if depth == _DEEPEST:
                kept.append(text[end : token.start()])
        elif token[0] in "]}":
            if depth == _DEEPEST:
                kept.append("null")
                end = token.end()
            depth -= 1
    return "".join(kept) + (text[end:] if depth < _DEEPEST else "")
