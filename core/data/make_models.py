"""Make `models.json` of LiteLLM's public list and of what is kept by hand in `models_extra.json`.

Run as `python -m core.data.make_models LIST`, where LIST is a fresh copy of
`model_prices_and_context_window.json` from github.com/BerriAI/litellm (MIT licence). It is well
kept and says when models are shut down, which genai-prices does not; in 2026-11 both agreed on
every price of OpenAI, Anthropic and Google taken here. Nothing of this runs with the program.
"""

import argparse
import json
import re
from collections.abc import Iterator, Mapping
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

from core import table

HERE = Path(__file__).parent
URL = "https://github.com/BerriAI/litellm/blob/main/model_prices_and_context_window.json"

# Whose models are taken, and what stands before their names in the table: the host where the
# names are open weights', which are served elsewhere, too, for less or for nothing.
PROVIDERS = {
    "openai": "",
    "anthropic": "",
    "gemini": "",
    "xai": "",
    "mistral": "api.mistral.ai/",
    "deepseek": "api.deepseek.com/",
    "groq": "api.groq.com/",
    "moonshot": "api.moonshot.ai/",
}
ENDPOINTS = {"chat": "/v1/chat/completions", "audio_transcription": "/v1/audio/transcriptions"}
# What answers no chats, is in no shop, is billed for more than tokens, or (gemma) only within
# limits for nothing.
_NO_CHAT = re.compile(
    r"container|computer-use|robotics|deep-research|-tts|-exp-|experimental|-beta|-gv2|omni|lyria|"
    r"gemma|learnlm|guard|-cyber|rosalind|daybreak|-law|^chat-latest|-vibe-|-fim-|leanstral|"
    r"realtime|-live|mythos|customtools|-search-"
)
_ABILITIES = {
    "audio": "supports_audio_input",
    "tools": "supports_function_calling",
    "vision": "supports_vision",
}
_RATES = {
    "input": "input_cost_per_token",
    "cached": "cache_read_input_token_cost",
    "written": "cache_creation_input_token_cost",
    "output": "output_cost_per_token",
}
_LONG = re.compile(r"^input_cost_per_token_above_(\d+)k_tokens$")
_DAY = re.compile(r"-(\d{4})-?(\d{2})-?(\d{2})$")
# Micro-dollars per million tokens, per minute.
_PER_TOKEN, _PER_SECOND = Decimal(10) ** 12, Decimal(60) * 10**6

_ORDER = [*table.ChatRow.model_fields, *table.SpeechRow.model_fields]

Row = dict[str, Any]
Listed = Mapping[str, Mapping[str, Any]]


def main() -> None:
    """Write `models.json` anew."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("list", type=Path, help="LiteLLM's list")
    parser.add_argument("--to", type=Path, default=HERE / "models.json", help="what is written")
    arguments = parser.parse_args()
    listed = json.loads(arguments.list.read_bytes(), parse_float=Decimal)
    extra = json.loads((HERE / "models_extra.json").read_bytes())
    made = make(listed, extra, day=datetime.now(UTC).date())
    arguments.to.write_text(spell(made), encoding="utf-8")


def make(listed: Listed, extra: Mapping[str, Any], *, day: date) -> dict[str, Any]:
    """Return the table.

    Args:
        listed: LiteLLM's list.
        extra: What is kept by hand, which counts before it.
        day: When the list was taken.
    """
    rows = {
        "chat": dict(_taken(listed, "chat")),
        "speech": dict(_taken(listed, "audio_transcription")),
    }
    for ended, names in extra["ends"].items():
        for name in names.split():
            kind = "speech" if _family(name, extra["families"]["speech"]) else "chat"
            _add(rows[kind], name, {"retires": ended}, "ends")
    for kind, families in extra["families"].items():
        for name in {*rows[kind], *families}:
            if family := _family(name, families):
                _add(rows[kind], name, families[family], f"{kind}-limits")
        for name in families:
            rows[kind][name]["family"] = True
        for name, row in extra["embedded"][kind].items():
            _add(rows[kind], name, row, "embedded")
    source = {"url": URL, "date": day.isoformat()}
    return {"sources": {"litellm": source, **extra["sources"]}, **rows}


def spell(made: Mapping[str, Any]) -> str:
    """Return a table as text: sorted, a row a line, so that changes can be read."""
    parts = []
    for part, rows in made.items():
        lines = ",\n".join(f"{json.dumps(name)}: {_line(rows[name])}" for name in sorted(rows))
        parts.append(f"{json.dumps(part)}: {{\n{lines}\n}}")
    return "{\n" + ",\n".join(parts) + "\n}\n"


def _line(row: Row) -> str:
    keys = sorted(row, key=lambda key: _ORDER.index(key) if key in _ORDER else 0)
    return json.dumps({key: row[key] for key in keys})


def _taken(listed: Listed, mode: str) -> Iterator[tuple[str, Row]]:
    """Yield the rows that have a price, by the names that their servers know."""
    for key, entry in listed.items():
        provider = entry.get("litellm_provider", "")
        endpoints = entry.get("supported_endpoints", [ENDPOINTS[mode]])
        if provider not in PROVIDERS or entry["mode"] != mode:
            continue
        if _NO_CHAT.search(key) or ENDPOINTS[mode] not in endpoints:
            continue
        if price := _price(entry):
            name = PROVIDERS[provider] + key.removeprefix(f"{provider}/")
            yield name, {**_row(name, entry, mode), "price": price, "source": ["litellm"]}


def _row(name: str, entry: Mapping[str, Any], mode: str) -> Row:
    row: Row = {}
    if mode == "chat":
        limits = {"context": "max_input_tokens", "output": "max_output_tokens"}
        row |= {ours: entry[theirs] for ours, theirs in limits.items() if entry.get(theirs)}
        if can := sorted(ours for ours, theirs in _ABILITIES.items() if entry.get(theirs)):
            row["abilities"] = can
    if day := _DAY.search(name):
        row["snapshot"] = "-".join(day.groups())
    if end := entry.get("deprecation_date"):
        row["retires"] = end
    return row


def _price(entry: Mapping[str, Any]) -> Row | None:
    """Return the prices of an entry; None if it has none: a zero means that nobody knew."""
    price = _rates(entry, "")
    if second := entry.get("input_cost_per_second"):
        price["audio_minute"] = round(second * _PER_SECOND)
    if not price:
        return None
    if long := min((int(k) for key in entry for k in _LONG.findall(key)), default=0):
        price["long"] = {"above": long * 1_000, **_rates(entry, f"_above_{long}k_tokens")}
    return price


def _rates(entry: Mapping[str, Any], ending: str) -> Row:
    found = {ours: entry.get(theirs + ending) for ours, theirs in _RATES.items()}
    if not (found["input"] and found["output"]):
        return {}
    rates = {ours: round(cost * _PER_TOKEN) for ours, cost in found.items() if cost}
    # Nobody writes to a cache for less than without one: such a price is a slip.
    return {
        ours: rate for ours, rate in rates.items() if ours != "written" or rate > rates["input"]
    }


def _family(name: str, families: Mapping[str, Any]) -> str:
    """Return the closest family that a name begins with; empty if there is none."""
    return next((family for family in table.families(name) if family in families), "")


def _add(rows: dict[str, Row], name: str, said: Mapping[str, Any], source: str) -> None:
    row = rows.setdefault(name, {"source": []})
    sources = [*row.pop("source"), source]
    row |= said
    row["source"] = sources


if __name__ == "__main__":
    main()
