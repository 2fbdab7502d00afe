"""What is said of the machine: the disk, the clock, the fonts."""

import os
from pathlib import Path

import pytest

from core import settings
from core.finding import Finding
from core.settings import Settings
from core.surroundings import about_clock, check_disk, check_fonts
from tests.fonts import write_font

GB, MB = 1_000_000_000, 1_000_000


async def disk(url: str, **free: int) -> list[Finding]:
    """Return what is found with so many bytes free at `here` and `there`."""
    chosen = settings.load(Settings, _env_file=None, database_url=url)
    if not free:
        return [found async for found in check_disk(chosen)]
    there = Path(os.environ.get("SQLITE_TMPDIR", "/nowhere"))

    def measure(folder: Path) -> int:
        return free["there" if folder == there else "here"]

    return [found async for found in check_disk(chosen, free=measure)]


@pytest.mark.parametrize(
    ("free", "level", "text"),
    [
        (2 * GB, "ok", "2.0 GB are free"),
        (999 * MB, "warning", "only 999 MB are free"),
        (99 * MB, "fault", "only 99 MB are free"),
    ],
)
async def test_room(tmp_path: Path, free: int, level: str, text: str) -> None:
    """Less than a GB is a warning, less than 100 MB a fault; folders need not be there yet."""
    (found,) = await disk(f"sqlite:///{tmp_path}/more/causerie.db", here=free, there=free)
    assert found.level == level
    assert found.text.startswith(text)
    assert found.text.endswith(str(tmp_path))


async def test_room_for_a_large_database(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is written anew at times, which takes its size again, also where SQLite's scratch is."""
    path = tmp_path / "causerie.db"
    with path.open("wb") as file:
        file.truncate(3 * GB)
    monkeypatch.setenv("SQLITE_TMPDIR", "/proc")  # another disk
    here, there = await disk(f"sqlite:///{path}", here=2 * GB, there=GB)
    assert (here.level, there.level) == ("warning", "warning")
    assert there.text.startswith("1.0 GB are free at /proc, too few")
    assert there.fix.startswith("set SQLITE_TMPDIR")


async def test_the_disk_of_a_server() -> None:
    """Nobody can see it from here; the disk of this machine is asked otherwise."""
    (found,) = await disk("postgresql://h/n")
    assert "see to its disk there" in found.text
    (found,) = await disk("sqlite:///causerie.db")
    assert " free at " in found.text


async def test_fonts(tmp_path: Path) -> None:
    """What no font has is named, with the package that has it."""
    chosen = settings.load(Settings, _env_file=None)
    (found,) = [one async for one in check_fonts(chosen, folders=(tmp_path / "none",))]
    assert found.level == "warning"
    assert "Chinese, Japanese and Korean and emoji" in found.text
    assert "apt install fonts-noto-cjk fonts-noto-color-emoji" in found.fix
    write_font(tmp_path / "fonts" / "Sans.ttf", "\u6f22\u3042\ud55c")
    write_font(tmp_path / "fonts" / "Emoji.ttf", "\U0001f600")
    (found,) = [one async for one in check_fonts(chosen, folders=(tmp_path / "fonts",))]
    assert "noto" not in found.fix


@pytest.mark.parametrize(
    ("ahead", "level", "text"),
    [
        (29, "ok", "the same time as that of h"),
        (31, "warning", "this machine's clock is 31 s ahead of that of h"),
        (-3600, "warning", "this machine's clock is 3,600 s behind that of h"),
    ],
)
def test_the_clock(ahead: float, level: str, text: str) -> None:
    """From half a minute on, it is to be set."""
    found = about_clock(ahead, "h")
    assert (found.level, found.text) == (level, text)
