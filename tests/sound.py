"""Sound for tests: a tone with pauses, in whatever format; spoken words lie in tests/data."""

import array
import io
import math
from collections.abc import Iterator, Sequence
from fractions import Fraction
from pathlib import Path

import av

SPOKEN = Path(__file__).parent / "data"
HERTZ = 400
Pauses = Sequence[tuple[float, float]]


def english() -> bytes:
    """Return a voice note that asks for the capital of France."""
    return (SPOKEN / "english.ogg").read_bytes()


def spanish() -> bytes:
    """Return a voice note that praises music and coffee in Spanish."""
    return (SPOKEN / "spanish.ogg").read_bytes()


def voice_note(seconds: float, *, pauses: Pauses = (), loudness: int = 8000) -> bytes:
    """Return a tone as phones record it: Ogg with Opus, mono, 48 kHz."""
    return tone(seconds, pauses=pauses, loudness=loudness)


def tone(
    seconds: float,
    *,
    container: str = "ogg",
    codec: str = "libopus",
    rate: int = 48_000,
    pauses: Pauses = (),
    loudness: int = 8000,
    has_film: bool = False,
) -> bytes:
    """Return a tone that falls silent in `pauses` (from and to, in seconds)."""
    out = io.BytesIO()
    with av.open(out, mode="w", format=container) as file:
        stream = file.add_stream(codec, rate=rate, layout="mono")
        assert isinstance(stream, av.AudioStream)
        if has_film:
            _film(file)
        for frame in _frames(seconds, rate, pauses, loudness):
            file.mux(stream.encode(frame))
        file.mux(stream.encode(None))
    return out.getvalue()


def slowed(*, container: str, codec: str) -> bytes:
    """Return a single frame of noise at 10 samples a second, which lasts for half an hour."""
    out = io.BytesIO()
    with av.open(out, mode="w", format=container) as file:
        stream = file.add_stream(codec, rate=10, layout="mono", options={"frame_size": "16384"})
        assert isinstance(stream, av.AudioStream)
        frame = av.AudioFrame("s16p" if codec == "wavpack" else "s16", "mono", 16_384)
        frame.sample_rate = 10
        frame.planes[0].update(bytes(range(256)) * 128)
        file.mux(stream.encode(frame))
        file.mux(stream.encode(None))
    return out.getvalue()


def film() -> bytes:
    """Return two seconds of film without sound."""
    out = io.BytesIO()
    with av.open(out, mode="w", format="mp4") as file:
        _film(file)
    return out.getvalue()


def _film(file: av.container.OutputContainer) -> None:
    stream = file.add_stream("mpeg4", rate=10)
    stream.width = stream.height = 64
    stream.pix_fmt = "yuv420p"
    for index in range(20):
        frame = av.VideoFrame(64, 64, "yuv420p")
        frame.pts, frame.time_base = index, Fraction(1, 10)
        file.mux(stream.encode(frame))
    file.mux(stream.encode(None))


def _frames(seconds: float, rate: int, pauses: Pauses, loudness: int) -> Iterator[av.AudioFrame]:
    count = rate // 50
    step = 2 * math.pi * HERTZ / rate
    wave = array.array("h", (round(loudness * math.sin(step * at)) for at in range(count)))
    for index in range(int(seconds * 50)):
        is_quiet = any(start <= index / 50 < end for start, end in pauses)
        frame = av.AudioFrame("s16", "mono", count)
        frame.sample_rate = rate
        frame.pts, frame.time_base = index * count, Fraction(1, rate)
        frame.planes[0].update(bytes(2 * count) if is_quiet else wave.tobytes())
        yield frame
