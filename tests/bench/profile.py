"""Where a bot's time goes while it answers on Telegram over HTTP, beside two bare relays.

Run as `python -m tests.bench profile`, as a user who may trace processes. Each bot serves 50
people for a while and is looked at 200 times a second; what it did then is put down to the
nearest package in its stack, with what that calls of the standard library. `--picture FILE.png`
draws a flame graph of ours.
"""

import argparse
import asyncio
import re
import sys
import tempfile
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from tests.bench.flame import draw, tree
from tests.bench.subject import Subject
from tests.bench.talk import Town
from tests.bench.worlds import TelegramWorld

CHATS, SECONDS, RATE = 50, 15, 200
LEAST = 0.2  # milliseconds of an answer that make a line of the table
_FRAME = re.compile(r"\((?P<file>[^()]*?)(:\d+)?\)$")
OWN = "itself"
PARTS = {
    "core/store": "core: store",
    "core": "core: the rest",
    "bots": "bots",
    "tests/bench": OWN,
    "aiosqlite": "core: store",
}
_PYTHON = "Python itself"
_LOOP = "BaseEventLoop.run_forever (asyncio"


@dataclass(frozen=True, slots=True, kw_only=True)
class Profile:
    """What a bot did.

    Attributes:
        cpu: Milliseconds for an answer, by what they went to.
    """

    cpu: Mapping[str, float]


def part_of(stack: str) -> str:
    """Return what a stack's time is put down to; frames are separated by semicolons."""
    for frame in reversed(stack.split(";")):
        if frame.startswith(_LOOP):
            return "asyncio's loop"
        found = _FRAME.search(frame)
        path = found["file"] if found else ""
        for folder, part in PARTS.items():
            if path.startswith(f"{folder}/"):
                return part
        package = path.partition("/")[0]
        if "/" in path and package not in sys.stdlib_module_names and "<" not in path:
            return package
    return _PYTHON


async def watch(subject: Subject, *, seconds: int, path: Path) -> None:
    """Look at a bot's stacks for so long, and write what was seen.

    Raises:
        ChildProcessError: It cannot be looked at.
    """
    process = await asyncio.create_subprocess_exec(
        *(
            Path(sys.executable).with_name("py-spy"),
            "record",
            "--nonblocking",
            "--pid",
            str(subject.pid),
        ),
        *("--duration", str(seconds), "--rate", str(RATE), "--format", "raw", "-o", str(path)),
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.PIPE,
    )
    _, said = await process.communicate()
    if process.returncode:
        raise ChildProcessError(said.decode())


async def profile(name: str, *, seconds: int, picture: Path | None) -> Profile:
    """Let people talk to a bot, and look at it."""
    with tempfile.TemporaryDirectory() as folder:
        samples = Path(folder) / "samples"
        async with Subject(name, Town(TelegramWorld())) as subject:
            people = subject.town.people(CHATS)
            await subject.town.talk(people, 1)
            cpu, answers = subject.cpu, 0
            watching = asyncio.create_task(watch(subject, seconds=seconds, path=samples))
            while not watching.done():
                answers += len(await subject.town.talk(people, 2))
            await watching
            cpu = (subject.cpu - cpu) * 1000 / answers
        lines = samples.read_text().splitlines()
    if picture:
        draw(tree(lines, part_of), picture, f"{name}: {len(people)} chats, {cpu:.1f} ms an answer")
    return Profile(cpu=shared(lines, cpu))


def shared(lines: Iterable[str], cpu: float) -> dict[str, float]:
    """Share out what an answer costs as often as each part was seen at work."""
    seen: Counter[str] = Counter()
    for line in lines:
        stack, _, count = line.rpartition(" ")
        seen[part_of(stack)] += int(count)
    return {part: cpu * count / seen.total() for part, count in seen.items()}


async def main(seconds: int, picture: Path | None) -> None:
    """Measure and print."""
    names = tuple(TelegramWorld.commands)
    found = [
        await profile(name, seconds=seconds, picture=picture if name == names[0] else None)
        for name in names
    ]
    parts = sorted(
        {part for one in found for part, cpu in one.cpu.items() if cpu >= LEAST},
        key=lambda part: -found[0].cpu.get(part, 0),
    )
    out = sys.stdout.write
    out(f"{'CPU ms/answer':18}" + "".join(f"{name:>16}" for name in names) + "\n")
    for part in parts:
        out(f"{part:18}" + "".join(f"{one.cpu.get(part, 0):16.2f}" for one in found) + "\n")
    out(f"{'sum':18}" + "".join(f"{sum(one.cpu.values()):16.2f}" for one in found) + "\n")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(prog="python -m tests.bench profile")
    parser.add_argument("--seconds", type=int, default=SECONDS)
    parser.add_argument("--picture", type=Path, metavar="FILE.png")
    chosen = parser.parse_args()
    asyncio.run(main(chosen.seconds, chosen.picture))
