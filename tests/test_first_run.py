"""The first run on a fresh machine: no token, no key, a terminal or a pipe."""

import asyncio
import importlib.metadata
import json
import logging
import os
import pty
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from bots import logs
from bots.__main__ import main, run

ROOT = Path(__file__).parents[1]
QUESTION = ROOT / "tests" / "data" / "english.ogg"
SECRET = "123456:AAH-secret"


def first_run(folder: Path) -> dict[str, str]:
    """Return the environment of a machine on which nothing is set."""
    kept = {name: text for name, text in os.environ.items() if name.startswith("COVERAGE_")}
    return {
        **kept,
        "PATH": os.environ["PATH"],
        "HOME": str(folder),
        "PYTHONPATH": str(ROOT),
        "LANG": "C.UTF-8",
    }


async def drain(terminal: int) -> str:
    """Return what a terminal shows until nobody writes to it any more."""
    shown = b""
    while True:
        try:
            piece = await asyncio.to_thread(os.read, terminal, 10_000)
        except OSError:  # how Linux says that the other end is closed
            break
        if not piece:
            break
        shown += piece
    os.close(terminal)
    return shown.decode()


async def started(
    folder: Path,
    settings: Mapping[str, str] | None = None,
    *,
    is_leader: bool = False,
    **streams: Any,
) -> asyncio.subprocess.Process:
    """Start the program as somebody does who has set up nothing else, maybe in a new session."""
    return await asyncio.create_subprocess_exec(
        sys.executable,
        *("-m", "bots"),
        env=first_run(folder) | {**(settings or {})},
        cwd=folder,
        start_new_session=is_leader,
        **streams,
    )


async def test_a_pipe_is_answered_by_the_embedded_models(tmp_path: Path) -> None:
    """Text and speech are answered, the terminal sees the progress and what this brain is."""
    terminal, errors = pty.openpty()
    process = await started(
        tmp_path, stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE, stderr=errors
    )
    os.close(errors)
    seen = asyncio.create_task(drain(terminal))
    async with asyncio.timeout(100):
        out, _ = await process.communicate(f"Say hello.\n/voice {QUESTION}\n/id\n".encode())
    said = out.decode()
    assert process.returncode == 0
    assert "capital of France" in said
    assert said.rstrip().endswith("You are `console:0`.")
    shown = await seen
    assert "This is a demo brain" in shown
    assert "chat model: 100 %" in shown
    assert "speech model: 100 %" in shown
    assert (tmp_path / "causerie.db").stat().st_mode & 0o777 == 0o600


async def test_nobody_to_serve_is_said(tmp_path: Path) -> None:
    """Without a token, a terminal or a word in standard input: in a sentence, and with 2."""
    for given in ("</dev/null", "<&-"):
        process = await asyncio.create_subprocess_shell(
            f"{sys.executable} -m bots serve {given}",
            env=first_run(tmp_path) | {"OPENAI_API_KEY": "sk-unused"},
            cwd=tmp_path,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
        out, err = await asyncio.wait_for(process.communicate(), 60)
        assert (process.returncode, out) == (2, b"")
        assert "TELEGRAM_BOT_TOKEN, DISCORD_BOT_TOKEN: " in err.decode().splitlines()[-1]
        assert "Traceback" not in err.decode()


async def test_a_mistyped_name_is_pointed_out(tmp_path: Path) -> None:
    """What was meant as a setting and sets nothing is named; its value is not."""
    (tmp_path / ".env").write_text(f"OPENAI_KEY={SECRET}\n", encoding="utf-8")
    process = await started(
        tmp_path, stdin=asyncio.subprocess.DEVNULL, stderr=asyncio.subprocess.PIPE
    )
    _, err = await asyncio.wait_for(process.communicate(), 60)
    assert "OPENAI_KEY is no setting, so it does not count; was OPENAI_API_KEY meant?" in (
        err.decode()
    )
    assert SECRET not in err.decode()


async def test_ctrl_z_is_no_letter(tmp_path: Path) -> None:
    """It goes to the shell, if there is one; the line stays as it was, and Ctrl-D leaves it."""
    keys, terminal = pty.openpty()
    settings = {"OPENAI_API_KEY": "sk-unused", "TERM": "xterm"}
    process = await started(
        tmp_path, settings, stdin=terminal, stdout=terminal, stderr=terminal, is_leader=True
    )
    os.close(terminal)
    shown = b""
    async with asyncio.timeout(60):
        while "\u203a ".encode() not in shown:  # else the terminal takes the keys itself
            shown += await asyncio.to_thread(os.read, keys, 10_000)
        os.write(keys, b"\x1a\x04")
        await drain(keys)
        assert await process.wait() == 0


def test_says_its_version_and_what_it_is(capsys: pytest.CaptureFixture[str]) -> None:
    """`--version` and `--help` answer without starting anything."""
    for argument, words in (
        ("--version", f"causerie {importlib.metadata.version('causerie')}"),
        ("--help", "OPENAI_BASE_URL"),
    ):
        with pytest.raises(SystemExit) as ended:
            run([argument])
        assert ended.value.code == 0
        assert words in capsys.readouterr().out


@pytest.mark.parametrize(
    "command",
    ["", "serve", "doctor", "usage", "dead", "dead retry", "backup", "restore", "migrate"],
)
def test_help_fits_a_terminal(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], command: str
) -> None:
    """Of 80 columns, as most are at first."""
    monkeypatch.setenv("COLUMNS", "80")
    with pytest.raises(SystemExit):
        run([*command.split(), "--help"])
    assert max(map(len, capsys.readouterr().out.splitlines())) < 80


def test_wrong_settings_are_a_line_each(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The command exits with 2 and names every variable that is wrong."""
    monkeypatch.setattr(sys, "argv", ["causerie"])
    monkeypatch.setenv("ACCESS", "x")
    monkeypatch.setenv("TELEGRAM_API_URL", "x")
    with pytest.raises(SystemExit) as ended:
        main()
    assert ended.value.code == 2
    lines = capsys.readouterr().err.splitlines()
    assert [line.partition(":")[0] for line in lines] == ["ACCESS", "TELEGRAM_API_URL"]


@pytest.mark.parametrize("as_json", [False, True])
def test_secrets_are_masked_in_every_line(
    capsys: pytest.CaptureFixture[str], *, as_json: bool
) -> None:
    """In messages and in tracebacks, as text and as JSON; what the SDKs chat about is left out."""
    before = logging.root.handlers[:], logging.root.level
    try:
        logs.configure(level="INFO", as_json=as_json, secrets=[SECRET])
        try:
            int(f"https://example.org/bot{SECRET}/getMe")
        except ValueError:
            logging.getLogger("core").exception("a call of %s failed", SECRET)
        logging.getLogger("httpx2").info("POST")
    finally:
        logging.root.handlers[:], level = before
        logging.root.setLevel(level)
    written = capsys.readouterr().err
    assert SECRET not in written
    assert written.count("***") >= 2
    assert "Traceback" in written
    assert "POST" not in written
    if as_json:
        line = json.loads(written)
        assert (line["level"], line["event"]) == ("ERROR", "a call of *** failed")
