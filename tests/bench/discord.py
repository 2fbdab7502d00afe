"""Speed of the whole path on Discord, beside bare relays of a few lines (`discord_floors`).

Run as `python -m tests.bench discord`. All stand ready at once, each in a process of its own
and with loopback servers of its own, and are talked to in turns. In every channel somebody asks
anew as soon as the answer stands.

First all begin at once, with a quick model and no rate limits, to see what an answer costs; ours
keeps to Discord's 50 calls a second all the same, which bounds its answers a second. Then they
begin within 3 s of each other, with a model as fast as real ones, within the limits that bots
report: 5 messages and 5 edits in 5 s in a channel, 50 calls a second in all.
"""

import argparse
import asyncio
import sys
from collections.abc import Mapping, Sequence

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
from tests.bench.worlds import DEFAULT, FAST, OURS, DiscordWorld
from tests.servers.discord import Limits

CHANNELS = (1, 10, 50)
# A model of 40 tokens a second: 3.2 s to an answer of 103.
FIRST_TOKEN_SECONDS, CHUNK_SECONDS = 0.6, 0.025
SPREAD_SECONDS = 3.0
COLUMNS = (
    *COSTS,
    delay("asked ms", lambda a: a.asked),
    delay("visible ms", lambda a: a.visible),
    delay("95 %", lambda a: a.visible, nth=19),
    delay("final ms", lambda a: a.final),
    delay("95 %", lambda a: a.final, nth=19),
    MEMORY,
)
LEGEND = """
asked:   asked by a person -> request at the model (ours: stored, fsynced)
visible: first token -> first text in the channel;  final: last token -> whole text in it
"""


def _quick() -> Mapping[str, Town]:
    return {name: Town(DiscordWorld()) for name in (OURS, DEFAULT, FAST)}


def _limited() -> Mapping[str, Town]:
    return {
        name: Town(
            DiscordWorld(Limits()),
            first_token_seconds=FIRST_TOKEN_SECONDS,
            chunk_seconds=CHUNK_SECONDS,
            spread_seconds=SPREAD_SECONDS,
        )
        for name in (OURS, DEFAULT)
    }


def _write_aims(quick: Table, limited: Table, channels: Sequence[int]) -> None:
    few = min(channels, key=lambda number: abs(number - 10))
    for table, where in ((quick, "no limits"), (limited, "Discord's limits")):
        ours = table[few, OURS]
        visible, final = (ours.milliseconds(of) for of in (lambda a: a.visible, lambda a: a.final))
        text = f"ms from first token to first visible text, {few} channels, {where} (<= 150)"
        write_aim(visible, text, is_met=visible <= 150)
        text = f"ms from last token to final text, {few} channels, {where} (<= 300)"
        write_aim(final, text, is_met=final <= 300)
        cpu = max(table[n, OURS].ratio(table[n, DEFAULT], lambda r: r.cpu) for n in channels)
        text = f"x the CPU per answer of the default floor at most, {where} (<= 1.3)"
        write_aim(cpu, text, is_met=cpu <= 1.3)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench discord")
    parser.add_argument("--channels", type=int, nargs="+", default=CHANNELS)
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    chosen = parser.parse_args()
    tables = []
    for title, towns in (
        ("A quick model, no rate limits", _quick()),
        ("A model of 40 tokens a second, Discord's rate limits", _limited()),
    ):
        sys.stdout.write(f"{title}\n\n")
        table = asyncio.run(compare(towns, chats=chosen.channels, rounds=chosen.rounds))
        write_table(table, COLUMNS)
        sys.stdout.write(LEGEND)
        write_conditions(chosen.rounds)
        tables.append(table)
    _write_aims(tables[0], tables[1], chosen.channels)


if __name__ == "__main__":
    main()
