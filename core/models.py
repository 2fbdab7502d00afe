"""What is known of models by name: their limits, their tokens, when they end."""

import re
from dataclasses import dataclass
from datetime import date
from typing import TypeVar

T = TypeVar("T")

# A server that nobody described may run with as little as this; the setting CONTEXT_TOKENS
# says better. Ollama starts small models with 4,096 (docs.ollama.com, 2026-11).
UNKNOWN_CONTEXT = 4_096
UNKNOWN_OUTPUT = 2_048


@dataclass(frozen=True, slots=True, kw_only=True)
class Price:
    """STAND-IN until the table comes: micro-dollars per million tokens, or per minute."""

    input: int | None = None
    cached: int | None = None
    output: int | None = None
    audio_minute: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Model:
    """A chat model.

    Attributes:
        context: Tokens that prompt and reply together may have and always fit. Where the
            provider sets room aside for thinking, that room is not counted.
        output: Most tokens of a reply, thinking included.
        is_exact: Its tokens are those of `core.tokens`, so no calibration is needed.
        is_known: Its limits are documented; else they are guessed low.
    """

    name: str
    context: int = UNKNOWN_CONTEXT
    output: int = UNKNOWN_OUTPUT
    is_exact: bool = False
    is_known: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class SpeechModel:
    """A model that hears.

    Attributes:
        max_seconds: Longest recording it takes; None where only the size counts.
        formats: Values of response_format it takes; the first is its default.
        can_translate: It serves /audio/translations.
        is_known: Its limits are documented.
    """

    name: str
    max_seconds: float | None = None
    formats: tuple[str, ...] = ("json",)
    can_translate: bool = False
    is_known: bool = False


def describe(name: str) -> Model:
    """Return what is known of a chat model; a guess for a name never heard of.

    A dated snapshot, a fine-tuned model (`ft:`) or a provider's prefix (`openai/`) leads to
    the family.
    """
    found = _find(name, _FAMILIES)
    if found is None:
        return Model(name=name)
    context, output, is_exact = found
    return Model(name=name, context=context, output=output, is_exact=is_exact, is_known=True)


def describe_speech(name: str) -> SpeechModel:
    """Return what is known of a transcription model; a guess for a name never heard of."""
    found = _find(name, _SPEECH)
    if found is None:
        return SpeechModel(name=name)
    max_seconds, formats, can_translate = found
    return SpeechModel(
        name=name,
        max_seconds=max_seconds,
        formats=formats,
        can_translate=can_translate,
        is_known=True,
    )


def ends(name: str) -> date | None:
    """Return the day OpenAI shuts a model down; None if none is announced."""
    return _ENDS.get(name)


def _find(name: str, table: dict[str, T]) -> T | None:
    family = name.removeprefix("openai/").removeprefix("ft:").partition(":")[0]
    while family:
        if family in table:
            return table[family]
        family = re.sub(r"[-.]?[^-.]*$", "", family)
    return None


# Context window, most output tokens, exact in o200k_base. Of the reasoning models the window
# is given without the 128,000 (100,000) tokens the provider keeps for output: GPT-5 refuses
# prompts above 272,000 of its 400,000, the 1,050,000 of later ones are 922,000 of input.
# Sources: docs.litellm.ai/blog/gpt_6_sol_luna, the model cards of GPT-6.1 Terra
# (docs.aws.amazon.com/bedrock), GPT-5.4 mini and GPT-6 (vercel.com/ai-gateway/models), the
# model pages on developers.openai.com; 2026-11. Vocabularies: tiktoken 0.14, model.py; that of
# GPT-6 is not published there, so it is calibrated. A version not listed counts as its family.
_FAMILIES: dict[str, tuple[int, int, bool]] = {
    "gpt-6": (922_000, 128_000, False),
    "gpt-5.6": (922_000, 128_000, True),
    "gpt-5.5": (922_000, 128_000, True),
    "gpt-5.4": (922_000, 128_000, True),
    "gpt-5.4-mini": (272_000, 128_000, True),
    "gpt-5.4-nano": (272_000, 128_000, True),
    "gpt-5.3-chat": (128_000, 16_384, True),
    "gpt-5.2-chat": (128_000, 16_384, True),
    "gpt-5.1-chat": (128_000, 16_384, True),
    "gpt-5-chat": (128_000, 16_384, True),
    "gpt-5": (272_000, 128_000, True),
    "gpt-4.1": (1_047_576, 32_768, True),
    "gpt-4o": (128_000, 16_384, True),
    "gpt-4o-2024-05-13": (128_000, 4_096, True),
    "chatgpt-4o": (128_000, 16_384, True),
    "gpt-audio": (128_000, 16_384, True),
    "o4-mini": (100_000, 100_000, True),
    "o3": (100_000, 100_000, True),
    "o1": (100_000, 100_000, True),
    "gpt-4-turbo": (128_000, 4_096, False),
    "gpt-4": (8_192, 8_192, False),
    "gpt-3.5-turbo": (16_385, 4_096, False),
}

# Longest recording, formats of the answer, whether it translates. openai 3.54,
# types/audio/transcription_create_params.py; the 1,500 s are the API's own words ("longer than
# 1500 seconds which is the maximum for this model"). None is published for gpt-transcribe, so
# it counts as one of theirs. 2026-11.
_SPEECH: dict[str, tuple[float | None, tuple[str, ...], bool]] = {
    "whisper-1": (None, ("json", "text", "srt", "verbose_json", "vtt"), True),
    "gpt-transcribe": (1_500, ("json",), False),
    "gpt-4o-transcribe": (1_500, ("json",), False),
    "gpt-4o-mini-transcribe": (1_500, ("json",), False),
    "gpt-4o-transcribe-diarize": (1_500, ("json", "text", "diarized_json"), False),
}

# openai 3.54, types/shared/chat_model.py and types/audio_model.py, 2026-11.
_ENDS: dict[str, date] = {
    name: date.fromisoformat(day)
    for day, names in {
        "2024-09-13": "gpt-3.5-turbo-16k gpt-3.5-turbo-0301 gpt-3.5-turbo-0613 "
        "gpt-3.5-turbo-16k-0613",
        "2024-12-06": "gpt-4-vision-preview",
        "2025-06-06": "gpt-4-32k gpt-4-32k-0314 gpt-4-32k-0613",
        "2025-07-28": "o1-preview o1-preview-2024-09-12",
        "2025-10-10": "gpt-4o-audio-preview-2024-10-01",
        "2025-10-27": "o1-mini o1-mini-2024-09-12",
        "2026-02-12": "codex-mini-latest",
        "2026-02-17": "chatgpt-4o-latest",
        "2026-03-26": "gpt-4-0125-preview gpt-4-turbo-preview gpt-4-0314",
        "2026-05-07": "gpt-4o-audio-preview gpt-4o-audio-preview-2024-12-17 "
        "gpt-4o-audio-preview-2025-06-03 gpt-4o-mini-audio-preview "
        "gpt-4o-mini-audio-preview-2024-12-17",
        "2026-07-23": "gpt-5.1-codex gpt-5.1-chat-latest gpt-5-chat-latest "
        "gpt-4o-search-preview gpt-4o-mini-search-preview "
        "gpt-4o-search-preview-2025-03-11 gpt-4o-mini-search-preview-2025-03-11",
        "2026-08-10": "gpt-5.3-chat-latest gpt-5.2-chat-latest",
        "2026-09-28": "gpt-3.5-turbo-1106",
        "2026-10-23": "gpt-4.1-nano gpt-4.1-nano-2025-04-14 o4-mini o4-mini-2025-04-16 o3-mini "
        "o3-mini-2025-01-31 o1 o1-2024-12-17 gpt-4o-2024-05-13 gpt-4-turbo "
        "gpt-4-turbo-2024-04-09 gpt-4-1106-preview gpt-4 gpt-4-0613 gpt-3.5-turbo "
        "gpt-3.5-turbo-0125",
        "2026-12-11": "gpt-5 gpt-5-mini gpt-5-nano gpt-5-2025-08-07 gpt-5-mini-2025-08-07 "
        "gpt-5-nano-2025-08-07 o3 o3-2025-04-16",
        "2027-01-14": "gpt-4.1 gpt-4.1-mini gpt-4.1-2025-04-14 gpt-4.1-mini-2025-04-14 gpt-4o "
        "gpt-4o-2024-11-20 gpt-4o-2024-08-06 gpt-4o-mini gpt-4o-mini-2024-07-18",
        "2027-01-20": "gpt-audio-mini gpt-audio-mini-2025-12-15",
        "2027-02-26": "whisper-1 gpt-4o-transcribe gpt-4o-mini-transcribe "
        "gpt-4o-mini-transcribe-2025-12-15 gpt-4o-transcribe-diarize",
        "2027-04-01": "gpt-5.4-nano gpt-5.4-nano-2026-03-17 gpt-5.1 gpt-5.1-2025-11-13",
    }.items()
    for name in names.split()
}
