"""`backup`, `restore`, `migrate` and `dead` as processes: broken off, refused, wrongly called."""

import asyncio
import os
import pty
import resource
import signal
import sqlite3
import sys
from collections.abc import Iterator
from contextlib import closing, suppress
from pathlib import Path

import psycopg
import pytest

from bots.__main__ import EXIT_INTERRUPTED, run
from core.store import ledger, open_store
from tests.commands import causerie, environment
from tests.core.contents import contents, execute
from tests.core.talks import traces
from tests.crash.program import START_SECONDS
from tests.servers.postgres import PostgresServer
from tests.test_first_run import drain

ROWS = 5000
WAITING = "SELECT 1 FROM pg_stat_activity WHERE wait_event_type = 'Lock'"
NOWHERE = "postgresql://causerie:in-no-log@127.0.0.1:9/x"


@pytest.fixture
def full(tmp_path: Path) -> Path:
    """A database with more than a handful of rows, and its folder as that of the commands."""
    path = tmp_path / "causerie.db"
    asyncio.run(_make(path))
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute(
            "INSERT INTO chat (platform, ref, is_private, title)"
            " VALUES ('desk', '-7', 0, 'Our ' || char(27) || '[31mfamily')"
        )
        connection.executemany(
            "INSERT INTO message (chat_id, turn, role, name, content, tokens, total, created_at)"
            " VALUES (1, ?, 'user', 'Ann', 'What was said', 5, ?, 0)",
            ((number, number * 5) for number in range(ROWS)),
        )
        connection.execute(
            "INSERT INTO outbox (chat_id, text, failures, created_at)"
            " VALUES (1, 'What was not said', 5, 0)"
        )
    return path


async def _make(path: Path) -> None:
    await (await open_store(path)).close()


@pytest.fixture
def postgres(postgres_server: PostgresServer) -> Iterator[str]:
    """An empty PostgreSQL database."""
    name = postgres_server.create()
    yield postgres_server.url(name)
    postgres_server.drop(name)


def files(folder: Path) -> list[str]:
    """Return the names of the files in a folder."""
    return [path.name for path in folder.iterdir()]


async def begun(
    folder: Path, *arguments: str, until: str, **settings: str
) -> asyncio.subprocess.Process:
    """Start a command, and return it once it tells of something."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "bots", *arguments),
        cwd=folder,
        env=environment(settings),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    assert process.stderr
    async with asyncio.timeout(START_SECONDS):
        async for line in process.stderr:
            if line.decode().startswith(until):
                return process
    raise AssertionError(f"it ended before it told of {until}")


async def test_a_move_that_is_killed_is_completed_by_the_next(full: Path, postgres: str) -> None:
    """Wherever it was, in either direction; the last one says what to do now."""
    folder, other = full.parent, full.parent / "other.db"
    before = contents(full)
    for origin, target in ((f"sqlite:///{full}", postgres), (postgres, f"sqlite:///{other}")):
        command = ("migrate", "--from", origin, "--to", target)
        for until in ("copying chat", "copying message", "checking outbox"):
            process = await begun(folder, *command, until=until)
            process.kill()
            await process.communicate()
        done = await causerie(folder, *command)
        assert done.code == 0, done.err
        masked = target.replace("in-no-log", "***")
        assert f"Now set DATABASE_URL to {masked} and start causerie." in done.out
        assert "counts and checksums are the same" in done.out
        again = await causerie(folder, *command)
        assert (again.code, "were there already" in again.out) == (0, True)
    assert contents(full) == contents(postgres) == contents(other) == before
    assert not list(folder.glob("*.part"))


async def test_the_last_word_holds_no_password(
    full: Path, postgres_server: PostgresServer, postgres: str
) -> None:
    """However short, and wherever in the URL: it is shown with what it is to be replaced by."""
    name = postgres.rpartition("/")[2]
    server = f"127.0.0.1:{postgres_server.port}/{name}"
    done = await causerie(
        full.parent, "migrate", "--to", f"postgresql://causerie:xyz@{server}?sslpassword=zyx"
    )
    assert done.code == 0, done.err
    assert f"DATABASE_URL to postgresql://causerie***{server}?*** and start" in done.out
    given = f"postgresql://{server}?user=causerie&password=in-no-log"
    done = await causerie(full.parent, "migrate", "--from", given, "--to", "sqlite:///b.db")
    assert done.code == 0, done.err
    assert f"postgresql://{server}?user=causerie&password=*** was not changed" in done.out


async def test_a_backup_is_restored(full: Path, postgres: str) -> None:
    """Where nothing is kept; elsewhere only if that may be deleted."""
    assert (await causerie(full.parent, "backup", "b.db")).code == 0
    done = await causerie(full.parent, "restore", "b.db", DATABASE_URL=postgres)
    assert (done.code, "the same on both sides" in done.out) == (0, True)
    again = await causerie(full.parent, "restore", "b.db", DATABASE_URL=postgres)
    assert (again.code, "--force deletes" in again.err) == (1, True)
    execute(postgres, "DELETE FROM message")
    forced = await causerie(full.parent, "restore", "b.db", "--force", DATABASE_URL=postgres)
    assert forced.code == 0
    assert contents(postgres) == contents(full)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
async def test_a_signal_breaks_it_off_in_good_order(
    full: Path, postgres: str, number: signal.Signals
) -> None:
    """In a line, with nothing left behind."""
    process = await begun(full.parent, "migrate", "--to", postgres, until="copying message")
    with suppress(ProcessLookupError):
        os.kill(process.pid, number)
    _, err = await asyncio.wait_for(process.communicate(), START_SECONDS)
    if process.returncode == 1:
        assert err.decode().splitlines()[-1] == "causerie: Broken off; it can be run again."
        assert execute(postgres, "SELECT to_regclass('chat')") == [(None,)]
    else:  # it was quicker
        assert process.returncode in {0, -number}
        assert contents(postgres) == contents(full)


async def test_a_second_signal_ends_it_at_once(full: Path, postgres: str) -> None:
    """Even while it waits for somebody else, who may never let go; nothing is changed."""
    assert (await causerie(full.parent, "migrate", "--to", postgres)).code == 0
    assert (await causerie(full.parent, "backup", "b.db")).code == 0
    with psycopg.connect(postgres) as somebody:
        somebody.execute("LOCK TABLE chat IN ACCESS SHARE MODE")
        command = ("restore", "b.db", "--force")
        process = await begun(full.parent, *command, until="checking", DATABASE_URL=postgres)
        async with asyncio.timeout(START_SECONDS):
            # It waits in the server, so there is nothing to wake us.
            while not execute(postgres, WAITING):  # noqa: ASYNC110
                await asyncio.sleep(0.05)
            while process.returncode is None:
                with suppress(ProcessLookupError):
                    os.kill(process.pid, signal.SIGTERM)
                await asyncio.sleep(0.1)
    assert process.returncode == -signal.SIGTERM
    assert contents(postgres) == contents(full)


def test_ctrl_c_shows_no_traceback(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where there is nothing to be left in order."""

    def interrupted(_: Path | str) -> None:
        raise KeyboardInterrupt

    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(ledger, "rows", interrupted)
    assert run(["usage"]) == EXIT_INTERRUPTED


async def test_a_terminal_sees_a_bar(full: Path) -> None:
    """On standard error; what it says in the end is on standard output."""
    terminal, errors = pty.openpty()
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "bots", "migrate", "--to", "sqlite:///b.db"),
        cwd=full.parent,
        env=environment({"TERM": "xterm", "COLUMNS": "100"}),
        stdout=asyncio.subprocess.PIPE,
        stderr=errors,
    )
    os.close(errors)
    seen = asyncio.create_task(drain(terminal))
    out, _ = await asyncio.wait_for(process.communicate(), START_SECONDS)
    assert process.returncode == 0
    shown = await seen
    assert "copying" in shown
    assert "━" in shown
    assert out.decode().splitlines()[0].startswith(f"Moved {ROWS + 3:,} rows of ")


async def test_the_list_cannot_write_to_the_terminal(full: Path) -> None:
    """Titles come from people. Neither their words nor ours are shown."""
    done = await causerie(full.parent, "dead", "list")
    assert done.code == 0
    assert "desk:-7 (Our  [31mfamily)  text" in done.out
    assert "said" not in done.out
    dropped = await causerie(full.parent, "dead", "drop", "t1")
    assert (dropped.code, dropped.out) == (0, "t1: deleted for good\n")
    assert not traces(full.parent, "not said")


async def test_a_disk_that_is_full_is_said(full: Path) -> None:
    """Nothing is left behind; files may grow so far and no further."""
    # What measures coverage writes files, too.
    settings = {name: "" for name in os.environ if name.startswith("COVERAGE_")}
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, hard))
    try:
        done = await causerie(full.parent, "backup", "b.db", **settings)
        moved = await causerie(full.parent, "migrate", "--to", "sqlite:///c.db", **settings)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    for failed in (done, moved):
        assert failed.code == 1
        assert "Cannot write the database" in failed.err.splitlines()[-1]
    assert not list(full.parent.glob("[bc].db*[!k]"))


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (["migrate", "--to", "mysql://u:in-no-log@h/n"], 2, "--to: should look like sqlite:///"),
        (["migrate", "--to", "postgresql://u:in-no-log x@h/n"], 2, "--to: should look like"),
        (["migrate", "--from", "a.db", "--to", NOWHERE], 2, "--from: should look like sqlite:///"),
        (["migrate", "--to", NOWHERE], 1, "cannot be reached: Connection refused"),
        (["migrate", "--to", "sqlite:///causerie.db"], 1, "Both are the same database"),
        (["migrate", "--from", "sqlite:///no.db", "--to", "sqlite:///b.db"], 1, "no database no"),
        (["migrate"], 2, "the following arguments are required: --to"),
        (["backup"], 2, "the following arguments are required: FILE"),
        (["backup", "no/b.db"], 1, "No such file or directory"),
        (["backup", "causerie.db"], 1, "causerie.db exists already"),
        (["restore", "no.db"], 1, "There is no database no.db"),
        (["restore", "causerie.db"], 1, "Both are the same database"),
        (["restore", "letter.txt"], 1, "file is not a database"),
        (["dead", "retry"], 2, "the following arguments are required: ID"),
        (["dead", "drop", "12"], 2, "should be such as m12, t12 or all, not '12'"),
        (["dead", "drop", f"m{'1' * 5000}"], 2, "should be such as m12, t12 or all"),
        (["dead", "retry", "m12"], 1, "nothing that was given up is called m12"),
    ],
    ids=lambda value: " ".join(value)[:30] if isinstance(value, list) else "",
)
async def test_what_is_wrong_is_said(
    full: Path, *, arguments: list[str], code: int, words: str
) -> None:
    """In a sentence, with 1 for what failed and 2 for what was called wrongly."""
    (full.parent / "letter.txt").write_text("Dear Ann, " * 1000)
    done = await causerie(full.parent, *arguments)
    assert done.code == code
    assert words in done.err
    assert not done.out


@pytest.mark.parametrize("command", ["usage", "dead", "backup b.db"])
async def test_a_database_that_is_not_there(tmp_path: Path, command: str) -> None:
    """Is not made by a command that only looks at it."""
    url = "sqlite:///no.db"
    done = await causerie(tmp_path, *command.split(), DATABASE_URL=url)
    assert (done.code, done.err) == (1, "causerie: There is no database no.db.\n")
    done = await causerie(tmp_path, *command.split(), DATABASE_URL=NOWHERE)
    assert (done.code, "reached: Connection refused" in done.err) == (1, True)
    assert not files(tmp_path)


async def test_an_older_database_is_left_as_it_is(full: Path) -> None:
    """By a command that may run beside a bot of an earlier version."""
    execute(full, "PRAGMA user_version = 3")
    done = await causerie(full.parent, "dead")
    assert (done.code, "from an older version of causerie" in done.err) == (1, True)


async def test_whoever_reads_the_ledger_may_stop(full: Path) -> None:
    """As `head` does."""
    execute(
        full,
        "INSERT INTO usage (chat_id, person, purpose, model, input, cached, output, milliseconds,"
        " is_estimated, created_at) SELECT 1, 'desk:1', 'chat', 'm', 1, 0, 1, 0, 0, 0"
        " FROM message",
    )
    process = await asyncio.create_subprocess_shell(
        f"{sys.executable} -m bots usage | head -1",
        cwd=full.parent,
        env=environment({}),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    out, err = await asyncio.wait_for(process.communicate(), START_SECONDS)
    assert (out.decode().split(",")[0], err) == ("at", b"")
