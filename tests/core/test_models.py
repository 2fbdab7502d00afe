"""The model table: known families, careful guesses, and the days models end."""

import inspect
import re
from datetime import date

import openai.types.audio_model
import openai.types.shared.chat_model
import pytest
from hypothesis import given
from hypothesis import strategies as st

from core import models
from core.settings import CHAT_MODELS, SPEECH_MODELS


@pytest.mark.parametrize(
    ("name", "context", "output", "is_exact"),
    [
        ("gpt-6.2-sol", 922_000, 128_000, False),
        ("gpt-6-luna", 922_000, 128_000, False),
        ("gpt-5.6-terra", 922_000, 128_000, True),
        ("gpt-5.4", 922_000, 128_000, True),
        ("gpt-5.4-mini", 272_000, 128_000, True),
        ("gpt-5.4-mini-2026-03-17", 272_000, 128_000, True),
        ("gpt-5.2-chat-latest", 128_000, 16_384, True),
        ("gpt-5.2-2025-12-11", 272_000, 128_000, True),
        ("gpt-5", 272_000, 128_000, True),
        ("gpt-4.1-mini", 1_047_576, 32_768, True),
        ("gpt-4o-mini-2024-07-18", 128_000, 16_384, True),
        ("gpt-4o-2024-05-13", 128_000, 4_096, True),
        ("gpt-4-0613", 8_192, 8_192, False),
        ("o3-mini", 100_000, 100_000, True),
        ("openai/gpt-4o", 128_000, 16_384, True),
        ("ft:gpt-4o-mini-2024-07-18:acme::A1b2", 128_000, 16_384, True),
    ],
)
def test_families(name: str, context: int, output: int, *, is_exact: bool) -> None:
    """A model has the limits of its family."""
    model = models.describe(name)
    assert (model.context, model.output, model.is_exact) == (context, output, is_exact)
    assert model.is_known
    assert model.name == name


@pytest.mark.parametrize("name", ["", "llama3.2:3b", "gpt", "gpt-40", "gpt-5x", "mistral-large"])
def test_unknown_models(name: str) -> None:
    """A model nobody described gets a small window, and is said to be unknown."""
    model = models.describe(name)
    assert (model.context, model.is_known, model.is_exact) == (4_096, False, False)


@given(st.text())
def test_any_name_is_described(name: str) -> None:
    """No name is an error, and every model can be asked something."""
    assert models.describe(name).context >= 2 * models.UNKNOWN_OUTPUT
    assert models.describe_speech(name).formats


@pytest.mark.parametrize(
    ("name", "seconds", "formats", "can_translate"),
    [
        ("whisper-1", None, 5, True),
        ("gpt-transcribe", 1_500, 1, False),
        ("gpt-4o-transcribe", 1_500, 1, False),
        ("gpt-4o-mini-transcribe-2025-12-15", 1_500, 1, False),
        ("gpt-4o-transcribe-diarize", 1_500, 3, False),
    ],
)
def test_speech_models(
    name: str, seconds: float | None, formats: int, *, can_translate: bool
) -> None:
    """A transcription model has documented limits."""
    model = models.describe_speech(name)
    assert (model.max_seconds, len(model.formats)) == (seconds, formats)
    assert model.can_translate is can_translate
    assert model.is_known


def test_unknown_speech_model() -> None:
    """A speech model nobody described is asked for what every server can answer."""
    model = models.describe_speech("parakeet")
    assert (model.max_seconds, model.formats, model.is_known) == (None, ("json",), False)


def test_ends_are_those_of_the_sdk() -> None:
    """The table of ends says what the installed SDK's documentation says."""
    announced = {}
    for module in (openai.types.shared.chat_model, openai.types.audio_model):
        source = re.sub(r"\s+", " ", inspect.getsource(module).partition("Deprecated values:")[2])
        for names, day in re.findall(r"- (\"[^:]+): Announced shutdown date: (\S+)\.", source):
            for name in re.findall(r'"([^"]+)"', names):
                announced[name] = date.fromisoformat(day)
    assert announced
    assert announced == {name: models.ends(name) for name in announced}
    assert models.ends("gpt-5.4") is None


@pytest.mark.parametrize("name", [*CHAT_MODELS, *SPEECH_MODELS[:1]])
def test_preferred_defaults_do_not_end(name: str) -> None:
    """The models we prefer by default have no announced end."""
    assert models.ends(name) is None
