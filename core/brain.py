"""Who answers and who hears: a model server, or the small embedded models."""

from collections.abc import Callable, Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass

from core import models, personas
from core.line import LinedModel
from core.protocols import ChatModel, Transcriber
from core.settings import Settings

Progress = Callable[[str, int, int], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Brain:
    """A chat model and a transcriber, with what they need.

    Attributes:
        models: Names a chat can choose from; the first is the default. What was shut down is
            not among them.
        prompts: System prompts by persona.
        context_tokens: Most tokens of a prompt; None for what the model takes.
        reply_tokens: Most tokens of a reply; None for the default.
        notice: What a person should know about this brain; empty for nothing.
    """

    model: ChatModel
    transcriber: Transcriber
    models: tuple[str, ...]
    prompts: Mapping[str, str]
    context_tokens: int | None
    reply_tokens: int | None
    notice: str = ""


async def open_brain(settings: Settings, stack: AsyncExitStack, progress: Progress) -> Brain:
    """Connect to what the settings name; with no model server, start the embedded model.

    Args:
        settings: The owner's.
        stack: Closes what is opened here.
        progress: Told what is unpacked or checked, how much is done, of how much.

    Raises:
        SettingsError: The embedded models are needed but not installed.
    """
    hearing = _remote_transcriber if settings.has_speech_server else _local_transcriber
    transcriber = hearing(settings, progress)
    stack.push_async_callback(transcriber.close)
    thinking = _remote_brain if settings.has_model_server else _local_brain
    brain = await thinking(settings, transcriber, progress, stack)
    stack.push_async_callback(brain.model.close)
    return brain


def offers(settings: Settings) -> dict[str, tuple[str, ...]]:
    """Return what people can choose from, without opening anything, for menus."""
    if not settings.has_model_server:
        return {"models": (), "personas": (personas.DEFAULT,)}
    return {
        "models": models.serving(settings.chat_model),
        "personas": tuple(personas.PERSONAS),
    }


def _remote_transcriber(settings: Settings, _: Progress) -> Transcriber:
    from core.speech import OpenAISpeech  # noqa: PLC0415 - as the others here: only if needed

    key = settings.speech_key
    return OpenAISpeech(
        names=settings.speech_model,
        key=key.get_secret_value() if key else None,
        base_url=settings.speech_url,
        proxy=settings.http_proxy_openai,
        language=settings.speech_language,
    )


async def _remote_brain(
    settings: Settings, transcriber: Transcriber, _: Progress, __: AsyncExitStack
) -> Brain:
    from core.llm import OpenAIChat  # noqa: PLC0415

    key = settings.openai_api_key
    model = OpenAIChat(
        key=key.get_secret_value() if key else None,
        base_url=settings.openai_base_url,
        proxy=settings.http_proxy_openai,
    )
    await model.open()
    default = settings.system_prompt or personas.PERSONAS[personas.DEFAULT]
    most = settings.model_concurrency
    return Brain(
        model=LinedModel(model, most=most) if most else model,
        transcriber=transcriber,
        models=models.serving(settings.chat_model),
        prompts={**personas.PERSONAS, personas.DEFAULT: default},
        context_tokens=settings.context_tokens,
        reply_tokens=settings.reply_tokens,
    )


def _local_transcriber(settings: Settings, progress: Progress) -> Transcriber:
    from core import local  # noqa: PLC0415

    return local.LocalTranscriber(language=settings.speech_language, progress=progress)


async def _local_brain(
    settings: Settings, transcriber: Transcriber, progress: Progress, stack: AsyncExitStack
) -> Brain:
    from core import local  # noqa: PLC0415
    from core.llm import OpenAIChat  # noqa: PLC0415

    chat = await local.start_chat(progress=progress)
    stack.push_async_callback(chat.close)
    model = OpenAIChat(key=chat.key, base_url=chat.base_url, temperature=chat.temperature)
    return Brain(
        model=LinedModel(model, most=min(settings.model_concurrency or local.SLOTS, local.SLOTS)),
        transcriber=transcriber,
        models=(chat.model,),
        prompts={personas.DEFAULT: settings.system_prompt or local.PERSONA},
        context_tokens=chat.context_tokens - chat.reply_tokens,
        reply_tokens=chat.reply_tokens,
        notice=local.NOTICE,
    )
