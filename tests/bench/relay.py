"""Speed of the whole path on Telegram, beside two bare relays of a few lines (`floors`).

Run as `python -m tests.bench relay`. All three stand ready at once, each in a process of its
own and with loopback servers of its own, and are talked to in turns, so that whatever else the
machine does strikes all of them. In every chat somebody asks anew as soon as the answer stands.
"""

import argparse
import asyncio
import sys
from collections.abc import Sequence

from tests.bench.rounds import (
    COSTS,
    MEMORY,
    ROUNDS,
    Table,
    compare,
    delay,
    write_aim,
    write_conditions,
    write_table,
)
from tests.bench.talk import Town
from tests.bench.worlds import DEFAULT, FAST, OURS, TelegramWorld

CHATS = (1, 10, 50, 200)
COLUMNS = (
    *COSTS,
    delay("confirmed ms", lambda a: a.confirmed),
    delay("asked ms", lambda a: a.asked),
    delay("visible ms", lambda a: a.visible),
    delay("final ms", lambda a: a.final),
    MEMORY,
)
LEGEND = """
confirmed: asked by a person -> Telegram hears that the bot has it (ours: stored, fsynced)
asked:     asked by a person -> request at the model
visible:   first token -> first text in the chat;  final: last token -> whole text in the chat
"""


def _write_aims(table: Table, chats: Sequence[int]) -> None:
    most = max(chats)
    ours, default, fast = (table[most, name] for name in (OURS, DEFAULT, FAST))
    rate = ours.ratio(default, lambda r: r.rate)
    text = f"x the answers/s of the default floor at {most} chats (>= 4)"
    write_aim(rate, text, is_met=rate >= 4)
    rate = ours.ratio(fast, lambda r: r.rate)
    text = f"x the answers/s of the fast floor at {most} chats (>= 0.7)"
    write_aim(rate, text, is_met=rate >= 0.7)
    cpu = ours.ratio(default, lambda r: r.cpu)
    text = f"x the CPU per answer of the default floor at {most} chats (<= 0.5)"
    write_aim(cpu, text, is_met=cpu <= 0.5)
    few = min(chats, key=lambda number: abs(number - 10))
    visible = table[few, OURS].milliseconds(lambda a: a.visible)
    text = f"ms from first token to first visible text at {few} chats (<= 100)"
    write_aim(visible, text, is_met=visible <= 100)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench relay")
    parser.add_argument("--chats", type=int, nargs="+", default=CHATS)
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    chosen = parser.parse_args()
    towns = {name: Town(TelegramWorld()) for name in TelegramWorld.commands}
    table = asyncio.run(compare(towns, chats=chosen.chats, rounds=chosen.rounds))
    write_table(table, COLUMNS)
    sys.stdout.write(LEGEND)
    write_conditions(chosen.rounds)
    _write_aims(table, chosen.chats)


if __name__ == "__main__":
    main()
