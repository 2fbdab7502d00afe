"""Seconds from the start of the process to its first request for messages, with a key set.

Run as `python -m tests.bench start`. The database is new each time.
"""

import asyncio
import statistics
import sys

from tests.bench.subject import Subject
from tests.bench.talk import Town
from tests.bench.worlds import OURS, TelegramWorld

STARTS = 5
AIM_SECONDS = 2.0


async def _start() -> float:
    world = TelegramWorld()
    async with Subject(OURS, Town(world)) as subject:
        calls = world.server.calls
        return next(c.at for c in calls if c.method == "getUpdates") - subject.started_at


def main() -> None:
    """Measure and print."""
    times = [asyncio.run(_start()) for _ in range(STARTS)]
    sys.stdout.write(" ".join(f"{seconds:.2f}" for seconds in times) + " s\n")
    median = statistics.median(times)
    verdict = "met" if median <= AIM_SECONDS else "MISSED"
    sys.stdout.write(f"{verdict:6}  {median:.2f} s to serving, median (<= {AIM_SECONDS:g})\n")


if __name__ == "__main__":
    main()
