"""What stands for a container engine: namespaces of the kernel, by util-linux (needs root).

A box is a folder that a process sees as the whole file system. The machine's own programs and its
Python are in it, to read; they stand for what a base image has.
"""

import os
import shlex
import shutil
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pytest

# What a base image brings along: where it is, and where a box has it.
SYSTEM = {"/usr": "usr", "/etc": "etc", sys.base_prefix: "base"}
PATH = "/python:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
_PROGRAMS = ("unshare", "mount", "chroot", "setpriv", "env")

needs_root = pytest.mark.skipif(
    os.getuid() != 0 or not all(map(shutil.which, _PROGRAMS)),
    reason="a container is stood in for by namespaces, which needs root and util-linux",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Box:
    """How a process is to be confined.

    Attributes:
        root: The folder that it sees as `/`.
        user: Its number, and its group's.
        folder: Where it starts.
        volumes: What it may write to, by where it sees it.
        tmpfs: Where it has an empty, small file system of its own, with mount options.
        is_read_only: It can write nowhere else.
    """

    root: Path
    user: int = 0
    folder: str = "/"
    volumes: Mapping[str, Path] = field(default_factory=dict)
    tmpfs: Mapping[str, str] = field(default_factory=dict)
    is_read_only: bool = False

    def command(self, *command: str) -> list[str]:
        """Return what runs a command in the box, as the same process."""
        lines = [f"mount --bind {self.root} {self.root}"]
        for path, target in (*SYSTEM.items(), ("/dev", "dev")):
            inside = self._inside(target)
            lines += [f"mount --bind {path} {inside}", f"mount -o remount,bind,ro {inside}"]
        for target, source in (*self.volumes.items(), ("/proc", "/proc")):
            inside = self._inside(target)
            lines.append(f"mkdir -p {inside} && mount --bind {source} {inside}")
        for target, options in self.tmpfs.items():
            lines.append(f"mount -t tmpfs -o {options} tmpfs {self._inside(target)}")
        if self.is_read_only:
            lines.append(f"mount -o remount,bind,ro {self.root}")
        confined = ("chroot", str(self.root), *self._rights(), "env", f"--chdir={self.folder}")
        lines.append(f"exec {shlex.join((*confined, '--', *command))}")
        script = "\n".join(lines)
        return ["unshare", "--mount", "--propagation=private", "sh", "-euc", script]

    def _inside(self, target: str) -> Path:
        return self.root / target.lstrip("/")

    def _rights(self) -> Sequence[str]:
        if not self.user:
            return ()
        number = str(self.user)
        confined = ("--no-new-privs", "--bounding-set=-all", "--inh-caps=-all", "--clear-groups")
        return ("setpriv", f"--reuid={number}", f"--regid={number}", *confined)


def prepare(root: Path) -> None:
    """Make a folder look like a system with nothing but its base in it."""
    for name in ("tmp", "dev", "proc", "sys", "run", "var", "python", *SYSTEM.values()):
        (root / name).mkdir(parents=True)
    for link in filter(Path.is_symlink, Path("/").iterdir()):
        (root / link.name).symlink_to(link.readlink())  # such as /bin
    (root / "python" / "python").symlink_to(f"/base/bin/python3.{sys.version_info.minor}")
