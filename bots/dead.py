"""`causerie dead`: what was given up is listed, tried again, or deleted."""

import argparse
import asyncio
import re
import sys
from collections.abc import AsyncIterator, Callable, Collection
from contextlib import asynccontextmanager
from datetime import datetime
from functools import partial
from typing import TYPE_CHECKING

from bots import output, serving
from bots.settings import BotSettings
from core.store import dead
from core.store.beside import beside
from core.store.tx import Database, Tx

if TYPE_CHECKING:
    from bots.upkeep import Commands

ALL = "all"
ABOUT = """\
Messages that could not be answered after several attempts, and texts that
could not be posted.

It works beside a bot that runs. Words are never shown."""
_HEAD = ("ID", "SINCE", "CHAT", "KIND", "TRIES", "REASON")
_Job = Callable[[Tx, Collection[str] | None], set[str]]


def add_command(commands: "Commands") -> None:
    """Add this command to the command line."""
    command = commands.add_parser(
        "dead",
        help="list, retry or drop what was given up",
        description=ABOUT,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    command.set_defaults(do=show)
    actions = command.add_subparsers(title="actions", metavar="ACTION")
    text = "list everything that was given up, as without an action"
    actions.add_parser("list", help=text, description=text).set_defaults(do=show)
    retried: tuple[_Job, str] = (
        dead.retry,
        "will be tried again, by the bot that runs or starts next",
    )
    dropped: tuple[_Job, str] = dead.drop, "deleted for good"
    for name, text, (job, done) in (
        ("retry", "have messages answered and texts posted after all", retried),
        ("drop", "delete them for good, with their words and all that came of them", dropped),
    ):
        action = actions.add_parser(name, help=text, description=text)
        action.add_argument("ids", metavar="ID", nargs="+", type=_id, help="as listed, or `all`")
        action.set_defaults(do=partial(change, job=job, done=done))


def _id(text: str) -> str:
    name = text.lower()
    if name != ALL and not re.fullmatch("[mt][0-9]{1,19}", name):
        raise argparse.ArgumentTypeError(f"should be such as m12, t12 or {ALL}, not {text!r}")
    return name


def show(chosen: BotSettings, _: argparse.Namespace) -> int:
    """Write what was given up to standard output; return the exit code."""
    listed = asyncio.run(_list(chosen))
    if not listed:
        output.write("Nothing was given up.")
        return 0
    rows = [_HEAD, *map(_row, listed)]
    widths = [max(len(row[column]) for row in rows) for column in range(len(_HEAD) - 1)]
    for row in rows:
        cells = [cell.ljust(width) for cell, width in zip(row, widths, strict=False)]
        output.write("  ".join([*cells, row[-1]]))
    return 0


async def _list(chosen: BotSettings) -> list[dead.Dead]:
    async with _opened(chosen) as database:
        return await database.run(dead.dead)


def _row(one: dead.Dead) -> tuple[str, ...]:
    since = datetime.fromtimestamp(one.at / 1000).astimezone()
    # Titles come from people; nobody shall write to this terminal through them.
    title = "".join(sign if sign.isprintable() else " " for sign in one.title)
    chat = f"{one.chat} ({title})" if title else one.chat
    return one.id, f"{since:%Y-%m-%d %H:%M:%S}", chat, one.kind, f"{one.attempts}", one.reason


def change(chosen: BotSettings, arguments: argparse.Namespace, *, job: _Job, done: str) -> int:
    """Have something done to what was given up; return the exit code.

    Args:
        chosen: The owner's settings.
        arguments: Of the command line.
        job: What is done.
        done: What is said of each id then.

    Returns:
        1 if an id is not of something that was given up; what can be done for the others is.
    """
    wanted = set(arguments.ids)
    found = asyncio.run(_change(chosen, job, None if ALL in wanted else wanted))
    for name in _sorted(found):
        output.write(f"{name}: {done}")
    missing = wanted - found - {ALL}
    for name in _sorted(missing):
        sys.stderr.write(f"causerie: nothing that was given up is called {name}\n")
    if not found and not missing:
        output.write("Nothing was given up.")
    return 1 if missing else 0


async def _change(chosen: BotSettings, job: _Job, ids: Collection[str] | None) -> set[str]:
    async with _opened(chosen) as database:
        return await database.run(job, ids)


@asynccontextmanager
async def _opened(chosen: BotSettings) -> AsyncIterator[Database]:
    serving.log_to_stderr(chosen, is_quiet=True)
    with serving.ending_at_signals():
        async with beside(chosen.database) as database:
            yield database


def _sorted(ids: Collection[str]) -> list[str]:
    return sorted(ids, key=lambda name: (name[0], int(name[1:])))
