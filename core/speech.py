"""Transcription over the openai SDK: recordings in, words out, nothing paid in vain."""

import asyncio
import logging
from collections.abc import AsyncIterator, Sequence
from typing import TYPE_CHECKING

from core import metrics, models
from core.breaker import Breaker
from core.errors import ModelError, SpeechError
from core.hearing import examined, in_thread
from core.protocols import HoldAudio, Pay
from core.provider import Connection, Failure, call_errors, failure_of, reported_tokens, timeout
from core.retry import BACKOFF_SECONDS, is_given_up, pause
from core.types import Transcript, Usage, Voice

if TYPE_CHECKING:
    from core.audio import Part, Recording

log = logging.getLogger(__name__)

# 25 MB a request, form included: developers.openai.com/api/docs/guides/speech-to-text, 2026-11.
MOST_BYTES = 25_000_000
# gpt-4o-transcribe writes 2,000 tokens at most (its page on developers.openai.com, 2026-11), ten
# minutes of quick speech, and then simply ends; so no part is nearly that long.
PART_SECONDS = 480.0
LONGEST_SECONDS = 4 * 3600.0
# What was said before, as a prompt for the next part: Whisper reads 224 tokens of it at most.
TAIL_LENGTH = 200

_REST_MISSING = "[…the rest could not be heard.]"


class OpenAISpeech:
    """Hears recordings; implements `core.protocols.Transcriber`.

    Args:
        names: Models, the preferred one first, then its fallbacks; those that were shut down
            are left out while there are others.
        key: Of the server; None where it wants none.
        base_url: Root of the API; None for OpenAI's own.
        proxy: URL of an HTTP proxy; None: as the environment says.
        language: Of the speech, ISO 639-1; None: detected.
        longest_seconds: Longest recording that is heard at all.
        part_seconds: Longest part of it that is sent at once, at least a second; less for a
            model that takes less.
        read_seconds: Longest silence of the server while it listens to a part, beside the time
            that the part lasts: a processor may hear no faster than people speak.
        backoff_seconds: Longest wait before the second attempt; see `core.retry`.
        breaker: Knows which models are down.
    """

    def __init__(  # noqa: PLR0913 - settings, all named, most with a default
        self,
        *,
        names: Sequence[str],
        key: str | None = None,
        base_url: str | None = None,
        proxy: str | None = None,
        language: str | None = None,
        longest_seconds: float = LONGEST_SECONDS,
        part_seconds: float = PART_SECONDS,
        read_seconds: float = 180.0,
        backoff_seconds: float = BACKOFF_SECONDS,
        breaker: Breaker | None = None,
    ) -> None:
        self._breaker = breaker or Breaker()
        self._names = tuple(names)
        self._connection = Connection(key=key, base_url=base_url, proxy=proxy)
        self._read_seconds = read_seconds
        self._language = language
        self._longest_seconds = longest_seconds
        self._part_seconds = part_seconds
        self._backoff_seconds = backoff_seconds

    async def close(self) -> None:
        """Let go of connections."""
        await self._connection.close()

    async def transcribe(
        self, audio: bytes, voice: Voice, *, hold: HoldAudio, to_english: bool = False
    ) -> Transcript:
        """Return what is said; see `core.protocols.Transcriber`.

        With `to_english`, a model of the list that translates is asked to; where there is
        none any more, the transcript comes untranslated, as its `is_english` says. When only
        the first parts of a long recording could be heard, the text says that the rest is
        missing.

        Raises:
            SpeechError: It cannot be heard; checked before anything is paid, except that
                silence is no speech.
            ModelSetupError: The key, the quota or the models' names are wrong.
            ModelError: No model heard it.
        """
        recording = await examined(audio, voice, longest=self._longest_seconds)
        names = models.serving(self._names)
        translators = [name for name in names if models.describe_speech(name).can_translate]
        is_translated = to_english and bool(translators)
        # A translation that fails half-way is followed by a transcription of the whole.
        pay = await hold(names, recording.seconds * (2 if is_translated else 1))
        if is_translated:
            try:
                return await self._hear(recording, translators, pay, to_english=True)
            except ModelError as error:
                log.info("no translation, transcribing instead: %s", error)
        return await self._hear(recording, names, pay, to_english=False)

    async def _hear(
        self, recording: "Recording", names: Sequence[str], pay: Pay, *, to_english: bool
    ) -> Transcript:
        texts: list[str] = []
        async for part in self._parts(recording, names):
            tail = " ".join(texts)[-TAIL_LENGTH:]
            try:
                text, model = await self._ask(part, names, pay, tail=tail, to_english=to_english)
            except ModelError as error:
                if not any(texts):
                    raise
                log.warning("transcript ends early: %s", error)
                texts.append(_REST_MISSING)
                break
            texts.append(text)
            # What has just answered is asked first from now on; what failed, no more.
            names = names[names.index(model) :]
        if not any(texts):
            from core.audio import NO_WORDS  # noqa: PLC0415 - as in core.hearing

            raise SpeechError(NO_WORDS)
        return Transcript(text=" ".join(filter(None, texts)), is_english=to_english)

    async def _parts(self, recording: "Recording", names: Sequence[str]) -> AsyncIterator["Part"]:
        from core.audio import parts  # noqa: PLC0415 - as above

        limits = (models.describe_speech(name).max_seconds for name in names)
        most_seconds = min([self._part_seconds, *(limit for limit in limits if limit)])
        found = parts(recording, most_bytes=MOST_BYTES, most_seconds=most_seconds)
        # Each is cut and encoded in a thread, when the one before has been heard.
        while part := await in_thread(next, found, None):
            yield part

    async def _ask(
        self, part: "Part", names: Sequence[str], pay: Pay, *, tail: str, to_english: bool
    ) -> tuple[str, str]:
        """Return what a part says, and which model heard it."""
        failures: list[Failure] = []
        for name, _ in self._breaker.worth_asking(names):
            attempt = 0
            while True:
                attempt += 1
                try:
                    text = await self._call(part, name, pay, tail=tail, to_english=to_english)
                except call_errors() as error:
                    failure = failure_of(error)
                else:
                    self._breaker.note(name, None)
                    return text, name
                self._breaker.note(name, failure.cause)
                seconds = pause(
                    failure,
                    attempt,
                    backoff_seconds=self._backoff_seconds,
                    is_last=name == names[-1],
                )
                if self._breaker.is_down(name):
                    seconds = None
                log.warning(
                    "speech call failed model=%s cause=%s status=%s again_in=%s",
                    name,
                    failure.cause,
                    failure.status,
                    "never" if seconds is None else f"{seconds:.1f}",
                )
                metrics.count(metrics.MODEL_FAILURES, name, failure.cause)
                if seconds is None:
                    break
                metrics.retried("speech")
                await asyncio.sleep(seconds)
            failures.append(failure)
            if is_given_up(failure):
                break
        raise _final_error(failures)

    async def _call(
        self, part: "Part", name: str, pay: Pay, *, tail: str, to_english: bool
    ) -> str:
        client = await self._connection.open()
        body = {"model": name, "response_format": "json"}
        if tail:
            body["prompt"] = tail
        if self._language and not to_english:
            body["language"] = self._language
        try:
            # By path, because the SDK's method for translations warns that it is deprecated.
            answer = await client.post(
                "/audio/translations" if to_english else "/audio/transcriptions",
                cast_to=object,
                body=body,
                files=[("file", (part.name, part.audio))],
                options={
                    "headers": {"Content-Type": "multipart/form-data"},
                    "timeout": timeout(self._read_seconds + part.seconds),
                },
            )
        except asyncio.CancelledError:
            pay(_usage(None, name, part.seconds))  # it may go on to hear this for nobody
            raise
        if not isinstance(answer, dict) or not isinstance(answer.get("text"), str):
            raise ValueError("no transcript in the answer")  # noqa: TRY004 - as JSON errors
        pay(_usage(answer.get("usage"), name, part.seconds))
        text: str = answer["text"]
        return text.strip()


def _usage(said: object, name: str, seconds: float) -> Usage:
    numbers = said if isinstance(said, dict) else {}
    billed = numbers.get("seconds")
    # Written so that NaN is out of bounds too.
    if not (isinstance(billed, int | float) and 0 <= billed <= LONGEST_SECONDS):
        billed = seconds
    return Usage(
        purpose="transcribe",
        model=name,
        input=reported_tokens(numbers.get("input_tokens")),
        output=reported_tokens(numbers.get("output_tokens")),
        seconds=billed,
        is_estimated=not numbers,
    )


def _final_error(failures: Sequence[Failure]) -> ModelError:
    """Return what a person is told: what passes if anything does, else what came last."""
    return next((each for each in failures if each.is_transient), failures[-1]).error
