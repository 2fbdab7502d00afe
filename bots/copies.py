"""`causerie backup`, `restore` and `migrate`: everything that is kept, copied and compared."""

import argparse
import os
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING

from bots import logs, output
from bots.settings import BotSettings
from core import settings
from core.errors import CauserieError, SettingsError
from core.store import moving
from core.store.copying import Copied, Progress

if TYPE_CHECKING:
    from bots.upkeep import Commands

_SIGNALS = (signal.SIGINT, signal.SIGTERM)
_BACKUP = """\
Write everything into a new file: a SQLite database, readable by you alone, whatever it is taken
from. The bot may run meanwhile; the file holds what was there at one moment."""
_RESTORE = """\
Put what a backup holds into the database of DATABASE_URL, of either kind. No bot may run on it.
A backup of an earlier version is brought up to date."""
_MIGRATE = """\
Copy everything into another database, and compare counts and checksums of all tables. No bot may
run on either. The one it is taken from is not changed. Broken off at any moment, it has done
nothing: run it again."""


def add_commands(commands: "Commands") -> None:
    """Add these commands to the command line."""
    backup = commands.add_parser(
        "backup", help="write everything into a file, while the bot runs", description=_BACKUP
    )
    backup.add_argument("file", type=Path, metavar="FILE", help="where nothing is yet")
    backup.set_defaults(do=back_up)
    restore = commands.add_parser(
        "restore", help="put a backup into the database", description=_RESTORE
    )
    restore.add_argument("file", type=Path, metavar="FILE", help="a backup")
    restore.add_argument(
        "--force", action="store_true", help="delete what the database holds now, for good"
    )
    restore.set_defaults(do=put_back)
    migrate = commands.add_parser(
        "migrate", help="move everything into another database", description=_MIGRATE
    )
    migrate.add_argument(
        "--from", dest="origin", metavar="URL", help="such as sqlite:///a.db; else DATABASE_URL"
    )
    migrate.add_argument(
        "--to",
        dest="target",
        metavar="URL",
        required=True,
        help="such as postgresql://user:password@host/name; a password can also be in PGPASSWORD",
    )
    migrate.set_defaults(do=move)


def back_up(chosen: BotSettings, arguments: argparse.Namespace) -> int:
    """Write a backup; return the exit code."""
    with _begun() as progress:
        moving.backup(chosen.database, arguments.file, progress)
    size = arguments.file.stat().st_size
    output.write(f"{arguments.file} holds everything, in {size / 1e6:,.1f} MB.")
    return 0


def put_back(chosen: BotSettings, arguments: argparse.Namespace) -> int:
    """Restore a backup; return the exit code."""
    with _begun() as progress:
        done = moving.restore(arguments.file, chosen.database, progress, force=arguments.force)
    output.write(f"{_verdict(done, 'Restored')} DATABASE_URL names it, so just start causerie.")
    return 0


def move(chosen: BotSettings, arguments: argparse.Namespace) -> int:
    """Move everything into another database; return the exit code."""
    origin = _named("--from", arguments.origin) if arguments.origin else chosen
    target = _named("--to", arguments.target)
    with _begun() as progress:
        done = moving.migrate(origin.database, target.database, progress)
    text = (
        f"{_verdict(done, 'Moved')}\n"
        f"Now set DATABASE_URL to {target.database_url} and start causerie.\n"
        f"{origin.database_url} was not changed; delete it when you are content."
    )
    output.write(logs.masked(text, (*origin.secrets, *target.secrets)))
    return 0


def _named(option: str, url: str) -> BotSettings:
    """Return the settings with another database.

    Raises:
        SettingsError: It is no URL of one.
    """
    try:
        return settings.load(BotSettings, database_url=url)
    except SettingsError as error:
        raise SettingsError(str(error).replace("DATABASE_URL", option)) from None


def _verdict(done: Copied, verb: str) -> str:
    if done.was_done:
        return f"All {done.rows:,} rows of {done.tables} tables were there already."
    return (
        f"{verb} {done.rows:,} rows of {done.tables} tables; counts and checksums are the same on "
        "both sides."
    )


@contextmanager
def _begun() -> Iterator[Progress]:
    """Show how far it is on standard error: a bar on a terminal, else a line for each table.

    A signal is heeded where progress is told, not wherever the program happens to be: an
    exception in the midst of what another package does can leave a lock held for good. A second
    one ends the process at once, from which nothing suffers either.

    Raises:
        CauserieError: A signal ended it.
    """
    signals: list[int] = []

    def heed(number: int, _: FrameType | None) -> None:
        signals.append(number)
        for each in _SIGNALS:
            signal.signal(each, signal.SIG_DFL)

    for number in _SIGNALS:
        signal.signal(number, heed)
    with _bar() if sys.stderr.isatty() else nullcontext(_tell) as show:

        def progress(label: str, done: int, total: int) -> None:
            if signals:
                raise CauserieError("Broken off; it can be run again.")
            show(label, done, total)

        yield progress


@contextmanager
def _bar() -> Iterator[Progress]:
    from rich import progress  # noqa: PLC0415 - only on a terminal
    from rich.console import Console  # noqa: PLC0415 - likewise

    columns = (*progress.Progress.get_default_columns(), progress.MofNCompleteColumn())
    with progress.Progress(*columns, console=Console(stderr=True), transient=True) as shown:
        task = shown.add_task("")

        def show(label: str, done: int, total: int) -> None:
            if done == 0:
                shown.reset(task, description=label, total=total)
            shown.update(task, completed=done, total=total)

        yield show


def _tell(label: str, done: int, total: int) -> None:
    if done == 0 and total:
        try:
            print(f"{label}: {total:,}", file=sys.stderr, flush=True)  # noqa: T201
        except OSError:  # what is done counts, though nobody can be told how far it is
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stderr.fileno())
