"""Transcription and translation requests: what is refused, and the answer."""

import io
from collections.abc import Iterator, Mapping
from typing import Any

import av
import av.error
import multidict
from aiohttp import web
from openai.types.audio import transcription_create_params

from tests.servers.openai.errors import Refuse, refusal, unknown_model
from tests.servers.openai.limits import SpeechLimits
from tests.servers.openai.records import Request

# openai 3.54, types/audio/transcription_create_params.py, 2026-11.
EXTENSIONS = ("flac", "m4a", "mp3", "mp4", "mpeg", "mpga", "ogg", "wav", "webm")
PARAMETERS = frozenset(
    transcription_create_params.TranscriptionCreateParamsStreaming.__annotations__
)
# 25 MB of request body, speech-to-text guide, platform.openai.com, 2026-11.
MAX_BYTES = 26_214_400
MIN_SECONDS = 0.1
# What a second of speech costs in audio tokens, roughly, as bills show it, 2026-11.
TOKENS_PER_SECOND = 10
MAGIC: dict[str, tuple[tuple[int, bytes], ...]] = {
    "flac": ((0, b"fLaC"),),
    "ogg": ((0, b"OggS"),),
    "wav": ((8, b"WAVE"),),
    "webm": ((0, b"\x1a\x45\xdf\xa3"),),
    "mp4": ((4, b"ftyp"),),
    "m4a": ((4, b"ftyp"),),
}


def read_form(form: Mapping[str, Any]) -> dict[str, Any]:
    """Return the fields of a form; one that ends in [] is a list."""
    fields: dict[str, Any] = {}
    items = form.items() if isinstance(form, multidict.MultiMapping) else ()
    for name, value in items:
        if isinstance(value, web.FileField):
            continue
        if name.endswith("[]"):
            fields.setdefault(name.removesuffix("[]"), []).append(value)
        else:
            fields[name] = value
    return fields


def read_file(form: Mapping[str, Any], record: Request) -> None:
    """Put the uploaded file into the record."""
    upload = form.get("file")
    if isinstance(upload, web.FileField):
        record.file_name = upload.filename
        with upload.file as file:
            record.audio = file.read()


def find_problem(record: Request, known: Mapping[str, SpeechLimits]) -> Refuse | None:
    """Return the refusal for the first thing wrong with a request, None if nothing is."""
    size = int(record.headers.get("content-length", len(record.audio)))
    if size > MAX_BYTES:
        text = f"413: Maximum content size limit ({MAX_BYTES}) exceeded ({size} bytes read)"
        return refusal(413, text, kind="server_error")
    if not record.model:
        return refusal(400, "you must provide a model parameter")
    if record.model not in known:
        return unknown_model(record.model)
    limits = known[record.model]
    problems = (_form_problems(record, limits), _file_problems(record, limits))
    return next((problem for group in problems for problem in group), None)


def answer(record: Request, limits: SpeechLimits, tokens: int) -> web.Response:
    """Return the transcript in the format asked for.

    Args:
        record: What is asked; its last piece sent is the transcript.
        limits: Of the model.
        tokens: Of the transcript.
    """
    text = record.sent[-1]
    wanted = record.body.get("response_format", "json")
    if wanted in {"text", "srt", "vtt"}:
        return web.Response(text=text + "\n")
    usage: dict[str, Any] = {"type": "duration", "seconds": round(record.seconds)}
    if not limits.is_per_second:
        heard = max(1, round(record.seconds * TOKENS_PER_SECOND))
        usage = {
            "type": "tokens",
            "input_tokens": heard,
            "output_tokens": tokens,
            "total_tokens": heard + tokens,
            "input_token_details": {"text_tokens": 0, "audio_tokens": heard},
        }
    body: dict[str, Any] = {"text": text, "usage": usage}
    if record.model == "gpt-transcribe":
        body["languages"] = [{"code": "en"}]
    if wanted == "verbose_json":
        task = "translate" if record.path.endswith("translations") else "transcribe"
        body |= {
            "task": task,
            "language": "english",
            "duration": record.seconds,
            "segments": [{"id": 0, "start": 0.0, "end": record.seconds, "text": text}],
        }
    return web.json_response(body, headers={"x-request-id": "req_loopback"})


def _form_problems(record: Request, limits: SpeechLimits) -> Iterator[Refuse]:
    if unknown := sorted(record.body.keys() - PARAMETERS):
        yield refusal(400, f"Unrecognized request argument supplied: {unknown[0]}")
    is_translation = record.path.endswith("translations")
    if is_translation and not limits.can_translate:
        text = f"The model '{record.model}' is not supported for translation."
        yield refusal(400, text, code="unsupported_model", param="model")
    for name in (*limits.refuses, *(("language",) if is_translation else ())):
        if name in record.body:
            text = f"Unsupported parameter: '{name}' is not supported with this model."
            yield refusal(400, text, code="unsupported_parameter", param=name)
    wanted = record.body.get("response_format", "json")
    if wanted not in limits.formats:
        text = (
            f"response_format '{wanted}' is not compatible with model '{record.model}'. "
            "Use 'json' instead."
        )
        yield refusal(400, text, code="unsupported_value", param="response_format")
    language = record.body.get("language")
    if language is not None and not (len(language) in {2, 3} and language.isalpha()):
        text = (
            f"Invalid language '{language}'. Language parameter must be specified in "
            "ISO-639-1 format."
        )
        yield refusal(400, text, code="invalid_language_format", param="language")


def _file_problems(record: Request, limits: SpeechLimits) -> Iterator[Refuse]:
    if not record.file_name:
        text = "Missing required parameter: 'file'."
        yield refusal(400, text, code="missing_required_parameter", param="file")
        return
    extension = record.file_name.rpartition(".")[2].lower()
    if extension not in EXTENSIONS:
        yield refusal(400, f"Invalid file format. Supported formats: {list(EXTENSIONS)}")
    if not record.audio:
        yield _too_short()
    seconds = _length(record.audio) if _has_magic(record.audio, extension) else None
    if seconds is None:
        text = "Audio file might be corrupted or unsupported"
        yield refusal(400, text, code="invalid_value", param="file")
        return
    record.seconds = seconds
    if seconds < MIN_SECONDS:
        yield _too_short()
    if limits.max_seconds and seconds > limits.max_seconds:
        text = (
            f"audio duration {seconds:.2f} seconds is longer than {limits.max_seconds:g} seconds "
            "which is the maximum for this model"
        )
        yield refusal(400, text, code="invalid_value")


def _too_short() -> Refuse:
    text = "Audio file is too short. Minimum audio length is 0.1 seconds."
    return refusal(400, text, code="audio_too_short", param="file")


def _has_magic(raw: bytes, extension: str) -> bool:
    if extension in MAGIC:
        return any(raw[at : at + len(magic)] == magic for at, magic in MAGIC[extension])
    is_frame = len(raw) > 1 and raw[0] == 0xFF and raw[1] & 0xE0 == 0xE0
    return is_frame or raw[:3] == b"ID3" or raw[:4] == b"\x00\x00\x01\xba"


def _length(raw: bytes) -> float | None:
    """Return the seconds of the audio inside, None if there is none."""
    try:
        with av.open(io.BytesIO(raw), mode="r") as container:
            if not container.streams.audio:
                return None
            end = 0.0
            for packet in container.demux(audio=0):
                if packet.pts is not None and packet.time_base is not None:
                    end = max(end, float((packet.pts + (packet.duration or 0)) * packet.time_base))
            return end
    except av.error.FFmpegError:
        return None
