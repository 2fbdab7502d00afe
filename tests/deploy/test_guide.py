"""The guide: its commands exist, and those that save and restore do."""

import os
import re
import shlex
import shutil
import sqlite3
import subprocess
from contextlib import closing
from pathlib import Path

import pytest

from core.errors import StoreError
from core.store import open_store
from tests.deploy.box import needs_root
from tests.deploy.compose import SCRIPTS, SQLITE, compose, contained, services
from tests.deploy.image import BLOCKS, GUIDE, ROOT, Image
from tests.deploy.test_container import USER
from tests.servers.postgres import PostgresServer

LINES = [
    line
    for block in re.findall(r"^```sh.*\n((?:.+\n)+?)```$", GUIDE, re.MULTILINE)
    for line in block.splitlines()
]
# Programs that a machine may lack which runs the tests, but none that they are for.
ELSEWHERE = {"docker", "systemctl"}
SERVICES = {"causerie", "listen", "postgres", "work"}


def words(line: str) -> list[str]:
    """Return a command without what is set before it and where its output goes."""
    found = shlex.split(re.sub(r" [<>] \S+$", "", line))
    return [word for word in found if not re.fullmatch(r"[A-Z_]+=.*", word)]


@pytest.mark.parametrize("line", dict.fromkeys(LINES))
def test_a_command_exists(tmp_path: Path, line: str) -> None:
    """Each names a program and files that are there; Compose knows its verbs and options."""
    program, *arguments = words(line)
    if arguments[:1] == ["compose"]:
        file = arguments[arguments.index("-f") + 1] if "-f" in arguments else SQLITE
        verb = [a for a in arguments[1:] if a not in {"--project-directory", ".", "-f", file}]
        # What follows a service's name is the container's affair.
        end = next((n for n, a in enumerate(verb) if a in SERVICES), len(verb))
        assert compose(file, tmp_path, *verb[:end], "--help").returncode == 0
    elif program not in ELSEWHERE and not program.startswith("/opt/causerie/"):
        assert shutil.which(program)
    for name in re.findall(r"(?<!\S)deploy/\S+|constraints\.txt|\.env\.example", line):
        assert (ROOT / name).is_file()


def test_the_shell_understands_it(tmp_path: Path) -> None:
    """Shellcheck finds nothing."""
    script = tmp_path / "guide.sh"
    script.write_text("#!/bin/sh\nset -e\n" + "\n".join(LINES))
    checked = (SCRIPTS / "shellcheck", str(script))
    done = subprocess.run(checked, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (0, "")


def test_an_upgrade_keeps_what_is_the_owners(tmp_path: Path) -> None:
    """By systemd, again and again: the settings stay filled, a copy is of what was there last."""
    programs, previous = tmp_path / "bin", tmp_path / "var/lib/private/causerie.previous"
    env, state = tmp_path / "etc/causerie/causerie.env", previous.with_name("causerie")
    for folder in (programs, tmp_path / "etc/systemd/system", state):
        folder.mkdir(parents=True)
    # What would change this machine, or ask others, does nothing but what the next line needs.
    made = "mkdir -p $3/bin && echo '#!/bin/sh' | tee $3/bin/pip > $3/bin/uv && chmod +x $3/bin/*"
    for name, does in (("systemctl", ""), ("git", ""), ("python3", made)):
        (programs / name).write_text(f"#!/bin/sh\n{does}\n")
        (programs / name).chmod(0o755)

    def run(*blocks: str) -> None:
        script = "".join(BLOCKS[block] for block in blocks)
        subprocess.run(
            ("sh", "-euc", re.sub(r"(?<!\S)/(?=opt/|etc/|var/)", f"{tmp_path}/", script)),
            cwd=ROOT,
            env={"PATH": f"{programs}:{os.environ['PATH']}"},
            check=True,
        )

    run("install systemd")
    assert (env.stat().st_mode & 0o777, env.read_text()[:1]) == (0o600, "#")
    env.write_text("TELEGRAM_BOT_TOKEN=filled-in\n")
    for version in ("first", "second"):
        (state / "causerie.db").write_text(version)
        (tmp_path / "opt/causerie/version").write_text(version)
        run("upgrade systemd", "install systemd")
        assert env.read_text() == "TELEGRAM_BOT_TOKEN=filled-in\n"
        assert [path.name for path in previous.iterdir()] == ["causerie.db"]
        assert (previous / "causerie.db").read_text() == version
    run("rollback systemd")
    assert (tmp_path / "opt/causerie/version").read_text() == "second"


@needs_root
async def test_a_sqlite_database_comes_back(image: Image, tmp_path: Path) -> None:
    """After a rollback the old version opens its database again."""
    os.chown(tmp_path, USER, USER)
    service = services(SQLITE, tmp_path, {})["causerie"]
    container = contained(service, image, {"data": tmp_path})

    def run(block: str) -> None:
        for line in BLOCKS[block].splitlines():
            _, is_inside, command = line.partition(" run --rm ")
            if is_inside:
                program = image.entrypoint
                options, name, arguments = command.partition("causerie ")
                assert name
                if options:
                    program = shlex.split(options.removeprefix("--entrypoint "))
                boxed = container.box.command(*program, *shlex.split(arguments))
                subprocess.run(boxed, env=container.env, check=True)

    path = tmp_path / "causerie.db"
    await (await open_store(path)).close()
    for name in (path, path.with_name("causerie.db.lock")):
        os.chown(name, USER, USER)
    run("upgrade sqlite")
    run("upgrade sqlite")
    with closing(sqlite3.connect(path)) as connection:
        connection.executescript("CREATE TABLE later (id INTEGER); PRAGMA user_version = 1000")
    with pytest.raises(StoreError, match="newer version"):
        await open_store(path)
    run("rollback sqlite")
    assert path.stat().st_uid == USER
    await (await open_store(path)).close()


async def test_a_postgres_database_comes_back(postgres_server: PostgresServer) -> None:
    """The same, by what PostgreSQL brings along, on a database of that name."""
    env = {"PGHOST": "127.0.0.1", "PGPORT": str(postgres_server.port), "PGPASSWORD": "in-no-log"}
    saved = b""

    def run(block: str) -> bytes:
        printed = b""
        for line in BLOCKS[block].splitlines():
            _, is_inside, command = line.partition(" exec -T postgres ")
            if is_inside:
                printed += postgres_server.call(*words(command), env=env, given=saved)
        return printed

    postgres_server.admin("CREATE DATABASE causerie")
    try:
        url = postgres_server.url("causerie")
        await (await open_store(url)).close()
        saved = run("upgrade postgres")
        sql = "CREATE TABLE later (id BIGINT); UPDATE version SET number = 1000"
        postgres_server.call("psql", "--quiet", f"--command={sql}", url, env=env)
        with pytest.raises(StoreError, match="newer version"):
            await open_store(url)
        run("rollback postgres")
        await (await open_store(url)).close()
    finally:
        postgres_server.drop("causerie")
