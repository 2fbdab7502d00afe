"""Recordings: what is in them, and how they are handed to a speech model.

Everything here takes bytes and keeps a processor busy: call it off the event loop. Decoding
streams, so hours of sound cost little memory.
"""

import array
import io
import itertools
import math
import threading
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Literal

import av

from core.errors import SpeechError

RATE = 16_000  # Hz: what Whisper and its successors listen at
BLOCK = 1_600  # samples: a tenth of a second, the grain of levels and cuts
PAUSE = 5  # blocks: what is quiet for half a second is a pause between words
SEARCH = 300  # blocks: how far before and after the even place to cut a pause is looked for
SILENCE = 10  # of 32,768, root mean square: 70 dB below full scale
# A sample a second unpacks to 16,000: 60 KB took 6 GB. The longest frame that is meant in earnest,
# of FLAC at 8 kHz, is 8 s.
LONGEST_FRAME = 30  # seconds
SHORTEST = 0.1  # seconds: "minimum audio length is 0.1 seconds", the API's error, 2026-11

# What is read from strangers. Playlists are left out: they would name further files to open.
_CONTAINERS = (
    "aac,ac3,aiff,amr,ape,asf,au,avi,caf,flac,flv,matroska,webm,mov,mp4,m4a,3gp,"
    "mp3,mpeg,mpegts,ogg,tta,voc,w64,wav,wv"
)
# By libav's name of the container, the codecs in it that are sent as they are. The API takes m4a
# and webm as well (openai 3.54, transcription_create_params.py), but not of every phone, and other
# servers' sound libraries read neither (libsndfile: vLLM's until 2026-02, and others); 2026-11.
_TAKEN = {
    "ogg": {"opus", "vorbis", "flac"},
    "mp3": {"mp3"},
    "flac": {"flac"},
    "wav": {"pcm_s16le", "pcm_s24le", "pcm_f32le", "pcm_u8"},
}
Codec = Literal["libopus", "flac"]
# Encoder, container, options, most bits a second; flac is for a libav built without Opus.
_ENCODINGS: tuple[tuple[Codec, str, dict[str, str], int], ...] = (
    ("libopus", "ogg", {"b": "24000", "vbr": "constrained", "application": "voip"}, 32_000),
    ("flac", "flac", {}, 16 * RATE),
)

_EMPTY = "This recording is empty."
_UNREADABLE = "I cannot read this recording: it is damaged or in a format I do not know."
_MUTE = "There is no sound in this recording."
NO_WORDS = "I could not hear any words in this recording."


@dataclass(frozen=True, slots=True, kw_only=True)
class Recording:
    """A recording that can be heard.

    Attributes:
        format: The API's name of its format; empty when it must be encoded anew first.
        seconds: Its length as decoded, whatever its header says.
        levels: Root mean square of each tenth of a second, 0 to 32,768.
    """

    audio: bytes = field(repr=False)
    format: str
    seconds: float
    levels: Sequence[int] = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """A piece of a recording, as a file for the API; `name` ends in what it is."""

    audio: bytes = field(repr=False)
    name: str
    seconds: float


def examine(audio: bytes, *, longest: float, is_over: threading.Event | None = None) -> Recording:
    """Decode a recording once from end to end, and say what it is.

    Args:
        audio: A file of any kind, from a stranger.
        longest: Seconds; decoding stops there, so a small file cannot claim hours of work.
        is_over: Set when nobody wants to know any more.

    Raises:
        SpeechError: It is empty, damaged, no sound, silent, too short or too long, or is over.
    """
    if not audio:
        raise SpeechError(_EMPTY)
    try:
        with _open(audio) as container:
            name = _format(container)
        levels, samples = _levels(audio, longest, is_over or threading.Event())
    except (av.FFmpegError, ValueError) as error:
        raise SpeechError(_UNREADABLE) from error
    if not samples:
        raise SpeechError(_UNREADABLE)
    if samples < SHORTEST * RATE or max(levels) < SILENCE:
        raise SpeechError(NO_WORDS)
    return Recording(audio=audio, format=name, seconds=samples / RATE, levels=levels)


def check_length(seconds: float, longest: float) -> None:
    """Raise SpeechError if a recording lasts longer than `longest` seconds."""
    if seconds > longest:
        raise SpeechError(
            f"This recording is too long: I can hear {longest / 60:.3g} minutes at most."
        )


def parts(recording: Recording, *, most_bytes: int, most_seconds: float) -> Iterator[Part]:
    """Yield the recording as files the API takes, in order; one and unchanged if it can be.

    A longer one is cut at its quietest places into parts of about equal length, each encoded
    small (mono, 16 kHz) only when it is asked for. Silent ones are left out: models make words
    up for them.

    Args:
        recording: As examined.
        most_bytes: Of a part.
        most_seconds: Of a part, at least a second.
    """
    size = len(recording.audio)
    if recording.format and size <= most_bytes and recording.seconds <= most_seconds:
        name = f"speech.{recording.format}"
        yield Part(audio=recording.audio, name=name, seconds=recording.seconds)
        return
    codec, container, options, bits = next(
        encoding for encoding in _ENCODINGS if encoding[0] in av.codecs_available
    )
    # A tenth less, for the container and for an encoder that overshoots.
    most_seconds = min(most_seconds, most_bytes * 8 * 0.9 / bits)
    end = 0
    for length, blocks in _cut(recording, most_seconds):
        audio = _encode(blocks, codec, container, options)
        end += length
        if max(recording.levels[end - length : end]) < SILENCE:
            continue
        seconds = min(length * BLOCK / RATE, recording.seconds)
        yield Part(audio=audio, name=f"speech.{container}", seconds=seconds)


def waves(recording: Recording, *, most_seconds: float) -> Iterator[bytes]:
    """Yield the recording as mono 16 kHz samples of 16 bits, cut at its quietest places."""
    for _, blocks in _cut(recording, most_seconds):
        yield b"".join(map(_samples, blocks))


def _open(audio: bytes) -> av.container.InputContainer:
    return av.open(
        io.BytesIO(audio),
        mode="r",
        options={"format_whitelist": _CONTAINERS},
        metadata_errors="replace",
    )


def _format(container: av.container.InputContainer) -> str:
    """Name the format for the API; empty when it would not take it, or much of it is a picture.

    Raises:
        SpeechError: No sound in it.
    """
    if not container.streams.audio:
        raise SpeechError(_MUTE)
    codec = container.streams.audio[0].codec_context
    cover = av.stream.Disposition.attached_pic
    has_film = any(not stream.disposition & cover for stream in container.streams.video)
    name = container.format.name
    if has_film or codec is None or codec.codec.canonical_name not in _TAKEN.get(name, ()):
        return ""
    return name


def _levels(audio: bytes, longest: float, is_over: threading.Event) -> tuple[Sequence[int], int]:
    levels = array.array("H")
    samples = 0
    for block in _blocks(audio):
        if is_over.is_set():
            raise SpeechError(_UNREADABLE)
        samples += block.samples
        check_length(samples / RATE, longest)
        # Every eighth sample tells the level as well as all of them, in an eighth of the time.
        some = array.array("h", _samples(block))[::8]
        levels.append(math.isqrt(sum(sample * sample for sample in some) // len(some)))
    return levels, samples


def _cut(
    recording: Recording, most_seconds: float
) -> Iterator[tuple[int, Iterator[av.AudioFrame]]]:
    blocks = _blocks(recording.audio)
    for length in lengths(recording.levels, int(most_seconds * RATE / BLOCK)):
        yield length, itertools.islice(blocks, length)


def lengths(levels: Sequence[int], most: int) -> Iterator[int]:
    """Yield how many blocks each part has: none above `most`.

    They are about equal, and each ends in the quietest place near.
    """
    reach = min(SEARCH, most // 4)
    start = 0
    while (left := len(levels) - start) > most:
        even = start + left // math.ceil(left / (most - reach))
        places = range(even - reach, even + reach + 1)
        end = min(places, key=lambda place: (_noise(levels, place), abs(place - even)))
        yield end - start
        start = end
    yield left


def _noise(levels: Sequence[int], place: int) -> int:
    return sum(levels[place - PAUSE // 2 : place + PAUSE // 2 + 1])


def _blocks(audio: bytes) -> Iterator[av.AudioFrame]:
    """Yield mono 16 kHz frames of a tenth of a second; the last one may be shorter."""
    with _open(audio) as container:
        rest = av.AudioFifo()
        for frame in _resampled(_frames(container)):
            frame.pts = None
            rest.write(frame)
            yield from rest.read_many(BLOCK)
        last = rest.read(partial=True)
        if last is not None:
            yield last


def _frames(container: av.container.InputContainer) -> Iterator[av.AudioFrame]:
    """Yield what can be decoded: a damaged place is left out, a file cut off ends there."""
    packets = container.demux(container.streams.audio[0])
    while True:
        try:
            packet = next(packets)
        except (StopIteration, av.FFmpegError):
            return
        try:
            frames = packet.decode()
        except av.FFmpegError:
            continue
        if any(frame.samples > LONGEST_FRAME * frame.sample_rate for frame in frames):
            raise ValueError("a frame of many seconds")
        yield from frames


def _resampled(frames: Iterable[av.AudioFrame]) -> Iterator[av.AudioFrame]:
    """Yield the frames as mono at RATE; a stream may change its kind midway."""
    for _, same in itertools.groupby(frames, key=_kind):
        resampler = av.AudioResampler(format="s16", layout="mono", rate=RATE)
        for frame in itertools.chain(same, [None]):
            yield from (each for each in resampler.resample(frame) if each is not None)


def _kind(frame: av.AudioFrame) -> tuple[str, str, int]:
    return frame.format.name, frame.layout.name, frame.sample_rate


def _samples(block: av.AudioFrame) -> bytes:
    return bytes(block.planes[0])[: block.samples * 2]


def _encode(
    blocks: Iterable[av.AudioFrame], codec: Codec, container: str, options: dict[str, str]
) -> bytes:
    out = io.BytesIO()
    with av.open(out, mode="w", format=container) as file:
        stream = file.add_stream(codec, rate=RATE, layout="mono", options=options)
        samples = 0
        for block in blocks:
            block.pts, block.time_base = samples, Fraction(1, RATE)
            samples += block.samples
            file.mux(stream.encode(block))
        file.mux(stream.encode(None))
    return out.getvalue()
