"""The file `.env`: what in it, and in the environment, would count for nothing in silence."""

import difflib
import os
import re
from collections.abc import Collection, Iterator
from pathlib import Path

from dotenv import dotenv_values
from dotenv.parser import parse_stream

from core.errors import SettingsError

NAME = ".env"
# How alike a name is to a setting's that was meant: OPENAI_KEY is, AZURE_OPENAI_API_KEY is not.
ALIKE = 0.83
# As `docker run --env-file` hands them over, round all of a value.
_QUOTED = re.compile(r"""\s*(?:"([^"]*)"|'([^']*)')\s*""")


def check(path: Path) -> None:
    """See that each line can be read; no file is none the worse.

    Raises:
        SettingsError: One cannot.
        OSError, UnicodeDecodeError: The file cannot.
    """
    if path.is_dir():  # which would be taken for none
        raise IsADirectoryError(path)
    if not path.is_file():
        return
    with path.open(encoding="utf-8") as file:
        lines = [found.original.line for found in parse_stream(file) if found.error]
    if lines:
        raise SettingsError(
            f"{NAME}: line {lines[0]} should look like NAME=value, with both quotes or none"
        )


def bare(value: str) -> str:
    """Return a value without quotes round it, and white space."""
    quoted = _QUOTED.fullmatch(value)
    return (quoted[1] or quoted[2] or "" if quoted else value).strip()


def misnamed(fields: Collection[str], chosen: Collection[str]) -> Iterator[tuple[str, str]]:
    """Yield names, in the environment or in `.env`, and the settings that they were meant for.

    Only what is like a setting that has no value: all else is somebody else's.

    Args:
        fields: Names of all settings, in lower case.
        chosen: Those that have a value.
    """
    unset = [name.upper() for name in fields if name not in chosen]
    for name in sorted({*os.environ, *dotenv_values(NAME)}):
        meant = difflib.get_close_matches(name.upper(), unset, n=1, cutoff=ALIKE)
        if meant and name.lower() not in fields:
            yield name, meant[0]
