"""What the loopback server's models take; add to `OpenAIServer.models` for more."""

from dataclasses import dataclass

from tests.servers.openai.templates import Template, lenient


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What a chat model takes.

    Attributes:
        context: Tokens of prompt and reply together.
        output: Most tokens of a reply.
        is_reasoning: Refuses max_tokens and any temperature but 1.
        is_retired: Shut down; every call is refused.
        refuses: Further parameters it does not take, as older servers do.
        template: What it makes of messages.
        template_status: Of the refusal: vLLM blames the request, llama.cpp itself.
    """

    context: int = 128_000
    output: int = 16_384
    is_reasoning: bool = False
    is_retired: bool = False
    refuses: tuple[str, ...] = ()
    template: Template = lenient
    template_status: int = 400


@dataclass(frozen=True, slots=True, kw_only=True)
class SpeechLimits:
    """What a transcription model takes.

    Attributes:
        formats: Values of response_format.
        max_seconds: Longest recording; None where only the size counts.
        can_translate: Serves /audio/translations.
        is_per_second: Its usage is a duration; else tokens.
        refuses: Form fields it does not take.
    """

    formats: tuple[str, ...] = ("json",)
    max_seconds: float | None = None
    can_translate: bool = False
    is_per_second: bool = False
    refuses: tuple[str, ...] = ()


def chat_models() -> dict[str, Limits]:
    """Return the chat models, with invented small ones for tests of narrow windows."""
    large = Limits(context=400_000, output=128_000, is_reasoning=True)
    return {
        "gpt-6-luna": large,
        "gpt-5.4": large,
        "gpt-5.4-mini": large,
        "gpt-5": large,
        "o4-mini": Limits(context=200_000, output=100_000, is_reasoning=True),
        "gpt-4.1": Limits(context=1_047_576, output=32_768),
        "gpt-4.1-mini": Limits(context=1_047_576, output=32_768),
        "gpt-4o": Limits(),
        "gpt-4o-mini": Limits(),
        "small-4k": Limits(context=4_096, output=1_024),
        "old-server": Limits(refuses=("max_completion_tokens", "stream_options")),
        "gpt-4": Limits(is_retired=True),
        "gpt-3.5-turbo": Limits(is_retired=True),
    }


def speech_models() -> dict[str, SpeechLimits]:
    """Return the transcription models (openai 3.54, transcription_create_params.py, 2026-11)."""
    four = SpeechLimits(max_seconds=1500, refuses=("languages", "keywords"))
    return {
        "whisper-1": SpeechLimits(
            formats=("json", "text", "srt", "verbose_json", "vtt"),
            can_translate=True,
            is_per_second=True,
            refuses=("languages", "keywords", "include"),
        ),
        # Billed by the minute; whether its usage says tokens or seconds is published nowhere.
        "gpt-transcribe": SpeechLimits(),
        "gpt-4o-transcribe": four,
        "gpt-4o-mini-transcribe": four,
    }
