"""What is known of models by name: their limits, their tokens, their prices, when they end.

The table ships as `core/data/models.json`; what an owner says in a file of their own overrules
it once `use` was called (see `core.table`).
"""

import functools
import math
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from core import table
from core.table import Rows, Table

# A server that nobody described may run with as little as this; the setting CONTEXT_TOKENS
# says better. Ollama starts small models with 4,096 (docs.ollama.com, 2026-11).
UNKNOWN_CONTEXT = 4_096
UNKNOWN_OUTPUT = 2_048

MILLION = 1_000_000
SOON = timedelta(days=60)

# What gateways put before the names of models that are nobody else's (openrouter.ai/models,
# ai.google.dev/gemini-api/docs/openai, 2026-11). Open weights cost something else everywhere,
# so theirs is not among them.
_VENDORS = re.compile(r"^(?:openai|anthropic|google|gemini|models|x-ai|xai)/")
_SNAPSHOT = re.compile(r"-(?:\d{4}-\d{2}-\d{2}|\d{8})$")
# What belongs to a dated snapshot, not to every snapshot of its model.
_DATED = ("snapshot", "retires")
_LIMITS = ("context", "output", "tokenizer", "max_seconds", "formats", "can_translate")


@dataclass(frozen=True, slots=True, kw_only=True)
class Price:
    """What a model costs, in micro-dollars (1 USD is 1,000,000) per million tokens.

    Attributes:
        cached: For the part of a prompt that the provider had in its cache.
        written: For the part that it put there, where it charges for that.
        audio_minute: Micro-dollars for a minute of recorded speech.
        above: In `long`: for prompts of more tokens than this.
        long: What a call with such a prompt costs as a whole; None where length does not matter.
    """

    input: int
    cached: int
    written: int
    output: int
    audio_minute: int = 0
    above: int = 0
    long: "Price | None" = None

    def at(self, prompt: int) -> "Price":
        """Return the price that counts for a prompt of so many tokens."""
        return self.long if self.long and prompt > self.long.above else self

    def cost(
        self,
        *,
        input: int = 0,  # noqa: A002 - as in Usage
        cached: int = 0,
        written: int = 0,
        output: int = 0,
        seconds: float = 0.0,
    ) -> int:
        """Return what a call costs, in micro-dollars, rounded up.

        The most that a prompt can cost is that of one that is written to the cache as a whole.

        Args:
            input: Tokens of the prompt, cached and written ones included.
            cached: Those of them that came from the provider's cache.
            written: Those that were put there.
            output: Tokens of the reply.
            seconds: Of recorded speech. Where a model has prices for both, the minutes are
                what its provider says that the tokens come to, so the dearer one counts.
        """
        price = self.at(input)
        cached = min(cached, input)
        written = min(written, input - cached)
        tokens = (
            (input - cached - written) * price.input
            + cached * price.cached
            + written * price.written
            + output * price.output
        )
        return max(-(-tokens // MILLION), math.ceil(seconds * self.audio_minute / 60))


@dataclass(frozen=True, slots=True, kw_only=True)
class Model:
    """A chat model.

    Attributes:
        context: Tokens that prompt and reply together may have and always fit. Where the
            provider sets room aside for thinking, that room is not counted.
        output: Most tokens of a reply, thinking included.
        tokenizer: `o200k`, whose tokens are those of `core.tokens`, `cl100k` or `unknown`.
        is_known: Its limits are documented; else they are guessed low.
        price: None if it is not known.
        abilities: Of `audio`, `tools` and `vision`.
        snapshot: The day it was frozen; None for a name that may mean another one tomorrow.
        retires: The day it is shut down; None if none is announced.
    """

    name: str
    context: int = UNKNOWN_CONTEXT
    output: int = UNKNOWN_OUTPUT
    tokenizer: str = "unknown"
    is_known: bool = False
    price: Price | None = None
    abilities: frozenset[str] = frozenset()
    snapshot: date | None = None
    retires: date | None = None

    @property
    def is_exact(self) -> bool:
        """Whether its tokens are those of `core.tokens`, so that no calibration is needed."""
        return self.tokenizer == "o200k"


@dataclass(frozen=True, slots=True, kw_only=True)
class SpeechModel:
    """A model that hears.

    Attributes:
        max_seconds: Longest recording it takes; None where only the size counts.
        formats: Values of response_format it takes; the first is its default.
        can_translate: It serves /audio/translations.
        is_known: Its limits are documented.
        price: None if it is not known.
        snapshot: The day it was frozen; None for a name that may mean another one tomorrow.
        retires: The day it is shut down; None if none is announced.
    """

    name: str
    max_seconds: float | None = None
    formats: tuple[str, ...] = ("json",)
    can_translate: bool = False
    is_known: bool = False
    price: Price | None = None
    snapshot: date | None = None
    retires: date | None = None


def _utc() -> date:
    return datetime.now(UTC).date()


def use(
    own: Path | None = None,
    *,
    chat_url: str | None = None,
    speech_url: str | None = None,
    clock: Callable[[], date] = _utc,
) -> None:
    """Let an owner's file overrule the table from now on, in the whole process.

    Args:
        own: Of the shape that `core.table` shows; None for none.
        chat_url: Root of the chat model's API: the same name can mean another price elsewhere.
        speech_url: The same for speech.
        clock: Says what day it is.

    Raises:
        ValueError: The file cannot be read, or a row of it is wrong; says which.
    """
    _chosen.own = table.read(own) if own else Table()
    _chosen.chat_host = _host(chat_url)
    _chosen.speech_host = _host(speech_url)
    _chosen.clock = clock
    describe.cache_clear()
    describe_speech.cache_clear()


@functools.lru_cache
def describe(name: str) -> Model:
    """Return what is known of a chat model; a guess for a name never heard of.

    A provider's prefix (`openai/`) and the date of a snapshot lead to the model itself; any
    other ending, and a fine-tuned model (`ft:`), to the limits of the family, but to no price.
    """
    row = _row(name, _chosen.chat_host, table.shipped().chat, _chosen.own.chat)
    return Model(
        name=name,
        context=row.get("context") or UNKNOWN_CONTEXT,
        output=row.get("output") or UNKNOWN_OUTPUT,
        tokenizer=row.get("tokenizer", "unknown"),
        is_known=bool(row.get("context")),
        price=_price(row.get("price")),
        abilities=frozenset(row.get("abilities", ())),
        snapshot=_day(row.get("snapshot")),
        retires=_day(row.get("retires")),
    )


@functools.lru_cache
def describe_speech(name: str) -> SpeechModel:
    """Return what is known of a transcription model, as `describe` does of a chat model."""
    row = _row(name, _chosen.speech_host, table.shipped().speech, _chosen.own.speech)
    return SpeechModel(
        name=name,
        max_seconds=row.get("max_seconds"),
        formats=tuple(row.get("formats") or ("json",)),
        can_translate=row.get("can_translate", False),
        is_known=bool(row.get("formats")),
        price=_price(row.get("price")),
        snapshot=_day(row.get("snapshot")),
        retires=_day(row.get("retires")),
    )


def ends(name: str) -> date | None:
    """Return the day a model of either kind is shut down; None if none is announced."""
    return describe(name).retires or describe_speech(name).retires


def ends_soon(name: str) -> date | None:
    """Return the day a model is or was shut down, if it is within `SOON`."""
    end = ends(name)
    return end if end and end <= today() + SOON else None


def is_retired(name: str) -> bool:
    """Say whether the day a model is shut down has passed."""
    end = ends(name)
    return end is not None and end < today()


def serving(names: Sequence[str]) -> tuple[str, ...]:
    """Leave out what was shut down; all of them, if all were: the table may be wrong."""
    return tuple(name for name in names if not is_retired(name)) or tuple(names)


def today() -> date:
    """Return the day it is in UTC."""
    return _chosen.clock()


@dataclass(slots=True)
class _Chosen:
    """What `use` was told."""

    own: Table = field(default_factory=Table)
    chat_host: str = ""
    speech_host: str = ""
    clock: Callable[[], date] = _utc


_chosen = _Chosen()


def _host(url: str | None) -> str:
    return urlsplit(url or "").hostname or ""


def _row(name: str, host: str, shipped: Rows, own: Rows) -> dict[str, Any]:
    """Merge all that is said of a name: the owner's word and the exact spelling last."""
    row: dict[str, Any] = {}
    for rows in (shipped, own):
        row |= _family(name, rows)
        for spelling in _spellings(name, host):
            row |= _undated(rows.get(_SNAPSHOT.sub("", spelling), {}))
            row |= rows.get(spelling, {})
    return row


def _spellings(name: str, host: str) -> Iterator[str]:
    """Yield the names that a model may have in the table, the closest one last."""
    bare = _VENDORS.sub("", name)
    if bare.startswith("ft:"):
        bare = ":".join(bare.split(":")[:2])
    if bare.startswith("claude-"):
        yield bare.replace(".", "-")
    yield bare
    yield name
    yield f"{host}/{name}"


def _family(name: str, rows: Rows) -> dict[str, Any]:
    """Return the limits of the closest family that a name begins with."""
    for family in table.families(_VENDORS.sub("", name)):
        row = rows.get(family, {})
        if row.get("family"):
            return {key: value for key, value in row.items() if key in _LIMITS}
    return {}


def _undated(row: Mapping[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in row.items() if key not in _DATED}


def _day(written: str | None) -> date | None:
    return date.fromisoformat(written) if written else None


def _price(row: Mapping[str, Any] | None) -> Price | None:
    if row is None:
        return None
    cost = row.get("input") or 0
    cached, written = row.get("cached"), row.get("written")
    return Price(
        input=cost,
        cached=cost if cached is None else min(cached, cost),
        written=cost if written is None else written,
        output=row.get("output") or 0,
        audio_minute=row.get("audio_minute") or 0,
        above=row.get("above") or 0,
        long=_price(row.get("long")),
    )
