"""The embedded ears: Whisper base, in one thread of this process."""

import asyncio
import io
import os
import threading
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import TYPE_CHECKING, Any

from core.errors import SpeechError
from core.hearing import examined
from core.local.weights import SPEECH, Progress, find, quiet, read
from core.protocols import HoldAudio
from core.types import Transcript, Usage, Voice

if TYPE_CHECKING:
    from core.audio import Recording

MODEL = "whisper-base (embedded)"
# It hears thirteen times as fast as people speak, on 2 cores: an hour takes it five minutes.
LONGEST_SECONDS = 3600.0
PART_SECONDS = 120.0
FULL_SCALE = 32_768.0
# What else the model needs; without these the engine would ask the network for them.
_COMPANIONS = ("config.json", "tokenizer.json", "vocabulary.txt")


class LocalTranscriber:
    """Hears recordings on this machine; implements `core.protocols.Transcriber`.

    The model is loaded with the first recording and kept, 0.3 GB. One recording is heard at a
    time, further ones wait.

    Args:
        language: Of the speech, ISO 639-1; None, or one Whisper does not know: detected.
        longest_seconds: Longest recording that is heard at all.
        part_seconds: Of sound kept in memory at once; two minutes are 8 MB.
        progress: Told how far loading is; called in a thread.
    """

    def __init__(
        self,
        *,
        language: str | None = None,
        longest_seconds: float = LONGEST_SECONDS,
        part_seconds: float = PART_SECONDS,
        progress: Progress = quiet,
    ) -> None:
        self._language = language
        self._longest_seconds = longest_seconds
        self._part_seconds = part_seconds
        self._progress = progress
        self._model: Any = None
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="whisper")

    async def close(self) -> None:
        """Give the thread up; what it is hearing ends with the call that asked for it."""
        self._thread.shutdown(wait=False, cancel_futures=True)

    async def transcribe(
        self, audio: bytes, voice: Voice, *, hold: HoldAudio, to_english: bool = False
    ) -> Transcript:
        """Return what is said; see `core.protocols.Transcriber`.

        When cancelled, the thread is free again within seconds.

        Raises:
            SpeechError: It cannot be heard.
            SettingsError: The extra `embedded` is not installed, or damaged.
        """
        recording = await examined(audio, voice, longest=self._longest_seconds)
        pay = await hold((MODEL,), recording.seconds)
        is_over = threading.Event()
        hear = partial(self._hear, recording, is_over, to_english=to_english)
        try:
            text = await asyncio.get_running_loop().run_in_executor(self._thread, hear)
        finally:
            is_over.set()
        if not text:
            from core.audio import NO_WORDS  # noqa: PLC0415 - loaded by `examined`

            raise SpeechError(NO_WORDS)
        pay(Usage(purpose="transcribe", model=MODEL, seconds=recording.seconds))
        return Transcript(text=text, is_english=to_english)

    def _hear(self, recording: "Recording", is_over: threading.Event, *, to_english: bool) -> str:
        if self._model is None:
            self._model = _load(self._progress)
        import numpy as np  # noqa: PLC0415 - comes with the engine

        from core.audio import waves  # noqa: PLC0415 - loaded by `examined`

        language = self._language if self._language in self._model.supported_languages else None
        texts = []
        for wave in waves(recording, most_seconds=self._part_seconds):
            segments, info = self._model.transcribe(
                np.frombuffer(wave, np.int16).astype(np.float32) / FULL_SCALE,
                language=language,
                task="translate" if to_english else "transcribe",
                temperature=0.0,
                # With its own words as a prompt the small model repeats itself in circles,
                # and where nobody speaks it makes words up.
                condition_on_previous_text=False,
                vad_filter=True,
            )
            for segment in segments:  # each is heard when it is asked for
                if is_over.is_set():
                    return ""
                texts.append(segment.text.strip())
                language = info.language  # of a part without words it would be made up
        return " ".join(filter(None, texts))


def _load(progress: Progress) -> Any:  # noqa: ANN401 - the engine has no types
    """Load the model from memory: no copy on disk to be written, checked or lost.

    Raises:
        SettingsError: It is not installed, or damaged.
    """
    weights = io.BytesIO()
    for chunk in read(SPEECH, progress):
        weights.write(chunk)
    weights.seek(0)
    files: dict[str, Any] = {"model.bin": weights}
    for name in _COMPANIONS:
        files[name] = find(SPEECH.files[0][0], name).read_bytes()
    os.environ.setdefault("OMP_WAIT_POLICY", "passive")
    os.environ.setdefault("HF_HUB_OFFLINE", "1")  # nothing to be had there
    # Else it tells Microsoft of its use, with an id it keeps in ~/.cache (onnxruntime 1.31).
    os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")
    import faster_whisper  # noqa: PLC0415 - 0.3 s, and not needed with a key

    return faster_whisper.WhisperModel(
        MODEL, device="cpu", compute_type="int8", cpu_threads=os.cpu_count() or 1, files=files
    )
