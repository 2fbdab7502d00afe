"""The model table: known families, careful guesses, and the days models end."""

import inspect
import re
from datetime import UTC, date, datetime, timedelta

import openai.types.audio_model
import openai.types.shared.chat_model
import pytest
from hypothesis import given, settings
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


@pytest.mark.parametrize(
    ("name", "dollars"),
    [
        ("gpt-5.4-mini", (0.75, 0.075, 0.75, 4.5)),
        ("gpt-5.4-mini-2026-03-17", (0.75, 0.075, 0.75, 4.5)),
        ("gpt-5.4-mini-2099-01-01", (0.75, 0.075, 0.75, 4.5)),
        ("openai/gpt-4o", (2.5, 1.25, 2.5, 10)),
        ("gpt-6-luna", (0.1, 0.01, 0.125, 0.5)),
        ("gpt-4", (30, 30, 30, 60)),
        ("claude-sonnet-4-5", (3, 0.3, 3.75, 15)),
        ("anthropic/claude-sonnet-4.5", (3, 0.3, 3.75, 15)),
        ("google/gemini-2.5-flash", (0.3, 0.03, 0.3, 2.5)),
        ("models/gemini-2.5-flash", (0.3, 0.03, 0.3, 2.5)),
        ("ft:gpt-4o-mini-2024-07-18:acme::A1b2", (0.3, 0.15, 0.3, 1.2)),
        ("smollm2-135m", (0, 0, 0, 0)),
    ],
)
def test_prices(name: str, dollars: tuple[float, ...]) -> None:
    """Of a model, its snapshots and its names at gateways; unknown for cached: that of input."""
    price = models.describe(name).price
    assert price
    micros = (price.input, price.cached, price.written, price.output)
    assert micros == tuple(round(dollar * 1_000_000) for dollar in dollars)


@pytest.mark.parametrize(
    "name",
    [
        "gpt-6.2-sol",
        "gpt-5.4-mini-turbo",
        "ft:gpt-5.4-mini:acme::A1b2",
        "mistral-large-latest",
        "gpt-oss-20b",
        "openai/gpt-oss-20b",
        "deepseek/deepseek-chat",
        "mystery",
    ],
)
def test_a_price_is_never_guessed(name: str) -> None:
    """Neither from the family nor, of open weights, from what another host takes for them."""
    assert models.describe(name).price is None


def test_a_host_has_prices_of_its_own() -> None:
    """What a name means there is not what it means elsewhere."""
    models.use(
        chat_url="https://api.groq.com/openai/v1", speech_url="https://api.groq.com/openai/v1"
    )
    assert models.describe("openai/gpt-oss-20b").context == 131_072
    hearing = models.describe_speech("whisper-large-v3").price
    assert hearing
    assert hearing.audio_minute == 1_850


@pytest.mark.parametrize(
    ("name", "minute"),
    [("gpt-transcribe", 4_500), ("whisper-1", 6_000), ("whisper-base (embedded)", 0)],
)
def test_prices_of_speech(name: str, minute: int) -> None:
    """In micro-dollars per minute."""
    price = models.describe_speech(name).price
    assert price
    assert price.audio_minute == minute


def test_abilities_and_dates() -> None:
    """What a model can do, when it was frozen, when it ends."""
    found = models.describe("gpt-4o-2024-11-20")
    assert found.abilities == {"tools", "vision"}
    assert (found.snapshot, found.retires) == (date(2024, 11, 20), date(2027, 1, 14))
    assert models.describe("gpt-audio").abilities == {"audio", "tools"}
    assert models.describe("gpt-4").tokenizer == "cl100k"
    assert models.describe_speech("gpt-4o-mini-transcribe-2025-12-15").snapshot


PRICE = models.Price(
    input=1_000_000, cached=100_000, written=1_250_000, output=5_000_000, audio_minute=6_000
)


@pytest.mark.parametrize(
    ("call", "micros"),
    [
        ({}, 0),
        ({"input": 1}, 1),
        ({"input": 10, "cached": 10}, 1),
        ({"input": 100, "cached": 60, "output": 10}, 96),
        ({"input": 100, "cached": 60, "written": 40}, 56),
        ({"input": 100, "written": 100}, 125),
        ({"input": 10, "cached": 99, "written": 99}, 1),
        ({"seconds": 0.001}, 1),
        ({"seconds": 60}, 6_000),
        ({"seconds": 60, "input": 600, "output": 100}, 6_000),
        ({"seconds": 1, "input": 600}, 600),
    ],
)
def test_costs_are_rounded_up(call: dict[str, float], micros: int) -> None:
    """Each kind of token at its price; of minutes and tokens the dearer; nothing paid is 0."""
    assert PRICE.cost(**call) == micros  # type: ignore[arg-type]


def test_long_prompts_cost_more() -> None:
    """One token too many, and the whole call is billed at another price."""
    price = models.describe("gpt-5.4").price
    assert price
    assert price.at(272_000) is price
    assert price.cost(input=272_000, output=100) == 680_000 + 1_500
    assert price.cost(input=272_001, output=100) == 1_360_005 + 2_250


@settings(deadline=None)
@given(
    name=st.sampled_from([*CHAT_MODELS, "gpt-6-luna", "gpt-5.4", "gpt-4"]),
    parts=st.tuples(*[st.integers(0, 400_000)] * 3),
    output=st.integers(0, 200_000),
)
def test_the_worst_case_is_all_of_it_written(
    name: str, parts: tuple[int, ...], output: int
) -> None:
    """However a prompt is billed, it costs no more; what is cached never costs more than new."""
    price = models.describe(name).price
    assert price
    cached, written, _ = parts
    tokens = sum(parts)
    cost = price.cost(input=tokens, cached=cached, written=written, output=output)
    assert cost <= price.cost(input=tokens, written=tokens, output=output)
    assert price.cost(input=tokens, cached=cached) <= price.cost(input=tokens)


@pytest.mark.parametrize(
    ("names", "asked"),
    [
        (("gpt-5.4", "mystery", "gpt-4o"), ("gpt-5.4", "mystery", "gpt-4o")),
        (("o1", "gpt-5.4", "gpt-4", "mystery"), ("gpt-5.4", "mystery")),
        (("o1", "gpt-4"), ("o1", "gpt-4")),
    ],
)
def test_what_was_shut_down_is_skipped(names: tuple[str, ...], asked: tuple[str, ...]) -> None:
    """The order stays; where nothing else is left, it is asked all the same."""
    assert models.serving(names) == asked


def test_the_day_of_the_shutdown_counts_as_alive() -> None:
    """Warned of 60 days before, skipped from the day after; in UTC."""
    end = date(2027, 1, 14)
    for day, soon, is_retired in (
        (date(2026, 11, 14), None, False),
        (date(2026, 11, 15), end, False),
        (date(2027, 1, 14), end, False),
        (date(2027, 1, 15), end, True),
    ):
        models.use(clock=lambda day=day: day)  # type: ignore[misc]
        assert models.ends_soon("gpt-4o") == soon
        assert models.is_retired("gpt-4o") is is_retired
    models.use()
    assert abs(models.today() - datetime.now(UTC).date()) <= timedelta(days=1)
