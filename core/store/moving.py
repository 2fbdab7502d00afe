"""Everything that is kept, as a file beside the bot or in another database."""

import os
from contextlib import AbstractContextManager
from pathlib import Path

from core.errors import StoreError
from core.store import copy_sqlite
from core.store.copying import Copied, Progress, Source, Target, copy, was_copied
from core.store.optional import need_psycopg

Where = Path | str


def backup(where: Where, file: Path, progress: Progress) -> None:
    """Write all that is kept into a new file, as it is at one moment, while bots may run.

    The file is a SQLite database, whatever it is taken from, and for its owner alone to read.

    Args:
        where: File of a SQLite database, or URL of a PostgreSQL one.
        file: Where it is to be; nothing may be there.
        progress: Is told how far it is.

    Raises:
        SettingsError: What PostgreSQL takes is not installed.
        StoreError: It cannot be read or written; nothing is left behind.
    """
    if os.path.lexists(file):
        raise StoreError(f"{file} exists already; name a file that does not.")
    if isinstance(where, Path):
        copy_sqlite.backup_file(where, file, progress)
        return
    with _source(where) as source, copy_sqlite.sqlite_file(file) as target:
        copy(source, target, progress)


def restore(file: Path, where: Where, progress: Progress, *, force: bool = False) -> Copied:
    """Put what a backup holds into a database on which no bot runs.

    Args:
        file: The backup, of this version or an earlier one.
        where: File of a SQLite database, or URL of a PostgreSQL one.
        progress: Is told how far it is.
        force: What it holds now is deleted.

    Raises:
        SettingsError: What PostgreSQL takes is not installed.
        StoreError: The backup is damaged or from a newer version, a bot runs on the database, it
            holds something else, or it failed. It is as it was before.
    """
    _part(file, where)
    with copy_sqlite.sqlite_source(file) as source:
        progress(f"checking {file.name}", 0, 1)
        source.check()
        progress(f"checking {file.name}", 1, 1)
        with _target(where) as target:
            if target.has_data() and not force:
                raise StoreError("The database holds something already, which --force deletes.")
            return copy(source, target, progress)


def migrate(origin: Where, where: Where, progress: Progress) -> Copied:
    """Copy everything into another database; no bot may run on either.

    What was broken off at any moment has left nothing, and can be done again; what was done
    before is recognised.

    Args:
        origin: File of a SQLite database, or URL of a PostgreSQL one; not changed.
        where: Likewise; nothing may be kept in it.
        progress: Is told how far it is.

    Raises:
        SettingsError: What PostgreSQL takes is not installed.
        StoreError: A bot runs on one of them, the one holds something else, or one failed. It is
            as it was before.
    """
    _part(origin, where)
    with _source(origin, is_locked=True) as source, _target(where) as target:
        if not target.has_data():
            return copy(source, target, progress)
        done = was_copied(source, target, progress)
    if done is None:
        raise StoreError("The database to move to holds something else already.")
    return done


def _part(origin: Where, where: Where) -> None:
    """See that two databases are not the same.

    Raises:
        StoreError: They are.
    """
    ends = [os.path.realpath(end) if isinstance(end, Path) else end for end in (origin, where)]
    if ends[0] == ends[1]:
        raise StoreError("Both are the same database.")


def _source(where: Where, *, is_locked: bool = False) -> AbstractContextManager[Source]:
    if isinstance(where, Path):
        return copy_sqlite.sqlite_source(where, is_locked=is_locked)
    need_psycopg()
    from core.store.copy_postgres import postgres_source  # noqa: PLC0415 - an optional extra

    return postgres_source(where, is_locked=is_locked)


def _target(where: Where) -> AbstractContextManager[Target]:
    if isinstance(where, Path):
        return copy_sqlite.sqlite_target(where)
    need_psycopg()
    from core.store.copy_postgres import postgres_target  # noqa: PLC0415 - an optional extra

    return postgres_target(where)
