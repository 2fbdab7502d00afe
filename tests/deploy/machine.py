"""A systemd of the tests' own, in namespaces: it runs our units as a machine does that boots."""

import asyncio
import os
import shutil
import subprocess
import uuid
from pathlib import Path
from types import TracebackType
from typing import Self

import pytest

from tests import leaks
from tests.crash.program import START_SECONDS
from tests.deploy.box import SYSTEM, prepare
from tests.deploy.image import ROOT, Image

SYSTEMD = Path("/lib/systemd/systemd")
UNITS = Path("etc/systemd/system")
OURS = ("causerie.service", "causerie@.service")
# All that is ever reached; a machine's own would meddle with the kernel that we share.
_TARGETS = ("sysinit", "basic", "network-online", "multi-user", "shutdown")
_DEVICES = ("null", "zero", "full", "random", "urandom", "tty")


def _is_able() -> bool:
    if os.getuid() != 0 or not SYSTEMD.exists() or not shutil.which("nsenter"):
        return False
    tried = ("unshare", "--mount", "mount", "-t", "cgroup2", "cgroup2", "/mnt")
    return subprocess.run(tried, capture_output=True, check=False).returncode == 0


needs_systemd = pytest.mark.skipif(
    not _is_able(), reason="a machine that boots needs root, systemd and cgroups of version 2"
)


class Machine:
    """Has booted while it is entered.

    Args:
        root: A folder that does not exist yet; it becomes the machine's disk.
        image: Whose /opt is installed.

    Attributes:
        root: The disk.
    """

    def __init__(self, root: Path, image: Image) -> None:
        self.root = root
        self._opt = image.root / "opt"
        self._name = uuid.uuid4().hex
        self._process: asyncio.subprocess.Process | None = None
        self._first = 0
        prepare(root)
        for name in ("opt", "log", "mnt", "var/lib", "var/tmp", str(UNITS)):
            (root / name).mkdir(parents=True)
        for name in ("passwd", "group", "nsswitch.conf", "ld.so.cache"):
            shutil.copy(Path("/etc", name), root / "etc")
        for name in _TARGETS:
            self.write(UNITS / f"{name}.target", "[Unit]\nDefaultDependencies=no\n")
        self.write(Path("etc/machine-id"), f"{self._name}\n")  # it has booted before
        for name in OURS:
            shutil.copy(ROOT / "deploy" / name, root / UNITS)
            # There is no journal.
            log = "[Service]\nStandardError=append:/log/%n\n"
            self.write(UNITS / f"{name}.d" / "log.conf", log)

    def write(self, path: Path, text: str) -> None:
        """Write a file, for nobody but root."""
        path = self.root / path
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        path.chmod(0o600)

    async def __aenter__(self) -> Self:
        boot = ("unshare", "--mount", "--propagation=private", "sh", "-euc", self._boot())
        self._process = await asyncio.create_subprocess_exec(*boot)
        try:
            async with asyncio.timeout(START_SECONDS):
                while not self._has_moved_in():  # noqa: ASYNC110 - a process wakes nobody
                    await asyncio.sleep(0.05)
                asked = ("systemctl", "is-system-running")
                while await self.call(*asked) != "running":  # noqa: ASYNC110 - the same
                    await asyncio.sleep(0.1)
        except BaseException:
            await self._end()
            raise
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self._end()
        leaks.written(self.log())

    async def _end(self) -> None:
        """Switch it off, and remove its part of the tree of cgroups as soon as it is empty."""
        assert self._process
        if self._process.returncode is None:
            self._process.kill()  # which kills its child, a namespace's first process, and so all
        await self._process.wait()
        tree = self.root / "sys"
        remove = f"find {tree}/{self._name} -depth -type d -exec rmdir {{}} +"
        script = f"""
            mount -t cgroup2 cgroup2 {tree}
            for _ in $(seq 100); do
                [ -d {tree}/{self._name} ] || exit 0
                {remove} 2>&- || sleep 0.1
            done
            exit 1
        """
        end = ("unshare", "--mount", "--propagation=private", "sh", "-uc", script)
        await asyncio.to_thread(subprocess.run, end, check=True)

    def _has_moved_in(self) -> bool:
        """Note its first process once that sees this machine's disk, and no longer the host's."""
        assert self._process
        number = self._process.pid
        children = Path(f"/proc/{number}/task/{number}/children").read_text().split()
        if not children:
            return False
        self._first = int(children[0])
        seen = Path(f"/proc/{self._first}/root/etc/machine-id")
        return seen.is_file() and seen.read_text().strip() == self._name

    async def call(self, *command: str) -> str:
        """Run a command there; return what it says."""
        called = await asyncio.create_subprocess_exec(
            *("nsenter", f"--target={self._first}", "--mount", "--pid", "--cgroup", "--root"),
            *command,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
        )
        said, _ = await called.communicate()
        return said.decode().strip()

    def log(self) -> str:
        """Return what all services have logged."""
        return "".join(path.read_text() for path in sorted((self.root / "log").iterdir()))

    def _boot(self) -> str:
        """Return what becomes the parent of a systemd."""
        root, cgroups = self.root, self.root / "sys" / "fs" / "cgroup"
        lines = [f"mount --bind {root} {root}"]
        for source, target in (*SYSTEM.items(), (self._opt, "opt")):
            if target != "etc":
                inside = root / target
                lines += [f"mount --bind {source} {inside}", f"mount -o remount,bind,ro {inside}"]
        lines += [f"mount -t tmpfs -o mode=755 tmpfs {root}/{name}" for name in ("run", "dev")]
        for name in _DEVICES:
            device = root / "dev" / name
            lines += [f"touch {device}", f"mount --bind /dev/{name} {device}"]
        lines += [
            f"cd {root}/dev && mkdir pts shm && ln -s pts/ptmx ptmx && cd /",
            f"mount -t sysfs -o ro sysfs {root}/sys",
            f"mount -t tmpfs tmpfs {cgroups}",
            f"mount -t cgroup2 cgroup2 {cgroups}",
            f"mkdir {cgroups}/{self._name}",
            f"echo $$ > {cgroups}/{self._name}/cgroup.procs",
        ]
        inner = (
            f"mount -t proc proc {root}/proc",
            f"mount --bind {root}/proc/sys {root}/proc/sys",
            f"mount -o remount,bind,ro {root}/proc/sys",
            f"umount {cgroups}",
            f"mount -t cgroup2 cgroup2 {cgroups}",
            f"export container=lxc SYSTEMD_UNIT_PATH=/{UNITS}",
            # Whoever is in a chroot gets no users of its own.
            f"cd {root}",
            "pivot_root . mnt",
            "umount --lazy mnt",
            f"exec chroot . {SYSTEMD} --system --unit=basic.target",
        )
        namespaces = "--pid --fork --cgroup --uts --ipc --kill-child"
        lines.append(f"exec unshare {namespaces} sh -euc '{'; '.join(inner)}'")
        return "\n".join(lines)
