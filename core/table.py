"""The rows of the model table: what one may say, those that ship, and the owner's own.

`core/data/models.json` ships; `core.data.make_models` makes it. A file that the setting
MODEL_TABLE names has the same shape, and its rows may be partial::

    {"chat": {"llama3.2:3b": {"context": 8192, "price": {"input": 0, "output": 0}}},
     "speech": {"parakeet": {"price": {"audio_minute": 1000}}}}
"""

import functools
import importlib.resources
import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError, model_validator

SHIPPED = Path(str(importlib.resources.files("core"))) / "data" / "models.json"

# Less than a tenth of a cent for a million tokens is no price but a slip: dollars, most likely.
LEAST_PRICE = 1_000

Rows = Mapping[str, Mapping[str, Any]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """Rows by the models' names, or by host and name where the name alone says too little."""

    chat: Rows = field(default_factory=dict)
    speech: Rows = field(default_factory=dict)


def _check_price(value: int) -> int:
    if 0 < value < LEAST_PRICE:
        raise ValueError("should be in micro-dollars, of which 1000000 are a dollar")
    return value


Rate = Annotated[int, Field(strict=True, ge=0), AfterValidator(_check_price)]


# Built when an owner's file is read: that takes 15 ms, and most have none.
_STRICT = ConfigDict(extra="forbid", defer_build=True)


class PriceRow(BaseModel):
    """Prices in micro-dollars: per million tokens, `audio_minute` per minute.

    Attributes:
        cached: Of what a prompt repeats; the price of input if it is not known.
        written: Of what a prompt adds to the provider's cache; likewise.
        above: In `long`: for prompts of more tokens than this.
        long: What such a prompt and its reply cost.
    """

    model_config = _STRICT

    input: Rate | None = None
    cached: Rate | None = None
    written: Rate | None = None
    output: Rate | None = None
    audio_minute: Annotated[int, Field(strict=True, ge=0)] | None = None
    above: Annotated[int, Field(strict=True, gt=0)] | None = None
    long: "PriceRow | None" = None

    @model_validator(mode="after")
    def _check_whole(self) -> "PriceRow":
        if (self.input is None) != (self.output is None):
            raise ValueError("should have both input and output")
        if self.input is None and self.audio_minute is None:
            raise ValueError("should have input and output, or audio_minute")
        if self.long and self.long.above is None:
            raise ValueError("should say above how many tokens it is long")
        return self


class ChatRow(BaseModel):
    """A chat model; see `core.models.Model`. Of a `family`, only the limits count for others."""

    model_config = _STRICT

    context: int | None = Field(None, ge=512)
    output: int | None = Field(None, ge=16)
    tokenizer: Literal["o200k", "cl100k", "unknown"] = "unknown"
    abilities: tuple[Literal["audio", "tools", "vision"], ...] = ()
    price: PriceRow | None = None
    snapshot: date | None = None
    retires: date | None = None
    family: bool = False
    source: tuple[str, ...] = ()


class SpeechRow(BaseModel):
    """A transcription model; see `core.models.SpeechModel`."""

    model_config = _STRICT

    max_seconds: float | None = Field(None, gt=0)
    formats: tuple[str, ...] | None = Field(None, min_length=1)
    can_translate: bool = False
    price: PriceRow | None = None
    snapshot: date | None = None
    retires: date | None = None
    family: bool = False
    source: tuple[str, ...] = ()


class _File(BaseModel):
    model_config = _STRICT

    sources: dict[str, dict[str, str]] = {}
    chat: dict[str, ChatRow] = {}
    speech: dict[str, SpeechRow] = {}


@functools.cache
def shipped() -> Table:
    """Return the rows that ship; reading them takes 2 ms, once in a process."""
    found = json.loads(SHIPPED.read_bytes())
    return Table(chat=found["chat"], speech=found["speech"])


def families(name: str) -> Iterator[str]:
    """Yield what a model's name begins with, the longest first: of a-1.5-b, also a-1.5, a-1, a."""
    family = name.removeprefix("ft:").partition(":")[0]
    while family:
        yield family
        family = re.sub(r"[-.]?[^-.]*$", "", family)


def read(path: Path) -> Table:
    """Read a table and check every row of it.

    Raises:
        ValueError: It cannot be read, or a row of it is wrong; says which.
    """
    try:
        found = _File.model_validate_json(path.read_bytes())
    except OSError as error:
        raise ValueError("should name a readable file") from error
    except ValidationError as error:
        raise ValueError(_problem(error)) from None
    return Table(
        chat={
            name: row.model_dump(mode="json", exclude_unset=True)
            for name, row in found.chat.items()
        },
        speech={
            name: row.model_dump(mode="json", exclude_unset=True)
            for name, row in found.speech.items()
        },
    )


def _problem(error: ValidationError) -> str:
    """Return the first thing that is wrong, and where."""
    detail = error.errors(include_input=False, include_url=False)[0]
    text = detail["msg"].removeprefix("Value error, ")
    place = [str(part) for part in detail["loc"]]
    if len(place) > 1:
        kind, name, *fields = place
        where = [f'{kind} model "{name}"', ".".join(fields)]
    else:
        where = place
    return ": ".join([*filter(None, where), f"{text[0].lower()}{text[1:]}"])
