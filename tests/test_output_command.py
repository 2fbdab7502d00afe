"""What commands print, where nobody takes it: a reader who leaves, a disk that is full."""

import asyncio
import sys
from pathlib import Path

import pytest

from core.store import open_store
from tests.commands import Done, causerie, environment
from tests.crash.program import START_SECONDS

# It has read all it wants before the command begins to print, which Python's start takes long for.
GONE = "| true"
COMMANDS = ["doctor", "usage", "dead list", "--help"]


@pytest.fixture
async def folder(tmp_path: Path) -> Path:
    """A folder with an empty database."""
    await (await open_store(tmp_path / "causerie.db")).close()
    return tmp_path


async def shell(folder: Path, command: str) -> Done:
    """Run the program in a shell whose exit code is that of the program."""
    process = await asyncio.create_subprocess_exec(
        *("bash", "-o", "pipefail", "-c", f"{sys.executable} -m bots {command}"),
        cwd=folder,
        env=environment({}),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    out, err = await asyncio.wait_for(process.communicate(), START_SECONDS)
    return Done(code=process.returncode, out=out.decode(), err=err.decode())


@pytest.mark.parametrize("command", COMMANDS)
async def test_whoever_reads_it_may_leave(folder: Path, command: str) -> None:
    """Without a word, and with the exit code of a program whose pipe was closed."""
    done = await shell(folder, f"{command} {GONE}")
    assert (done.code, done.err) == (141, "")


@pytest.mark.parametrize("command", COMMANDS)
async def test_a_full_disk_is_said(folder: Path, command: str) -> None:
    """In a sentence, and with 1."""
    done = await shell(folder, f"{command} >/dev/full")
    words = "causerie: Cannot write to standard output: No space left on device.\n"
    assert (done.code, done.err) == (1, words)


async def test_a_sign_that_cannot_be_shown_is_spelled(folder: Path) -> None:
    """What was done is not called a failure for it."""
    done = await causerie(folder, "backup", "ä\udcff.db", PYTHONIOENCODING="ascii:strict")
    assert done.out.startswith("\\xe4\\udcff.db holds everything")
    assert done.code == 0


@pytest.mark.parametrize("where", ["2>/dev/full", "2>&-", ">&- 2>&-", "2> >(true)"])
async def test_a_backup_needs_nobody_who_watches(folder: Path, where: str) -> None:
    """It is made, though nobody can be told how far it is."""
    done = await shell(folder, f"backup backup.db {where}")
    assert done.code == 0
    assert (folder / "backup.db").exists()


@pytest.mark.parametrize("command", COMMANDS)
async def test_nobody_needs_to_listen(folder: Path, command: str) -> None:
    """Where a parent has closed what is written to, the exit code tells."""
    done = await shell(folder, f"{command} <&- >&- 2>&-")
    assert (done.code, done.out, done.err) == (0, "", "")
