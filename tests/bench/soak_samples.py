"""What a process holds, looked at from outside again and again; what has become of it."""

import asyncio
import itertools
import math
import os
import statistics
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields
from pathlib import Path

import aiohttp
from PIL import Image, ImageDraw, ImageFont

from tests.numbers import Numbers

_TICKS = os.sysconf("SC_CLK_TCK")
_BLOCKS = "▁▂▃▄▅▆▇█"
_WIDTH, _HEIGHT, _EDGE = 1200, 200, 60


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """What a process holds at a moment.

    Attributes:
        at: Seconds since the soak began.
        rss: Megabytes of memory.
        uss: Megabytes that no other process shares.
        others: File descriptors that are neither socket nor file, such as pipes.
        connections: To the database.
        turns: That have ended since it started.
        cpu: Seconds since it started.
    """

    at: float
    rss: float
    uss: float
    sockets: int
    files: int
    others: int
    threads: int
    tasks: int
    connections: int
    turns: int
    cpu: float


class Watch:
    """Takes samples of a process.

    Args:
        pid: Of the process.
        url: Of its metrics.

    Attributes:
        samples: All, in order.
        began: When, by `time.monotonic`.
    """

    def __init__(self, pid: int, url: str) -> None:
        self.samples: list[Sample] = []
        self._process = Path(f"/proc/{pid}")
        self._url = url
        self.began = time.monotonic()

    async def run(self, seconds: float) -> None:
        """Take a sample every so often, until cancelled."""
        for number in itertools.count(1):
            await self.take()
            await asyncio.sleep(self.began + number * seconds - time.monotonic())

    async def take(self) -> Sample:
        """Take a sample."""
        kinds = self._descriptors()  # before we open a connection ourselves
        rss, uss = self._memory()
        numbers = await self._numbers()
        stat = (self._process / "stat").read_text().rpartition(")")[2].split()
        sample = Sample(
            at=time.monotonic() - self.began,
            rss=rss,
            uss=uss,
            sockets=kinds["socket"],
            files=kinds["file"],
            others=kinds["other"],
            threads=int(stat[17]),
            tasks=int(numbers("tasks")),
            connections=int(numbers("store_connections")),
            turns=int(numbers("turns_total")),
            cpu=(int(stat[11]) + int(stat[12])) / _TICKS,
        )
        self.samples.append(sample)
        return sample

    async def _numbers(self) -> Numbers:
        connector = aiohttp.TCPConnector(force_close=True)
        async with (
            aiohttp.ClientSession(connector=connector) as session,
            session.get(self._url) as response,
        ):
            return Numbers(await response.text())

    def _descriptors(self) -> Counter[str]:
        found: Counter[str] = Counter()
        for link in (self._process / "fd").iterdir():
            try:
                target = str(link.readlink())
            except FileNotFoundError:  # closed meanwhile
                continue
            name = target.partition(":")[0]
            found["socket" if name == "socket" else "file" if name[0] == "/" else "other"] += 1
        return found

    def _memory(self) -> tuple[float, float]:
        lines = (self._process / "smaps_rollup").read_text().splitlines()[1:]
        sizes = {line.split(":")[0]: int(line.split()[1]) / 1024 for line in lines}
        return sizes["Rss"], sizes["Private_Clean"] + sizes["Private_Dirty"]

    def between(self, begin: float, end: float) -> Sequence[Sample]:
        """Return the samples of a time, in seconds since the beginning."""
        return [sample for sample in self.samples if begin <= sample.at < end]


Of = Callable[[Sample], float]


def median(samples: Sequence[Sample], of: Of) -> float:
    """Return the median of a figure."""
    return statistics.median(map(of, samples))


def slope(samples: Sequence[Sample], of: Of) -> float:
    """Return by how much a figure grows in a second (Theil-Sen: the median of all slopes)."""
    pairs = itertools.combinations(samples, 2)
    return statistics.median((of(b) - of(a)) / (b.at - a.at) for a, b in pairs)


def line(samples: Sequence[Sample], of: Of, width: int = 64) -> str:
    """Return a figure over time as blocks, each the largest value of its time."""
    step = max(1, math.ceil(len(samples) / width))
    groups = (samples[at : at + step] for at in range(0, len(samples), step))
    values = [max(map(of, group)) for group in groups]
    low, high = min(map(of, samples)), max(values)
    scale = (len(_BLOCKS) - 1) / (high - low or 1)
    return "".join(_BLOCKS[round((value - low) * scale)] for value in values)


def write_lines(samples: Sequence[Sample]) -> str:
    """Return a small chart of all figures but time and sums, with the least and the most."""
    rows = []
    for name in (f.name for f in fields(Sample) if f.name not in {"at", "turns", "cpu"}):
        of = figure(name)
        values = [of(sample) for sample in samples]
        rows.append(f"{name:12}{min(values):6.0f} {line(samples, of)} {max(values):.0f}\n")
    return "".join(rows)


def draw(samples: Sequence[Sample], path: Path) -> None:
    """Draw memory, file descriptors, threads and tasks over time as a PNG."""
    panels = (("rss", "uss"), ("sockets", "files"), ("tasks",), ("threads", "connections"))
    image = Image.new("RGB", (_WIDTH, _HEIGHT * len(panels)), "white")
    pen, font = ImageDraw.Draw(image), ImageFont.load_default(16)
    for row, names in enumerate(panels):
        top = row * _HEIGHT
        most = max(figure(name)(s) for s in samples for name in names) or 1
        pen.line((_EDGE, top + _HEIGHT - 25, _WIDTH - 20, top + _HEIGHT - 25), fill="gray")
        pen.text((5, top + 25), f"{most:.0f}", fill="black", font=font)
        for place, (name, color) in enumerate(zip(names, ("navy", "darkorange"), strict=False)):
            pen.text((_EDGE + 140 * place, top + 2), name, fill=color, font=font)
            points = [
                (
                    _EDGE + s.at / samples[-1].at * (_WIDTH - _EDGE - 20),
                    top + _HEIGHT - 25 - figure(name)(s) / most * (_HEIGHT - 55),
                )
                for s in samples
            ]
            pen.line(points, fill=color, width=2)
    pen.text((_WIDTH - 90, image.height - 22), f"{samples[-1].at:.0f} s", "black", font)
    image.save(path)


def figure(name: str) -> Of:
    """Return what reads a figure by its name."""
    return lambda sample: float(getattr(sample, name))
