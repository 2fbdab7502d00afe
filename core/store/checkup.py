"""Whether the database is in order; nothing is created, updated or written to it."""

import asyncio
import os
import sqlite3
import time
from collections.abc import AsyncGenerator
from contextlib import closing
from pathlib import Path

from core.errors import SettingsError
from core.finding import Finding, fault, ok
from core.settings import Settings
from core.store.optional import need_psycopg
from core.store.shape import NEWEST

# What is left of the doctor's patience after that suffices for the rest.
SECONDS = 5.0
# RETURNING: sqlite.org/lang_returning.html, 2026-11.
OLDEST_SQLITE = (3, 35, 0)
_STEPS = 1000  # of SQLite's machine, between two looks at the time; some 50 us
_WAIT_SECONDS = 2.0
_NEWER = "update causerie to the version that last ran on it"


async def check_database(
    settings: Settings,
    *,
    seconds: float = SECONDS,
    library: tuple[int, ...] = sqlite3.sqlite_version_info,
) -> AsyncGenerator[Finding]:
    """Say whether the database can be used; a bot may run on it meanwhile.

    Args:
        settings: The owner's.
        seconds: The most that looking through a SQLite file takes.
        library: Version of SQLite.
    """
    where = settings.database
    if isinstance(where, Path):
        if library < OLDEST_SQLITE:
            fix = "install a Python whose `sqlite3.sqlite_version` is 3.35 or newer"
            yield fault(f"SQLite {_dotted(library)} is too old", fix=fix)
            return
        for finding in await asyncio.to_thread(_about_file, where, seconds):
            yield finding
        return
    try:
        need_psycopg()
    except SettingsError:
        fix = "install it with: pip install 'causerie[postgres]'"
        yield fault("PostgreSQL needs the extra causerie[postgres]", fix=fix)
        return
    from core.store.checkup_postgres import about_postgres  # noqa: PLC0415 - an optional extra

    for finding in await asyncio.to_thread(about_postgres, where):
        yield finding


def about_version(name: str, version: int) -> Finding:
    """Say what will become of tables of a version, in a database that has some.

    Args:
        name: What the owner calls the database, with what else there is to say of it.
        version: Of the tables.
    """
    if version > NEWEST:
        text = f"{name} is from a newer version of causerie (schema {version}, not {NEWEST})"
        return fault(text, fix=_NEWER)
    if version < NEWEST:
        return ok(f"{name} has schema {version}; the next start brings it to {NEWEST}")
    return ok(f"{name} has schema {version}, the newest")


def _about_file(path: Path, seconds: float) -> list[Finding]:
    if not os.access(path, os.F_OK):
        return [_about_nothing(path)]
    if not path.is_file():
        return [fault(f"{path} is no file", fix="name a file in DATABASE_URL")]
    for needed in (path, path.parent):  # the log beside the file is written as well
        if not os.access(needed, os.R_OK | os.W_OK, effective_ids=True):
            return [_closed(needed)]
    try:
        with closing(_open(path)) as connection:
            return _about_tables(path, connection, seconds)
    except sqlite3.OperationalError as error:
        return [_unreadable(path, error)]
    except sqlite3.DatabaseError:
        return [_damaged(path)]


def _about_nothing(path: Path) -> Finding:
    folder = existing(path)
    if not folder.is_dir():
        return fault(f"{path} cannot be created, since {folder} is no folder", fix=_move(folder))
    if not os.access(folder, os.W_OK | os.X_OK, effective_ids=True):
        return _closed(folder)
    return ok(f"{path} is not there yet; the first start creates it")


def existing(path: Path) -> Path:
    """Return the nearest to a path, on the way to the root, that is there."""
    whole = path.absolute()
    return next(place for place in (whole, *whole.parents) if os.access(place, os.F_OK))


def _open(path: Path) -> sqlite3.Connection:
    """Open a file to be read. Without a log beside it, nobody writes, and none is to be made."""
    has_log = path.with_name(f"{path.name}-wal").exists()
    url = f"{path.absolute().as_uri()}?mode=ro{'' if has_log else '&immutable=1'}"
    return sqlite3.connect(url, uri=True, timeout=_WAIT_SECONDS)


def _about_tables(path: Path, connection: sqlite3.Connection, seconds: float) -> list[Finding]:
    tables = {name for (name,) in connection.execute("SELECT name FROM sqlite_master")}
    if not tables:
        return [ok(f"{path} is empty; the first start fills it")]
    if "inbox" not in tables:
        fix = "name another file in DATABASE_URL"
        return [fault(f"{path} is the database of another program", fix=fix)]
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    size = path.stat().st_size / 1e6
    found = about_version(f"{path} ({size:,.1f} MB, SQLite {sqlite3.sqlite_version})", version)
    return [found, _about_pages(path, connection, seconds)]


def _about_pages(path: Path, connection: sqlite3.Connection, seconds: float) -> Finding:
    end = time.monotonic() + seconds
    connection.set_progress_handler(lambda: time.monotonic() >= end, _STEPS)
    try:
        (said,) = connection.execute("PRAGMA quick_check(1)").fetchone()
    except sqlite3.OperationalError as error:
        is_late = error.sqlite_errorcode == sqlite3.SQLITE_INTERRUPT
        text = f"no damage was found in {seconds:g} s; looking through all of it takes longer"
        return ok(text) if is_late else _unreadable(path, error)
    return ok("it is whole") if said == "ok" else _damaged(path)


def _unreadable(path: Path, error: sqlite3.Error) -> Finding:
    fix = "look into the system's log for troubles with the disk"
    return fault(f"{path} cannot be read ({error})", fix=fix)


def _damaged(path: Path) -> Finding:
    fix = f"end the bot, move {path} away, and run `causerie restore` with the last backup"
    return fault(f"{path} is damaged", fix=fix)


def _closed(path: Path) -> Finding:
    return fault(
        f"the user who runs this may not write to {path}",
        fix="give it to that user with `chown`, or run causerie as the user whose it is",
    )


def _move(path: Path) -> str:
    return f"name a file in DATABASE_URL that is not below {path}"


def _dotted(version: tuple[int, ...]) -> str:
    return ".".join(map(str, version))
