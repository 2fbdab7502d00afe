"""What no log may hold: whatever is said in a test, and every key, token and code used in it.

The loopback servers and the stand-ins note what passes through them; every record that the
program would write is searched for it after each test, and so is what programs wrote that ran as
processes of their own.
"""

import logging
import re
from collections.abc import Iterable
from typing import Any

# Shorter words, such as `hello`, may be words of ours as well: they are searched for only in what
# is filled into our sentences, as words of their own.
SHORTEST, SHORTEST_WORD = 6, 2
# A text that is logged in part is found by a part of it.
PIECE = 24
MOST_PIECES = 10
OURS = ("core", "bots", "causerie")
# What SDKs chat about below a warning is not logged; see `bots.logs`.
SDKS = ("aiohttp", "aiosqlite", "asyncio", "discord", "httpcore", "httpx", "httpx2", "openai")
SILENT = (*SDKS, "telegram")
# How platforms call what people write, what they choose, and what proves who one is.
_KEYS = frozenset({"text", "caption", "content", "value", "token", "custom_id"})
# Ids are what logs are about, and the bot's own name is no secret.
_ID = re.compile(r"[a-z]+:-?\d+|@\w+")
_CODE = re.compile(r"`(?:/approve |/deny )?([A-HJ-NP-Z2-9]{6})`")


class Noted:
    """What was noted.

    Attributes:
        secrets: For good: they are few, and servers may live longer than a test.
        words: Since the test began.
        written: What was logged.
        filled: What was filled into the sentences that were logged.
    """

    def __init__(self) -> None:
        self.secrets: set[str] = set()
        self.words: set[str] = set()
        self.written: list[str] = []
        self.filled: list[str] = []


_noted = Noted()


class Watch(logging.Handler):
    """Keeps what the program would write at its most talkative."""

    def emit(self, record: logging.LogRecord) -> None:
        """Take a record as a formatter would write it."""
        name = record.name.partition(".")[0]
        if name in SILENT and record.levelno < logging.WARNING:
            return
        written(f"{record.name}: {logging.Formatter().format(record)}")
        _noted.filled.append(f"{record.name}: {record.args}")


def begin() -> None:
    """Forget what was said, and what was written."""
    _noted.words.clear()
    _noted.written.clear()
    _noted.filled.clear()


def note(*texts: str) -> None:
    """Note what somebody said, or a model answered."""
    for text in texts:
        for line in text.splitlines():
            _noted.words.update(_pieces(line.strip()))


def _pieces(line: str) -> Iterable[str]:
    pieces = [line[at : at + PIECE] for at in range(0, len(line), PIECE)]
    if len(pieces) > MOST_PIECES:
        pieces = pieces[: MOST_PIECES // 2] + pieces[-MOST_PIECES // 2 :]
    return (p for p in pieces if len(p.strip()) >= SHORTEST_WORD and not _ID.fullmatch(p))


def note_secret(*secrets: str) -> None:
    """Note a key, a token or a code."""
    for secret in secrets:
        _noted.secrets.update(s for s in (secret, secret[PIECE:]) if len(s) >= SHORTEST)


def note_codes(text: str) -> None:
    """Note the pairing codes in what the bot says."""
    note_secret(*_CODE.findall(text))


def note_event(event: Any) -> None:
    """Note the words and tokens in what a platform tells the bot."""
    if isinstance(event, dict):
        for key, value in event.items():
            if key == "token" and isinstance(value, str):
                note_secret(value)
            elif key in _KEYS and isinstance(value, str):
                note(_spoken(value))
            else:
                note_event(value)
    elif isinstance(event, list):
        for value in event:
            note_event(value)


def _spoken(text: str) -> str:
    """Return a text without the name of the command that it gives: that is no secret."""
    return text.partition(" ")[2] if text.startswith("/") else text


def written(text: str) -> None:
    """Take what was logged."""
    _noted.written.append(text)


def leaks() -> list[str]:
    """Return every line that was logged and holds what no log may hold, with that."""
    lines = {line for text in _noted.written for line in text.splitlines()}
    short = {word for word in _noted.words if len(word) < SHORTEST}
    noted = _noted.secrets | _noted.words - short
    found = [(line, word) for line in lines for word in noted if word in line]
    for text in set(_noted.filled):
        found += [(text, word) for word in short & set(re.findall(r"\w+", text))]
    return [f"{word!r} in {line!r}" for line, word in sorted(found)]
