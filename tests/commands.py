"""The commands that an owner runs beside the bot, as processes of their own."""

import asyncio
import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from tests import leaks
from tests.crash.program import ROOT, START_SECONDS


@dataclass(frozen=True, slots=True, kw_only=True)
class Done:
    """How a command ended, and what it wrote."""

    code: int | None
    out: str
    err: str


def environment(settings: Mapping[str, str]) -> dict[str, str]:
    """Return the environment of a command."""
    kept = {
        name: value
        for name, value in os.environ.items()
        if name in {"PATH", "HOME", "LANG"} or name.startswith("COVERAGE_")
    }
    return {**kept, "PYTHONPATH": str(ROOT), **settings}


async def causerie(folder: Path, *arguments: str, **settings: str) -> Done:
    """Run `causerie ...` in a folder; what it says holds no secret, and is no traceback."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "bots", *arguments),
        cwd=folder,
        env=environment(settings),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    out, err = await asyncio.wait_for(process.communicate(), START_SECONDS)
    done = Done(code=process.returncode, out=out.decode(), err=err.decode())
    leaks.written(done.out + done.err)
    assert "in-no-log" not in done.out + done.err  # the password of every URL in the tests
    assert "Traceback" not in done.err, done.err
    return done
