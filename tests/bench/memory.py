"""Memory after 2,000 answers, beside what it was before them.

Run as `python -m tests.bench memory`, with `telegram` or `discord` behind it. New people talk in
each step: a prompt grows with its history, but what grows here is left behind.
"""

import argparse
import asyncio
import sys
from collections.abc import Callable, Mapping

from tests.bench.rounds import write_aim
from tests.bench.subject import Subject
from tests.bench.talk import Town, World
from tests.bench.worlds import OURS, DiscordWorld, TelegramWorld

WORLDS: Mapping[str, Callable[[], World]] = {"telegram": TelegramWorld, "discord": DiscordWorld}
CHATS, QUESTIONS = 50, 10
# The first opens connections and fills caches, and does not count.
STEPS = 1 + 4
MOST_RATIO = 1.05


async def _bench(platform: str) -> list[int]:
    """Return the RSS after each step."""
    found = []
    async with Subject(OURS, Town(WORLDS[platform]())) as subject:
        for step in range(STEPS):
            await subject.town.talk(subject.town.people(CHATS), QUESTIONS)
            found.append(subject.memory)
            answers = CHATS * QUESTIONS * (step + 1)
            sys.stdout.write(f"{answers:6,} answers  {found[-1] / 2**20:6.1f} MB\n")
    return found


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench memory")
    parser.add_argument("platform", choices=WORLDS)
    first, *_, last = asyncio.run(_bench(parser.parse_args().platform))
    answers = CHATS * QUESTIONS * (STEPS - 1)
    text = f"x the RSS {answers:,} answers later (<= {MOST_RATIO})"
    write_aim(last / first, text, is_met=last / first <= MOST_RATIO)


if __name__ == "__main__":
    main()
