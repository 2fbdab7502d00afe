"""What Compose would run, as containers of our own kind."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.deploy.box import Box
from tests.deploy.image import ROOT, Image

SQLITE, POSTGRES = "compose.yaml", "deploy/compose.postgres.yaml"
SCRIPTS = Path(sys.executable).parent
# What Docker mounts a tmpfs with, unless it is told otherwise.
_TMPFS = "noexec,nosuid,nodev"


def compose(file: str, folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Call Compose on a file of ours as if it were in `folder`, with the settings there."""
    given = (str(SCRIPTS / "docker-compose"), "--project-directory", str(folder), "-f", file)
    # Nothing of this machine's settings.
    env = {"PATH": os.environ["PATH"], "HOME": str(folder)}
    return subprocess.run(
        [*given, *arguments], cwd=ROOT, env=env, capture_output=True, text=True, check=False
    )


def services(file: str, folder: Path, settings: Mapping[str, str]) -> dict[str, dict[str, Any]]:
    """Return the services of a file, all settings filled in."""
    shutil.copy(ROOT / ".env.example", folder / ".env")
    with (folder / ".env").open("a") as env:
        env.writelines(f"{name}='{value}'\n" for name, value in settings.items())
    done = compose(file, folder, "config", "--format", "json")
    assert (done.returncode, done.stderr) == (0, "")
    found: dict[str, dict[str, Any]] = json.loads(done.stdout)["services"]
    return found


@dataclass(frozen=True, slots=True, kw_only=True)
class Container:
    """A service of ours as it is run.

    Attributes:
        box: How it is confined.
        env: Its environment.
        command: What it runs.
        check: What tells whether it is well.
    """

    box: Box
    env: dict[str, str]
    command: list[str]
    check: list[str]


def contained(service: Mapping[str, Any], image: Image, volumes: Mapping[str, Path]) -> Container:
    """Return how a service is run.

    Args:
        service: As Compose tells it.
        image: What it is run from.
        volumes: Where its volumes are.
    """
    mounted = (entry.partition(":") for entry in service["tmpfs"])
    box = Box(
        root=image.root,
        user=int(service.get("user", image.user).partition(":")[0]),
        folder=image.folder,
        volumes={v["target"]: volumes[v["source"]] for v in service.get("volumes", ())},
        tmpfs={target: f"{_TMPFS},{options}" for target, _, options in mounted},
        is_read_only=service["read_only"],
    )
    return Container(
        box=box,
        env=image.env | service["environment"],
        command=box.command(*image.entrypoint, *(service["command"] or image.command)),
        check=box.command(*image.healthcheck),
    )
