"""What the machine has to offer: room on the disk, the time, and fonts."""

import asyncio
import os
import shutil
from collections.abc import AsyncGenerator, Callable, Iterator
from pathlib import Path

from core.charts import FONT_FOLDERS
from core.finding import Finding, fault, ok, warning
from core.settings import Settings
from core.store.checkup import existing

# Bytes: what a day of much talk takes at most, and what a year of it does.
TOO_LITTLE, LITTLE = 100_000_000, 1_000_000_000
# Days and limits end at the wrong moment, and soon certificates are not valid yet, or no more.
CLOCK_SECONDS = 30.0
# Where SQLite writes what it cannot keep in memory: sqlite.org/tempfiles.html, 2026-11.
_SCRATCH_SETTINGS = ("SQLITE_TMPDIR", "TMPDIR")
_SCRATCH = ("/var/tmp", "/usr/tmp", "/tmp", ".")  # noqa: S108 - not ours, but SQLite's
# What stands for a script, its package in Debian, and whether it is a picture.
_SCRIPTS = (
    ("Chinese, Japanese and Korean", "fonts-noto-cjk", "\u6f22\u3042\ud55c", False),
    ("emoji", "fonts-noto-color-emoji", "\U0001f600", True),
)


async def check_disk(
    settings: Settings, *, free: Callable[[Path], int] | None = None
) -> AsyncGenerator[Finding]:
    """Say whether there is room for the database, its log, and writing it anew.

    Args:
        settings: The owner's.
        free: Returns the bytes that are free where a folder lies; None for the disk's word.
    """
    where = settings.database
    if not isinstance(where, Path):
        yield ok("what is kept lies on the database's server; see to its disk there")
        return
    size = where.stat().st_size if os.access(where, os.F_OK) else 0
    for finding in _about_room(existing(where.absolute().parent), size, free or _free):
        yield finding


async def check_fonts(
    _: Settings, *, folders: tuple[Path, ...] = FONT_FOLDERS
) -> AsyncGenerator[Finding]:
    """Say which names the pictures of /usage cannot write.

    Args:
        folders: With the system's fonts.
    """
    lacking, packages = await asyncio.to_thread(_lacking, folders)
    if lacking:
        yield warning(
            f"pictures of /usage cannot show names in {' and '.join(lacking)}",
            fix=f"install fonts that have them; on Debian: apt install {' '.join(packages)}",
        )
    else:
        yield ok("pictures of /usage can show names in all scripts that were tried")


def about_clock(ahead: float, whose: str) -> Finding:
    """Say whether this machine's clock is right.

    Args:
        ahead: Seconds that it is ahead of another one; less than 0: behind.
        whose: The other one.
    """
    if abs(ahead) < CLOCK_SECONDS:
        return ok(f"the same time as that of {whose}")
    side = "ahead of" if ahead > 0 else "behind"
    text = f"this machine's clock is {abs(ahead):,.0f} s {side} that of {whose}"
    return warning(text, fix="have it set from the network: timedatectl set-ntp true")


def _about_room(folder: Path, size: int, free: Callable[[Path], int]) -> Iterator[Finding]:
    room = free(folder)
    text = f"{_counted(room)} are free at {folder}"
    fix = f"make room on the disk of {folder}"
    if room < TOO_LITTLE:
        yield fault(f"only {text}", fix=fix)
    elif room < max(LITTLE, size):
        yield warning(f"only {text}", fix=fix)
    else:
        yield ok(text)
    scratch = _scratch()
    if scratch and os.stat(scratch).st_dev != os.stat(folder).st_dev and free(scratch) < size:  # noqa: PTH116
        yield warning(
            f"{_counted(free(scratch))} are free at {scratch}, too few to write the database of "
            f"{_counted(size)} anew, so that what was deleted may be found in it",
            fix="set SQLITE_TMPDIR, in the environment, to a folder with more room",
        )


def _scratch() -> Path | None:
    """Return the folder for SQLite's temporary files; None if there is none."""
    named = filter(None, map(os.environ.get, _SCRATCH_SETTINGS))
    places = map(Path, (*named, *_SCRATCH))
    return next((p for p in places if p.is_dir() and os.access(p, os.W_OK | os.X_OK)), None)


def _free(folder: Path) -> int:
    return shutil.disk_usage(folder).free


def _counted(size: int) -> str:
    return f"{size / 1e9:,.1f} GB" if size >= LITTLE else f"{size / 1e6:,.0f} MB"


def _lacking(folders: tuple[Path, ...]) -> tuple[list[str], list[str]]:
    """Return the scripts that no font has, and what to install for them."""
    from PIL import features  # noqa: PLC0415 - only for this

    from core.charts import fonts  # noqa: PLC0415 - likewise

    missing = [
        (name, package)
        for name, package, characters, is_emoji in _SCRIPTS
        if not all(fonts.find(one, folders, is_emoji=is_emoji) for one in characters)
    ]
    missing += [] if features.check_feature("fribidi") else [("Hebrew and Arabic", "libfribidi0")]
    return [name for name, _ in missing], [package for _, package in missing]
