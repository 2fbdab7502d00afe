"""Files on this machine's disk, for the console: recordings to hear, what it has to show."""

import mimetypes
import shlex
from itertools import chain, count
from pathlib import Path

import platformdirs

from core.errors import FetchError
from core.types import File, Voice

TAKE_FILE = ("/voice", "/transcribe", "/translate")


def parse(line: str) -> tuple[str, Voice | None]:
    """Tell a command that names a file from everything else.

    Returns:
        The command and its recording, or the line as it is and None.

    Raises:
        FetchError: No file is named, or it cannot be read.
    """
    command, _, argument = line.strip().partition(" ")
    if command == "/voice" and not argument:
        raise FetchError("Please name the recording, like this: /voice FILE")
    if command not in TAKE_FILE or not argument:
        return line, None
    path = _path(argument.strip())
    read(path, 1)
    mime, _ = mimetypes.guess_type(path.name)
    size = path.stat().st_size
    return command, Voice(ref=str(path), size=size, mime=mime or "", name=path.name)


def read(path: Path, length: int = -1) -> bytes:
    """Return the first `length` bytes of a file, by default all.

    Raises:
        FetchError: It cannot be read.
    """
    if path.is_dir():
        raise FetchError(f"{path} is a folder, not a recording.")
    if not path.is_file():
        raise FetchError(f"There is no file called {path} here.")
    try:
        with path.open("rb") as file:
            return file.read(length)
    except OSError:
        raise FetchError(f"{path} is there, but I am not allowed to read it.") from None


def save(file: File) -> Path:
    """Write a file into the folder `files` of our state folder; return where it is.

    Nothing is overwritten: where something else has the name, it gets a number. Only its owner
    may read it. Raises OSError if it cannot be written.
    """
    wanted = Path(platformdirs.user_state_dir("causerie")) / "files" / Path(file.name).name
    wanted.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    numbered = (wanted.with_stem(f"{wanted.stem}-{number}") for number in count(2))
    paths = chain((wanted,), numbered)
    path = next(p for p in paths if not p.exists() or p.read_bytes() == file.data)
    path.touch(mode=0o600)
    path.write_bytes(file.data)
    return path


def _path(argument: str) -> Path:
    """Resolve a path as people type, quote, or drag it into a terminal."""
    path = Path(argument).expanduser()
    if not path.exists():
        try:
            words = shlex.split(argument)
        except ValueError:
            words = []
        path = Path(" ".join(words) or argument).expanduser()
    return path.absolute()
