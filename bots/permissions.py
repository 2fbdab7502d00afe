"""Whether files that hold secrets, or what people said, are closed to others on this machine."""

import os
from collections.abc import Iterator
from pathlib import Path

from bots.settings import BotSettings

_OTHERS, _ALL_BUT_OWNER = 0o007, 0o077


def private_files(chosen: BotSettings) -> Iterator[Path]:
    """Yield the files that are for the owner alone, as far as they exist."""
    env = Path(str(type(chosen).model_config["env_file"]))
    for path in (env, chosen.database):
        if isinstance(path, Path) and path.is_file():
            yield path


def is_exposed(path: Path) -> bool:
    """Say whether others can read or change a file.

    A group may, if the file is another user's: then it is how that user lets us read it.
    """
    found = path.stat()
    others = _ALL_BUT_OWNER if found.st_uid == os.getuid() else _OTHERS
    return bool(found.st_mode & others)


def fix(path: Path) -> str:
    """Return the command that closes a file to others."""
    return f"chmod 600 {path}"
