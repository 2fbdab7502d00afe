"""What the documents say is what the code does."""

import re
import subprocess
from pathlib import Path

from bots.discord import invite
from bots.settings import BotSettings
from core.commands import COMMANDS, Command

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text()


def test_every_setting_is_in_the_example_and_in_the_readme() -> None:
    """`.env.example` and the README's table are the fields of the settings, in order."""
    names = [name.upper() for name in BotSettings.model_fields]
    example = (ROOT / ".env.example").read_text()
    assert re.findall(r"^#?([A-Z_]+)=", example, re.MULTILINE) == names
    rows = dict(re.findall(r"^\| `([A-Z_]+)` \| (.+?) \|", README, re.MULTILINE))
    assert list(rows) == names
    for name, field in BotSettings.model_fields.items():
        assert rows[name.upper()] == field.description


def test_every_setting_stands_in_the_table() -> None:
    """One row below the other; in the example, a blank line parts each from the next."""
    table = re.findall(r"(?:^\| `[A-Z_]+` \|.*\n)+", README, re.MULTILINE)
    assert [part.count("\n") for part in table] == [len(BotSettings.model_fields)]
    example = (ROOT / ".env.example").read_text()
    assert not re.findall(r"^#?[A-Z_]+=.*\n[^\n]", example, re.MULTILINE)


def test_every_command_is_in_the_readme() -> None:
    """The README's table of commands is the table of the code."""
    rows = re.findall(r"^\| `/(\S+?)(?: (.+?))?` \| (.+?) \|", README, re.MULTILINE)
    written = [(c.name, c.usage.replace("|", "\\|"), c.help + _for_whom(c)) for c in COMMANDS]
    assert rows == written


def _for_whom(command: Command) -> str:
    if command.is_for_owners:
        return " (owners)"
    return " (hosts)" if command.is_for_hosts else ""


def test_the_test_command_is_the_one_that_ci_runs() -> None:
    """`.ci/run` takes the README's second command word for word."""
    blocks = re.findall(r"^```sh tests\n(.+?)\n```$", README, re.MULTILINE | re.DOTALL)
    assert len(blocks) == 1
    assert ".venv/bin/pytest" in blocks[0]
    assert "sh tests" in (ROOT / ".ci" / "run").read_text()


def test_the_links_of_the_readme_are_those_of_the_code() -> None:
    """Who follows the README invites the bot with the scopes and permissions it needs."""
    assert invite.server_link("APPLICATION_ID") in README
    assert invite.person_link("APPLICATION_ID") in README


def test_constraints_name_versions_only() -> None:
    """`constraints.txt` holds exact versions and no addresses."""
    lines = (ROOT / "constraints.txt").read_text().splitlines()
    assert lines
    assert all(re.fullmatch(r"#.*|[A-Za-z0-9._-]+==[A-Za-z0-9.+!]+", line) for line in lines)


def test_the_image_of_the_readme_exists() -> None:
    """Every local file that the README refers to is in the repo."""
    tracked = subprocess.run(
        ["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout.split()
    for target in re.findall(r"\]\((?!http|#)(.+?)\)", README):
        assert target in tracked
