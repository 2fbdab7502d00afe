"""What tools made for it say of the Dockerfile and the Compose files, and what they must not."""

import asyncio
import re
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from bots.settings import BotSettings
from bots.web import serve_http
from core.settings import load
from tests.deploy.compose import POSTGRES, SCRIPTS, SQLITE, compose, services
from tests.deploy.image import ROOT, steps

DOCKERFILE = (ROOT / "Dockerfile").read_text()
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
PASSWORD = {"POSTGRES_PASSWORD": "of-a-test"}
OURS = [(SQLITE, "causerie"), (POSTGRES, "listen"), (POSTGRES, "work")]


def test_the_dockerfile_has_no_fault() -> None:
    """Hadolint finds nothing, and shellcheck nothing in its commands."""
    linted = (SCRIPTS / "hadolint", "--no-color", ROOT / "Dockerfile")
    done = subprocess.run(linted, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (0, "")


def test_the_image_is_what_the_tests_run_on() -> None:
    """Its Python is the oldest that we support, its version is ours."""
    assert f"ARG PYTHON={PROJECT['requires-python'].removeprefix('>=')}\n" in DOCKERFILE
    assert f'image.version="{PROJECT["version"]}"' in DOCKERFILE


def test_only_what_the_image_needs_gets_near_it() -> None:
    """`.dockerignore` lets through what is copied from the source, and nothing else."""
    lines = (ROOT / ".dockerignore").read_text().splitlines()
    let_through = {line.removeprefix("!") for line in lines if line.startswith("!")}
    copied = {
        source
        for step in steps(DOCKERFILE)
        if step.name == "COPY" and "from" not in step.flags
        for source in step.words[:-1]
    }
    assert lines[1] == "*"
    assert let_through == copied


@pytest.mark.parametrize("architecture", ["x86_64", "aarch64"])
def test_nothing_has_to_be_compiled(tmp_path: Path, architecture: str) -> None:
    """All that the image needs is there as wheels, for a Raspberry Pi, too."""
    python = PROJECT["requires-python"].removeprefix(">=")
    platform = f"{architecture}-manylinux_2_28"
    done = subprocess.run(
        [
            *("uv", "pip", "compile", "--quiet", "--extra=postgres", "--only-binary=:all:"),
            *("--constraints=constraints.txt", f"--python-version={python}"),
            *(f"--python-platform={platform}", f"--output-file={tmp_path}/found"),
            "pyproject.toml",
        ],
        executable=SCRIPTS / "uv",
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr


def test_a_password_has_to_be_set(tmp_path: Path) -> None:
    """There is no PostgreSQL that starts with a password everybody knows."""
    (tmp_path / ".env").touch()
    done = compose(POSTGRES, tmp_path, "config", "--quiet")
    assert done.returncode != 0
    assert "POSTGRES_PASSWORD" in done.stderr


@pytest.mark.parametrize(
    ("status", "asked", "code", "said"),
    [(200, [], 0, ""), (200, ["readyz"], 0, "fine"), (503, ["readyz"], 1, "the store fails")],
)
async def test_the_health_check_tells(status: int, asked: list[str], code: int, said: str) -> None:
    """Its exit code is the answer, and what is amiss is shown; nobody there is an answer, too."""

    async def answer(request: web.Request) -> web.Response:
        return web.Response(text=said, status=status if request.path == "/readyz" else 200)

    routes = [web.get(path, answer) for path in ("/healthz", "/readyz")]
    async with serve_http("0.0.0.0:0", routes, setting="X") as port:
        assert await check(f"0.0.0.0:{port}", *asked) == (code, said)
        assert await check(f" LOCALHOST:{port} ", *asked) == (code, said)
    assert (await check(f"127.0.0.1:{port}"))[0] == 1


@pytest.mark.parametrize("value", ["off", "OFF", " Off "])
async def test_nothing_served_is_well_but_not_known_to_be_ready(value: str) -> None:
    """However the setting is spelled that turns it off."""
    assert load(BotSettings, _env_file=None, health_listen=value).health_listen == "off"
    assert await check(value) == (0, "")
    assert await check(value, "readyz") == (1, "HEALTH_LISTEN is off: no /readyz is served")


async def check(address: str, *asked: str) -> tuple[int, str]:
    """Ask for the health of what listens there; return the exit code and what is said."""
    program = str(ROOT / "deploy" / "healthcheck.py")
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-IS", program, *asked),
        env={"HEALTH_LISTEN": address},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    said, _ = await process.communicate()
    assert process.returncode is not None
    return process.returncode, said.decode().strip()


def test_the_health_check_knows_the_default() -> None:
    """Without the setting it asks where the program answers."""
    default = BotSettings.model_fields["health_listen"].default
    assert f'DEFAULT = "{default}"' in (ROOT / "deploy" / "healthcheck.py").read_text()


@pytest.mark.parametrize(("file", "name"), OURS)
def test_a_service_is_confined(tmp_path: Path, file: str, name: str) -> None:
    """No rights, nowhere to write but its own places, no port, no endless log."""
    service: dict[str, Any] = services(file, tmp_path, PASSWORD)[name]
    assert service["read_only"]
    assert service["init"]
    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert service["pids_limit"]
    assert service["restart"] == "unless-stopped"
    assert service["logging"]["options"] == {"max-size": "10m", "max-file": "3"}
    assert not {"ports", "privileged", "cap_add", "user", "network_mode", "devices"} & set(service)
    assert [v["type"] for v in service.get("volumes", [])] == ["volume"] * (file == SQLITE)


def test_the_database_is_ours_alone(tmp_path: Path) -> None:
    """Only our processes reach it, and they wait until it is well."""
    found = services(POSTGRES, tmp_path, PASSWORD)
    assert list(found["postgres"]["networks"]) == ["database"]
    assert "ports" not in found["postgres"]
    for name in ("listen", "work"):
        assert found[name]["depends_on"]["postgres"]["condition"] == "service_healthy"
    assert re.search(r"database:\n    internal: true", (ROOT / POSTGRES).read_text())
