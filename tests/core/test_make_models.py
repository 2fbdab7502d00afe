"""The script that makes the model table, on an excerpt of the public list."""

import json
import subprocess
import sys
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

from core.data.make_models import make

# As in LiteLLM's list of 2026-11, without what is not used.
LISTED = """{
 "gpt-5.4": {
  "litellm_provider": "openai", "mode": "chat", "max_input_tokens": 1050000,
  "max_output_tokens": 128000, "input_cost_per_token": 2.5e-06,
  "output_cost_per_token": 1.5e-05, "cache_read_input_token_cost": 2.5e-07,
  "input_cost_per_token_batches": 1.25e-06, "input_cost_per_token_above_272k_tokens": 5e-06,
  "output_cost_per_token_above_272k_tokens": 2.25e-05,
  "input_cost_per_token_above_272k_tokens_flex": 2.5e-06,
  "supported_endpoints": ["/v1/chat/completions", "/v1/responses"],
  "supports_function_calling": true, "supports_vision": true, "supports_audio_input": false},
 "gpt-6-luna-2026-09-08": {
  "litellm_provider": "openai", "mode": "chat", "max_input_tokens": 922000,
  "max_output_tokens": 128000, "input_cost_per_token": 1e-07, "output_cost_per_token": 5e-07,
  "cache_creation_input_token_cost": 1.25e-07, "deprecation_date": "2028-01-01"},
 "ft:gpt-4o-2024-11-20": {
  "litellm_provider": "openai", "mode": "chat", "input_cost_per_token": 3.75e-06,
  "output_cost_per_token": 1.5e-05, "cache_creation_input_token_cost": 1.875e-06},
 "gpt-5-pro": {
  "litellm_provider": "openai", "mode": "chat", "input_cost_per_token": 1.5e-05,
  "output_cost_per_token": 1.2e-04, "supported_endpoints": ["/v1/responses"]},
 "gpt-5.6-cyber": {
  "litellm_provider": "openai", "mode": "chat", "input_cost_per_token": 1.25e-05,
  "output_cost_per_token": 7.5e-05},
 "gemini/gemini-9-free": {
  "litellm_provider": "gemini", "mode": "chat", "input_cost_per_token": 0.0,
  "output_cost_per_token": 0.0},
 "azure/gpt-5.4": {
  "litellm_provider": "azure", "mode": "chat", "input_cost_per_token": 1e-06,
  "output_cost_per_token": 1e-06},
 "groq/openai/gpt-oss-20b": {
  "litellm_provider": "groq", "mode": "chat", "max_input_tokens": 131072,
  "input_cost_per_token": 7.5e-08, "output_cost_per_token": 3e-07},
 "groq/whisper-large-v3": {
  "litellm_provider": "groq", "mode": "audio_transcription", "input_cost_per_second": 3.083e-05},
 "whisper-1": {
  "litellm_provider": "openai", "mode": "audio_transcription", "input_cost_per_second": 0.0001}
}"""
EXTRA: dict[str, Any] = {
    "sources": {"chat-limits": {"url": "https://models.example", "date": "2026-11"}},
    "families": {
        "chat": {
            "gpt-5": {"context": 272_000, "output": 128_000, "tokenizer": "o200k"},
            "gpt-5.4": {"context": 922_000, "output": 128_000, "tokenizer": "o200k"},
            "gpt-4o": {"context": 128_000, "output": 16_384, "tokenizer": "o200k"},
        },
        "speech": {"whisper-1": {"formats": ["json", "text"], "can_translate": True}},
    },
    "ends": {"2027-02-26": "whisper-1 gpt-5-old"},
    "embedded": {
        "chat": {"small": {"price": {"input": 0, "output": 0}}},
        "speech": {"ear": {"price": {"audio_minute": 0}}},
    },
}


def made() -> dict[str, Any]:
    """Return the table of the excerpt."""
    return make(json.loads(LISTED, parse_float=Decimal), EXTRA, day=date(2026, 11, 21))


def test_a_price_is_whole_micro_dollars() -> None:
    """Per million tokens, with what long prompts cost; other tariffs are left out."""
    assert made()["chat"]["gpt-5.4"]["price"] == {
        "input": 2_500_000,
        "cached": 250_000,
        "output": 15_000_000,
        "long": {"above": 272_000, "input": 5_000_000, "output": 22_500_000},
    }
    assert made()["speech"]["api.groq.com/whisper-large-v3"]["price"] == {"audio_minute": 1850}


def test_what_is_kept_by_hand_counts_first() -> None:
    """Limits of the closest family, and ends, each with its source."""
    chat = made()["chat"]
    gpt = chat["gpt-5.4"]
    assert (gpt["context"], gpt["tokenizer"], gpt["family"]) == (922_000, "o200k", True)
    assert (gpt["abilities"], gpt["source"]) == (["tools", "vision"], ["litellm", "chat-limits"])
    assert chat["gpt-5-old"] == {
        "context": 272_000,
        "output": 128_000,
        "tokenizer": "o200k",
        "retires": "2027-02-26",
        "source": ["ends", "chat-limits"],
    }
    assert made()["speech"]["whisper-1"] == {
        "formats": ["json", "text"],
        "can_translate": True,
        "price": {"audio_minute": 6000},
        "retires": "2027-02-26",
        "family": True,
        "source": ["litellm", "ends", "speech-limits"],
    }
    assert chat["small"] == EXTRA["embedded"]["chat"]["small"] | {"source": ["embedded"]}


def test_dates_and_cache_writes_are_kept() -> None:
    """A snapshot's day is in its name; writing to a cache for less than nothing is a slip."""
    luna = made()["chat"]["gpt-6-luna-2026-09-08"]
    assert (luna["snapshot"], luna["retires"]) == ("2026-09-08", "2028-01-01")
    assert luna["price"]["written"] == 125_000
    assert "written" not in made()["chat"]["ft:gpt-4o-2024-11-20"]["price"]


def test_only_what_can_chat_at_a_known_price_is_taken() -> None:
    """Open weights stand under their host, since their names mean no price elsewhere."""
    assert set(made()["chat"]) - set(EXTRA["families"]["chat"]) == {
        "api.groq.com/openai/gpt-oss-20b",
        "ft:gpt-4o-2024-11-20",
        "gpt-5-old",
        "gpt-6-luna-2026-09-08",
        "small",
    }


def test_the_script_writes_the_file(tmp_path: Path) -> None:
    """A row a line, sorted, with where the list is from and when it was taken."""
    listed, written = tmp_path / "list.json", tmp_path / "models.json"
    listed.write_text(LISTED, encoding="utf-8")
    command = [sys.executable, "-m", "core.data.make_models", str(listed), "--to", str(written)]
    subprocess.run(command, check=True)
    lines = written.read_text(encoding="utf-8").splitlines()
    rows = [line for line in lines if line.startswith('"') and not line.endswith(": {")]
    assert sum(line.startswith('"gpt-5.4": {"context": 922000,') for line in rows) == 1
    found = json.loads("\n".join(lines))
    assert len(rows) == sum(len(part) for part in found.values())
    assert list(found["chat"]) == sorted(found["chat"])
    assert date.fromisoformat(found["sources"]["litellm"]["date"])
