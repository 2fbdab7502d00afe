"""What is said of the database: one fix for each fault, and nothing is changed."""

import contextlib
import os
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import psycopg
import pytest

from core import settings
from core.finding import Finding
from core.settings import Settings
from core.store import open_store
from core.store.checkup import check_database
from core.store.checkup_postgres import about_postgres
from core.store.shape import NEWEST
from tests.core.places import Place, make
from tests.servers.postgres import PostgresServer

NOBODY = 65_534


async def finds(where: Path | str, **options: float | tuple[int, ...]) -> list[Finding]:
    """Return what is found of a database."""
    url = where if isinstance(where, str) else f"sqlite:///{where}"
    chosen = settings.load(Settings, _env_file=None, database_url=url)
    return [found async for found in check_database(chosen, **options)]  # type: ignore[arg-type]


def said(findings: list[Finding]) -> list[str]:
    """Return findings in short."""
    return [f"{finding.level}: {finding.text}" for finding in findings]


def listed(folder: Path) -> list[Path]:
    """Return what is in a folder."""
    return sorted(folder.iterdir())


def change(path: Path, sql: str) -> None:
    """Change a file."""
    with closing(sqlite3.connect(path)) as connection:
        connection.executescript(sql)


def overwrite(path: Path, content: bytes, *, at: int = 0) -> None:
    """Damage a file."""
    with path.open("r+b") as file:
        file.seek(at)
        file.write(content)


@contextlib.contextmanager
def somebody_else() -> Iterator[None]:
    """Be a user who may do little, since root may write everywhere."""
    before = os.geteuid()
    if before == 0:
        os.seteuid(NOBODY)
    yield
    os.seteuid(before)


@pytest.mark.parametrize("is_running", [True, False])
async def test_a_sound_file(tmp_path: Path, *, is_running: bool) -> None:
    """It is whole, whether a bot runs on it or not; no file is made or goes."""
    path = tmp_path / "a #1?.db"
    store = await open_store(path)
    if not is_running:
        await store.close()
    before = listed(tmp_path)
    version, whole = await finds(path)
    assert listed(tmp_path) == before
    await store.close()
    assert version.level == "ok"
    assert version.text.endswith(f"has schema {NEWEST}, the newest")
    assert said([whole]) == ["ok: it is whole"]


async def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    """It will be created, and its folders, but not by the doctor."""
    (found,) = await finds(tmp_path / "more" / "causerie.db")
    assert found.level == "ok"
    assert "the first start creates it" in found.text
    assert listed(tmp_path) == []


async def test_what_is_no_place_for_a_file(tmp_path: Path) -> None:
    """A folder is none, nor what is below a file."""
    (found,) = await finds(tmp_path)
    assert said([found]) == [f"fault: {tmp_path} is no file"]
    (tmp_path / "file").touch()
    (found,) = await finds(tmp_path / "file" / "causerie.db")
    assert found.level == "fault"
    assert found.fix == f"name a file in DATABASE_URL that is not below {tmp_path / 'file'}"


@pytest.mark.parametrize("is_there", [True, False])
async def test_what_may_not_be_written(tmp_path: Path, *, is_there: bool) -> None:
    """The folder counts as well, for the log beside the file."""
    folder = tmp_path / "closed"
    folder.mkdir()
    path = folder / "causerie.db"
    if is_there:
        await make(path)
        path.chmod(0o666)
    folder.chmod(0o555)
    for parent in (tmp_path, *tmp_path.parents[:2]):
        parent.chmod(parent.stat().st_mode | 0o011)
    with somebody_else():
        (found,) = await finds(path)
    folder.chmod(0o755)
    assert said([found]) == [f"fault: the user who runs this may not write to {folder}"]
    assert "chown" in found.fix


async def test_other_versions(tmp_path: Path) -> None:
    """An older one is brought up to date; a newer one is a fault."""
    path = tmp_path / "causerie.db"
    await make(path)
    change(path, f"PRAGMA user_version = {NEWEST - 1}")
    found, _ = await finds(path)
    assert found.level == "ok"
    assert found.text.endswith(f"has schema {NEWEST - 1}; the next start brings it to {NEWEST}")
    change(path, "PRAGMA user_version = 1000")
    found, _ = await finds(path)
    assert found.level == "fault"
    assert found.fix.startswith("update causerie")


async def test_what_is_not_ours(tmp_path: Path) -> None:
    """An empty file will be filled, one of another program is to be left alone."""
    path = tmp_path / "causerie.db"
    path.touch()
    assert said(await finds(path)) == [f"ok: {path} is empty; the first start fills it"]
    change(path, "CREATE TABLE song (id INTEGER)")
    (found,) = await finds(path)
    assert said([found]) == [f"fault: {path} is the database of another program"]


async def test_a_damaged_file(full: Path) -> None:
    """A backup is to be restored, whether much is damaged or little."""
    overwrite(full, b"\xff" * 30 * 4096, at=8 * 4096)
    *_, found = await finds(full)
    assert said([found]) == [f"fault: {full} is damaged"]
    assert "`causerie restore`" in found.fix
    overwrite(full, b"nothing of the kind" * 1000)
    assert said(await finds(full)) == [f"fault: {full} is damaged"]


async def test_a_file_that_cannot_be_read(full: Path) -> None:
    """What the system says of it is told."""
    full.with_name(f"{full.name}-wal").mkdir()
    (found,) = await finds(full)
    assert said([found]) == [f"fault: {full} cannot be read (unable to open database file)"]


async def test_a_large_file(full: Path) -> None:
    """It is looked through for seconds only."""
    change(
        full,
        "CREATE TABLE many (id INTEGER PRIMARY KEY, t TEXT); WITH RECURSIVE n (i) AS (SELECT 1"
        " UNION ALL SELECT i + 1 FROM n WHERE i < 10000) INSERT INTO many (t) SELECT i FROM n",
    )
    _, found = await finds(full, seconds=0)
    assert found.level == "ok"
    assert found.text.startswith("no damage was found in 0 s")


async def test_an_old_sqlite(tmp_path: Path) -> None:
    """One that lacks what we ask of it is a fault."""
    (found,) = await finds(tmp_path / "causerie.db", library=(3, 34, 1))
    assert said([found]) == ["fault: SQLite 3.34.1 is too old"]


async def test_postgres(place: Place) -> None:
    """An empty database stays so; then, its version is told. The clock is compared."""
    url = str(place("postgres"))
    *_, found = await finds(url)
    assert said([found]) == ["ok: the database is empty; the first start fills it"]
    await make(url)
    server, clock, found = await finds(url)
    assert server.text.startswith("PostgreSQL ")
    assert said([clock]) == ["ok: the same time as that of the database"]
    assert said([found]) == [f"ok: the database has schema {NEWEST}, the newest"]
    with psycopg.connect(url) as connection:
        connection.execute("UPDATE version SET number = 1000")
    *_, found = await finds(url)
    assert found.level == "fault"
    assert found.fix.startswith("update causerie")


async def test_a_slow_or_old_server(place: Place) -> None:
    """A warning, with what to do about it."""
    url = str(place("postgres"))
    slow, *_ = about_postgres(url, slow_seconds=0)
    old, *_ = about_postgres(url, oldest=1000)
    assert (slow.level, old.level) == ("warning", "warning")
    assert slow.fix.startswith("run causerie near its database")
    assert old.fix == "update it to 1000 or newer"


async def test_a_database_that_cannot_be_written(
    place: Place, postgres_server: PostgresServer
) -> None:
    """One that only follows another is a fault, and so is a user without rights."""
    url = str(place("postgres"))
    name = url.rpartition("/")[2]
    postgres_server.admin(f'CREATE ROLE "guest_{name}" LOGIN')
    postgres_server.admin(f'ALTER DATABASE "{name}" OWNER TO causerie')
    try:
        with psycopg.connect(url) as connection:
            connection.execute("REVOKE CREATE ON SCHEMA public FROM PUBLIC")
        *_, found = await finds(url.replace("causerie:", f"guest_{name}:"))
        assert said([found]) == ["fault: this user may not create tables in the database"]
    finally:
        postgres_server.admin(f'DROP ROLE "guest_{name}"')
    postgres_server.admin(f'ALTER DATABASE "{name}" SET default_transaction_read_only = on')
    *_, found = await finds(url)
    assert said([found]) == ["fault: the database can only be read"]


async def test_no_server() -> None:
    """Why it cannot be reached is told, without the password."""
    (found,) = await finds("postgresql://causerie:in-no-log@127.0.0.1:9/causerie")
    assert found.level == "fault"
    assert found.text.startswith("The database cannot be reached: Connection refused")
    assert "DATABASE_URL" in found.fix
    assert "in-no-log" not in found.text + found.fix
