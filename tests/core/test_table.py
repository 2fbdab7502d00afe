"""The model table as it ships, and an owner's file over it."""

import json
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from core import models, table
from core.data import make_models

SHIPPED = json.loads(table.SHIPPED.read_text(encoding="utf-8"))
ROWS = [*SHIPPED["chat"].values(), *SHIPPED["speech"].values()]


@pytest.fixture
def own(tmp_path: Path) -> Path:
    """Where an owner's file is."""
    return tmp_path / "mine.json"


def chat(own: Path, rows: dict[str, Any], **options: Any) -> None:
    """Use an owner's rows for chat models."""
    own.write_text(json.dumps({"chat": rows}), encoding="utf-8")
    models.use(own, **options)


def test_what_ships_passes_what_an_owners_file_must_pass() -> None:
    """Every row of it is whole and right, names its sources, and stands in its line."""
    found = table.read(table.SHIPPED)
    assert set(found.chat) == set(SHIPPED["chat"])
    assert set(found.speech) == set(SHIPPED["speech"])
    assert all(row["source"] for row in ROWS)
    assert {key for row in ROWS for key in row["source"]} == set(SHIPPED["sources"])
    assert all(set(source) >= {"url", "date"} for source in SHIPPED["sources"].values())
    assert table.SHIPPED.read_text(encoding="utf-8") == make_models.spell(SHIPPED)
    assert table.SHIPPED.stat().st_size <= 150_000


def test_what_ships_holds_what_is_kept_by_hand() -> None:
    """Nobody may change one file and forget the other."""
    extra = json.loads((table.SHIPPED.parent / "models_extra.json").read_text(encoding="utf-8"))
    for kind, families in extra["families"].items():
        for name, limits in families.items():
            row = SHIPPED[kind][name]
            assert row == row | limits | {"family": True}
        for name, row in extra["embedded"][kind].items():
            assert SHIPPED[kind][name] == row | {"source": ["embedded"]}
    for day, names in extra["ends"].items():
        assert {models.ends(name) for name in names.split()} == {date.fromisoformat(day)}


def test_an_owner_overrules_adds_and_takes_away(own: Path) -> None:
    """What a partial row does not say stays as it is; null takes back what was said."""
    price = {"input": 0, "output": 0}
    mine = {"context": 8192, "price": price, "abilities": ["tools"], "tokenizer": "o200k"}
    changed = {"price": None, "retires": "2026-12-24"}
    chat(own, {"llama3.2:3b": mine, "gpt-5.4": changed, "gpt-4": {"retires": None}})
    llama, gpt = models.describe("llama3.2:3b"), models.describe("openai/gpt-5.4")
    assert (llama.context, llama.output, llama.is_exact) == (8192, models.UNKNOWN_OUTPUT, True)
    assert llama.is_known
    assert llama.abilities == {"tools"}
    assert llama.price
    assert llama.price.cost(input=10**9, output=10**9) == 0
    assert (gpt.price, gpt.context, gpt.retires) == (None, 922_000, date(2026, 12, 24))
    assert models.serving(["gpt-4", "gpt-5.4"]) == ("gpt-4", "gpt-5.4")
    models.use()
    assert not models.describe("llama3.2:3b").is_known


def test_an_owners_family_counts_for_its_members(own: Path) -> None:
    """As with those that ship, limits are handed down, prices are not."""
    row = {"context": 40_000, "family": True, "price": {"input": 2000, "output": 2000}}
    chat(own, {"qwen3": row})
    found = models.describe("qwen3-32b")
    assert (found.context, found.is_known, found.price) == (40_000, True, None)


def test_an_owner_describes_what_hears(own: Path) -> None:
    """The same for speech."""
    row = {"price": {"audio_minute": 1}, "max_seconds": 600, "formats": ["text"]}
    own.write_text(json.dumps({"speech": {"parakeet": row}}), encoding="utf-8")
    models.use(own)
    found = models.describe_speech("parakeet")
    assert (found.max_seconds, found.formats, found.is_known) == (600, ("text",), True)
    assert found.price
    assert found.price.cost(seconds=0.5) == 1


@pytest.mark.parametrize(
    ("written", "problem"),
    [
        ("no", "invalid JSON: "),
        ("[]", "input should be an object"),
        ('{"talk": {}}', "talk: extra inputs are not permitted"),
        ('{"chat": {"a": {"window": 1}}}', 'chat model "a": window: extra inputs are not'),
        ('{"chat": {"a": {"context": 1}}}', 'chat model "a": context: input should be greater'),
        ('{"chat": {"a": {"retires": "soon"}}}', 'chat model "a": retires: input should be'),
        ('{"chat": {"a": {"price": {"input": 0.15, "output": 1}}}}', 'chat model "a": price.inp'),
        (
            '{"chat": {"a": {"price": {"input": 3, "output": 15}}}}',
            'chat model "a": price.input: should be in micro-dollars, of which 1000000 are a dol',
        ),
        (
            '{"chat": {"a": {"price": {"input": 3000}}}}',
            'chat model "a": price: should have both input and output',
        ),
        (
            '{"speech": {"a": {"price": {}}}}',
            'speech model "a": price: should have input and output, or audio_minute',
        ),
        (
            '{"chat": {"a": {"price": {"input": 0, "output": 0, "long": {"audio_minute": 0}}}}}',
            'chat model "a": price: should say above how many tokens it is long',
        ),
    ],
)
def test_a_wrong_file_is_told(own: Path, written: str, problem: str) -> None:
    """The first thing that is wrong, and the row where it is."""
    own.write_text(written, encoding="utf-8")
    with pytest.raises(ValueError, match=problem[:5]) as caught:
        models.use(own)
    assert str(caught.value).startswith(problem)


def test_a_missing_file_is_told(own: Path) -> None:
    """A file that is not there is a mistake, not an empty table."""
    with pytest.raises(ValueError, match=r"^should name a readable file$"):
        models.use(own)
