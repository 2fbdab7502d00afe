"""What recordings are, and how they are cut: every format, and every kind of rubbish."""

import io
import itertools
import math
from collections.abc import Sequence
from pathlib import Path

import av
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core import audio
from core.errors import SpeechError
from tests import sound

MEGABYTES = 1_000_000


def parts(
    recording: audio.Recording, *, most_bytes: int = 25 * MEGABYTES, most_seconds: float = 1200
) -> list[audio.Part]:
    """Cut a recording, by limits like the API's."""
    return list(audio.parts(recording, most_bytes=most_bytes, most_seconds=most_seconds))


def codec_of(part: audio.Part) -> str:
    """Return what a part is encoded with; there is no picture in it."""
    with av.open(io.BytesIO(part.audio)) as container:
        assert not container.streams.video
        return container.streams.audio[0].codec_context.codec.canonical_name


@pytest.mark.parametrize(
    ("container", "codec", "rate", "name"),
    [
        ("ogg", "libopus", 48_000, "ogg"),
        ("mp3", "libmp3lame", 44_100, "mp3"),
        ("flac", "flac", 44_100, "flac"),
        ("wav", "pcm_s16le", 8_000, "wav"),
    ],
)
def test_what_every_server_takes_is_sent_as_it_is(
    container: str, codec: str, rate: int, name: str
) -> None:
    """A recording of a plain kind is passed on untouched, under its true name."""
    raw = sound.tone(2, container=container, codec=codec, rate=rate)
    recording = audio.examine(raw, longest=60)
    assert recording.format == name
    assert recording.seconds == pytest.approx(2, abs=0.1)
    assert [(part.audio, part.name) for part in parts(recording)] == [(raw, f"speech.{name}")]


@pytest.mark.parametrize(
    ("container", "codec", "rate"),
    [
        ("amr", "libopencore_amrnb", 8_000),
        ("3gp", "libopencore_amrnb", 8_000),
        ("adts", "aac", 44_100),
        ("ipod", "aac", 44_100),
        ("mp4", "aac", 44_100),
        ("mov", "aac", 44_100),
        ("webm", "libopus", 48_000),
        ("aiff", "pcm_s16be", 44_100),
        ("caf", "pcm_s16le", 44_100),
        ("wav", "pcm_mulaw", 8_000),
        ("mpegts", "aac", 44_100),
        ("mp2", "mp2", 44_100),
        ("ac3", "ac3", 48_000),
    ],
)
def test_other_formats_are_converted(container: str, codec: str, rate: int) -> None:
    """A recording that some server would refuse becomes Ogg with Opus of the same length."""
    recording = audio.examine(
        sound.tone(2, container=container, codec=codec, rate=rate), longest=60
    )
    assert recording.format == ""
    (part,) = parts(recording)
    assert part.name == "speech.ogg"
    assert codec_of(part) == "opus"
    assert part.seconds == pytest.approx(2, abs=0.1)
    heard = audio.examine(part.audio, longest=60)
    assert heard.format == "ogg"
    assert heard.seconds == pytest.approx(2, abs=0.1)
    assert max(heard.levels) == pytest.approx(max(recording.levels), rel=0.2)


@pytest.mark.parametrize("container", ["mp4", "matroska", "avi"])
def test_only_the_sound_of_a_film_is_sent(container: str) -> None:
    """A video note's picture stays here."""
    raw = sound.tone(2, container=container, codec="aac", rate=44_100, has_film=True)
    (part,) = parts(audio.examine(raw, longest=60))
    assert part.name == "speech.ogg"
    assert codec_of(part) == "opus"


def test_a_film_without_sound_is_refused() -> None:
    """A film that has no sound gets a sentence that says so."""
    with pytest.raises(SpeechError, match="There is no sound in this recording"):
        audio.examine(sound.film(), longest=60)


@pytest.mark.parametrize(
    "raw",
    [
        b"Dear bot, this is a letter, whatever its name says. " * 200,
        b"\x89PNG\r\n\x1a\n" + bytes(5000),
        b"OggS" + bytes(5000),
        b"RIFF\x24\x00\x00\x00WAVEfmt ",
        b"\x00\x00\x00\x18ftypM4A \x00\x00\x00\x00",
        b"\x00",
        sound.voice_note(2)[:60],
    ],
)
def test_rubbish_is_refused(raw: bytes) -> None:
    """What is no recording, or only the head of one, gets one clear sentence."""
    with pytest.raises(SpeechError, match="I cannot read this recording"):
        audio.examine(raw, longest=60)


def test_an_empty_file_is_refused() -> None:
    """An empty file gets a sentence of its own."""
    with pytest.raises(SpeechError, match="This recording is empty"):
        audio.examine(b"", longest=60)


def test_a_playlist_opens_no_further_files(tmp_path: Path) -> None:
    """A file that only names other files is refused: they are ours, not the sender's."""
    secret = tmp_path / "secret.mp3"
    secret.write_bytes(sound.tone(2, container="mp3", codec="libmp3lame", rate=44_100))
    lists = (
        f"#EXTM3U\n#EXT-X-TARGETDURATION:2\n#EXTINF:2,\nfile://{secret}\n#EXT-X-ENDLIST\n",
        f"ffconcat version 1.0\nfile '{secret}'\n",
        f"v=0\no=- 0 0 IN IP4 127.0.0.1\ns=x\nc=IN IP4 127.0.0.1\nt=0 0\na=control:{secret}\n",
    )
    for text in lists:
        with pytest.raises(SpeechError, match="I cannot read this recording"):
            audio.examine(text.encode(), longest=60)


def test_a_recording_cut_off_is_heard_as_far_as_it_goes() -> None:
    """Half an upload is still half a message."""
    raw = sound.tone(10, container="mp3", codec="libmp3lame", rate=44_100)
    assert audio.examine(raw[: len(raw) // 2], longest=60).seconds == pytest.approx(5, abs=0.2)


def test_a_damaged_place_is_left_out() -> None:
    """A few broken bytes in the middle do not cost the rest of the message."""
    raw = bytearray(sound.tone(10, container="adts", codec="aac", rate=44_100))
    middle = len(raw) // 2
    raw[middle : middle + 300] = bytes(300)
    assert audio.examine(bytes(raw), longest=60).seconds == pytest.approx(10, abs=0.5)


def test_a_recording_may_change_its_kind_midway() -> None:
    """Two recordings in a row, of different rates, are heard as one."""
    raw = sound.tone(2, container="adts", codec="aac", rate=44_100)
    raw += sound.tone(2, container="adts", codec="aac", rate=22_050)
    recording = audio.examine(raw, longest=60)
    assert recording.seconds == pytest.approx(4, abs=0.5)
    assert parts(recording)[0].seconds == recording.seconds


@pytest.mark.parametrize(
    "raw", [sound.voice_note(3, loudness=0), sound.tone(0.06, container="wav", codec="pcm_s16le")]
)
def test_silence_is_not_worth_a_call(raw: bytes) -> None:
    """A silent recording, or a click, is refused before anything is paid."""
    with pytest.raises(SpeechError, match="I could not hear any words"):
        audio.examine(raw, longest=60)


def test_decoding_stops_at_the_longest_length() -> None:
    """However much a small file unpacks to, no more than the limit is decoded."""
    raw = sound.tone(600, container="flac", codec="flac", rate=8_000, loudness=0)
    assert len(raw) < 200_000
    with pytest.raises(SpeechError, match="too long: I can hear 3 minutes at most"):
        audio.examine(raw, longest=180)


@pytest.mark.parametrize("container", ["flac", "wv"])
def test_a_small_file_takes_little_memory(container: str) -> None:
    """A frame that claims to last for hours is not unpacked; it would be gigabytes."""
    codec = {"flac": "flac", "wv": "wavpack"}[container]
    raw = sound.slowed(container=container, codec=codec)
    assert len(raw) < 100_000
    with pytest.raises(SpeechError, match="I cannot read this recording"):
        audio.examine(raw, longest=4 * 3600)


def test_a_long_recording_is_cut_in_its_pauses() -> None:
    """Parts are within the limits, about equal, whole in sum, and end where nobody speaks."""
    pauses = [(19, 20), (37, 38), (46, 46.4), (61, 62), (80, 81)]
    recording = audio.examine(sound.voice_note(100, pauses=pauses), longest=200)
    cut = parts(recording, most_seconds=30)
    assert {part.name for part in cut} == {"speech.ogg"}
    assert sum(part.seconds for part in cut) == pytest.approx(100, abs=0.2)
    assert all(part.seconds <= 30 for part in cut)
    ends = list(itertools.accumulate(part.seconds for part in cut))[:-1]
    assert all(any(start <= end <= stop for start, stop in pauses) for end in ends), ends
    for part in cut:
        assert audio.examine(part.audio, longest=200).seconds == pytest.approx(part.seconds)


def test_silent_parts_are_left_out() -> None:
    """Nobody pays for a part in which nobody speaks, and no model makes words up for it."""
    recording = audio.examine(sound.voice_note(60, pauses=[(20, 40.2)]), longest=200)
    cut = parts(recording, most_seconds=12)
    levels = [level for part in cut for level in audio.examine(part.audio, longest=200).levels]
    assert 40 <= sum(part.seconds for part in cut) < 50
    assert sum(level > 100 for level in levels) == pytest.approx(400, abs=10)


def test_parts_stay_below_the_size_limit() -> None:
    """A file too large is encoded smaller, and cut when that is not enough."""
    recording = audio.examine(
        sound.tone(60, container="wav", codec="pcm_s16le", rate=8_000), longest=200
    )
    (small,) = parts(recording, most_bytes=len(recording.audio) - 1)
    assert small.name == "speech.ogg"
    cut = parts(recording, most_bytes=60_000)
    assert len(cut) > 3
    assert all(len(part.audio) <= 60_000 for part in cut)
    assert sum(part.seconds for part in cut) == pytest.approx(60, abs=0.2)


def test_waves_are_the_whole_recording() -> None:
    """The raw samples of all parts are those of the recording, at 16 kHz."""
    recording = audio.examine(sound.voice_note(7), longest=60)
    waves = list(audio.waves(recording, most_seconds=3))
    assert len(waves) >= 3
    assert sum(map(len, waves)) == pytest.approx(7 * audio.RATE * 2, rel=0.01)


@given(
    st.lists(st.integers(0, 32_768), min_size=1, max_size=900),
    st.integers(10, 200),
)
def test_cuts_lose_nothing(levels: Sequence[int], most: int) -> None:
    """Whatever the levels: every block is in one part, none is empty or above the limit."""
    found = list(audio.lengths(levels, most))
    assert sum(found) == len(levels)
    assert all(1 <= length <= most for length in found)
    assert len(found) <= math.ceil(2 * len(levels) / most)


NOTES = (
    sound.voice_note(1),
    sound.tone(1, container="mp3", codec="libmp3lame", rate=44_100),
    sound.tone(1, container="ipod", codec="aac", rate=44_100),
    sound.tone(1, container="webm"),
    sound.tone(1, container="wav", codec="pcm_s16le", rate=8_000),
)


@settings(max_examples=150, deadline=None)
@given(
    st.sampled_from(NOTES),
    st.lists(st.tuples(st.integers(0, 40_000), st.binary(min_size=1, max_size=8)), max_size=6),
    st.integers(0, 40_000),
)
def test_damage_ends_in_a_recording_or_a_sentence(
    note: bytes, damages: list[tuple[int, bytes]], length: int
) -> None:
    """Whatever happens to a file on its way: it is heard, or refused; nothing else is raised."""
    raw = bytearray(note)
    for place, damage in damages:
        start = place % len(raw)
        raw[start : start + len(damage)] = damage
    try:
        recording = audio.examine(bytes(raw[: max(length, 1)]), longest=60)
        cut = parts(recording, most_bytes=20_000, most_seconds=1)
    except SpeechError:
        return
    assert sum(part.seconds for part in cut) == pytest.approx(recording.seconds, abs=0.2)


def test_libav_stays_quiet(capfd: pytest.CaptureFixture[str]) -> None:
    """What libav thinks of a broken file is printed nowhere."""
    raw = sound.tone(3, container="mp3", codec="libmp3lame", rate=44_100)
    audio.examine(raw[:1000] + bytes(500) + raw[2000:], longest=60)
    with pytest.raises(SpeechError):
        audio.examine(b"OggS" + bytes(5000), longest=60)
    assert capfd.readouterr() == ("", "")
