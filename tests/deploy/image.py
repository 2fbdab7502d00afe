"""Builds what a Dockerfile describes, as far as ours goes, step by step in a box."""

import json
import os
import re
import shlex
import shutil
import string
import subprocess
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from tests.deploy.box import PATH, Box, prepare

ROOT = Path(__file__).parents[2]
GUIDE = (ROOT / "deploy" / "README.md").read_text()
# Commands of the guide, by the name that stands behind `sh`.
BLOCKS = dict(re.findall(r"^```sh ?(.*)\n((?:.+\n)+?)```$", GUIDE, re.MULTILINE))
_CACHE = re.compile(r"type=cache,target=(/[\w./-]+)")
# How this machine reaches packages is its own business.
_NETWORK = re.compile(r"(PIP|UV|SSL)_|(HTTPS?|NO)_PROXY", re.IGNORECASE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """An instruction, its flags, and what follows them."""

    name: str
    flags: Mapping[str, str]
    text: str

    @property
    def words(self) -> list[str]:
        """What follows, in exec form or parted by blanks."""
        return json.loads(self.text) if self.text.startswith("[") else shlex.split(self.text)


@dataclass(slots=True, kw_only=True)
class Image:
    """A folder, and how a process in it is started."""

    root: Path
    env: dict[str, str] = field(default_factory=lambda: {"PATH": PATH})
    labels: dict[str, str] = field(default_factory=dict)
    folder: str = "/"
    user: str = ""
    entrypoint: list[str] = field(default_factory=list)
    command: list[str] = field(default_factory=list)
    healthcheck: list[str] = field(default_factory=list)
    stop_signal: str = ""


def steps(text: str) -> Iterator[Step]:
    """Yield the instructions of a Dockerfile."""
    lines = "".join(f"{line}\n" for line in text.splitlines() if not line.startswith("#"))
    for line in filter(None, lines.replace("\\\n", " ").splitlines()):
        name, _, rest = line.partition(" ")
        flags = {}
        while rest.lstrip().startswith("--"):
            flag, _, rest = rest.lstrip().partition(" ")
            key, _, value = flag.removeprefix("--").partition("=")
            flags[key] = value
        yield Step(name=name, flags=flags, text=rest.strip())


class Builder:
    """Builds the stages of a Dockerfile in folders of `folder`.

    Args:
        folder: Where.
        arguments: Build arguments, in place of their defaults.
    """

    def __init__(self, folder: Path, **arguments: str) -> None:
        self._folder = folder
        self._arguments = arguments
        self._known: dict[str, str] = {}
        self._stages: dict[str, Image] = {}
        self._image = Image(root=folder)
        tracked = ("git", "ls-files", "--cached", "--others", "--exclude-standard")
        found = subprocess.run(tracked, cwd=ROOT, capture_output=True, text=True, check=True)
        self._context = found.stdout.splitlines()

    def build(self, text: str) -> Image:
        """Carry out all instructions; return the last stage."""
        for step in steps(text):
            getattr(self, f"_{step.name.lower()}")(step)
        return self._image

    def _expanded(self, text: str) -> str:
        return string.Template(text).safe_substitute(self._known | self._image.env)

    def _arg(self, step: Step) -> None:
        name, _, default = step.text.partition("=")
        self._known[name] = self._arguments.get(name, default)

    def _from(self, step: Step) -> None:
        name = step.words[-1] if "AS" in step.words else "final"
        self._image = Image(root=self._folder / name)
        self._stages[name] = self._image
        prepare(self._image.root)

    def _workdir(self, step: Step) -> None:
        self._image.folder = step.text
        self._path(step.text).mkdir(parents=True, exist_ok=True)

    def _copy(self, step: Step) -> None:
        *sources, target = step.words
        stage = step.flags.get("from")
        for source in sources:
            if stage:
                found = self._stages[stage].root / source.lstrip("/")
                shutil.copytree(found, self._path(target), symlinks=True, dirs_exist_ok=True)
            else:
                self._copy_from_context(source, target)

    def _copy_from_context(self, source: str, target: str) -> None:
        for name in self._context:
            path = Path(name)
            if name == source:
                path = Path(path.name)
            elif path.is_relative_to(source):
                path = path.relative_to(source)
            else:
                continue
            is_folder = target.endswith("/") or name != source
            copied = self._path(target) / path if is_folder else self._path(target)
            copied.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / name, copied)

    def _run(self, step: Step) -> None:
        volumes = {}
        if mount := step.flags.get("mount"):
            target = _CACHE.fullmatch(mount)
            assert target, mount
            volumes[target[1]] = _cache()
        box = Box(
            root=self._image.root,
            folder=self._image.folder,
            volumes=volumes,
            tmpfs={"/tmp": "size=2g"},  # noqa: S108 - the box's own
        )
        network = {name: text for name, text in os.environ.items() if _NETWORK.match(name)}
        subprocess.run(
            box.command("/bin/sh", "-c", step.text),
            env={"HOME": "/root", **network, **self._known, **self._image.env},
            check=True,
        )

    def _label(self, step: Step) -> None:
        self._image.labels |= self._pairs(step)

    def _env(self, step: Step) -> None:
        self._image.env |= self._pairs(step)

    def _pairs(self, step: Step) -> dict[str, str]:
        pairs = (word.partition("=") for word in step.words)
        return {name: self._expanded(value) for name, _, value in pairs}

    def _user(self, step: Step) -> None:
        self._image.user = step.text

    def _stopsignal(self, step: Step) -> None:
        self._image.stop_signal = step.text

    def _healthcheck(self, step: Step) -> None:
        kind, _, command = step.text.partition(" ")
        assert kind == "CMD"
        self._image.healthcheck = json.loads(command)

    def _entrypoint(self, step: Step) -> None:
        self._image.entrypoint = json.loads(step.text)

    def _cmd(self, step: Step) -> None:
        self._image.command = json.loads(step.text)

    def _path(self, target: str) -> Path:
        return self._image.root / str(Path(self._image.folder, target)).lstrip("/")


def _cache() -> Path:
    """Return where this machine's uv keeps what it has fetched."""
    path = Path(os.environ.get("UV_CACHE_DIR", Path.home() / ".cache" / "uv"))
    path.mkdir(parents=True, exist_ok=True)
    return path
