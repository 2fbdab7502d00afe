"""What `causerie doctor` checks of no platform in particular."""

from collections.abc import AsyncGenerator, Mapping

from bots import permissions
from bots.settings import BotSettings
from core.env_file import misnamed
from core.finding import Finding, ok, warning

_TOKEN = "_bot_token"  # noqa: S105 - how the fields that hold one end
_ASK_ID = "send /id to the bot and put what it answers into OWNERS"


async def check_names(chosen: BotSettings) -> AsyncGenerator[Finding]:
    """Say what was meant as a setting and does not count as one."""
    for name, meant in misnamed(type(chosen).model_fields, chosen.model_fields_set):
        yield warning(f"{name} is no setting, so it does not count", fix=f"write it as {meant}")


async def check_platforms(chosen: BotSettings) -> AsyncGenerator[Finding]:
    """Say where people will meet the bot."""
    tokens = _tokens(chosen)
    served = [name for name, has_token in tokens.items() if has_token]
    idle = [_setting(name) for name, has_token in tokens.items() if not has_token]
    if not served:
        yield ok("no token is set, so causerie opens a chat in the terminal")
    else:
        yield ok(f"serves {' and '.join(served)}{f' ({_all(idle)} not set)' if idle else ''}")


async def check_access(chosen: BotSettings) -> AsyncGenerator[Finding]:
    """Say who may talk to it, where anybody can try."""
    tokens = _tokens(chosen)
    if not any(tokens.values()):
        return
    if chosen.access == "pairing" and not chosen.owners:
        text = "ACCESS is `pairing` and OWNERS is empty, so nobody can let people in"
        yield warning(text, fix=_ASK_ID)
    elif chosen.access == "closed" and not (chosen.owners or chosen.allowed):
        text = (
            "ACCESS is `closed`, OWNERS and ALLOWED are empty, so nobody can talk to it in private"
        )
        yield warning(text, fix=_ASK_ID)
    else:
        owners = len(chosen.owners)
        yield ok(f"{chosen.access}, {owners} owner{'' if owners == 1 else 's'}")
    for setting, names in (("OWNERS", chosen.owners), ("ALLOWED", chosen.allowed)):
        for name in names:
            if finding := _check_name(setting, name, tokens):
                yield finding


async def check_files(chosen: BotSettings) -> AsyncGenerator[Finding]:
    """Say whether others on this machine can read what is secret."""
    for path in permissions.private_files(chosen):
        if permissions.is_exposed(path):
            yield warning(f"others on this machine can read {path}", fix=permissions.fix(path))
        else:
            yield ok(f"{path} is closed to others")


def _check_name(setting: str, name: str, tokens: Mapping[str, bool]) -> Finding | None:
    platform = name.partition(":")[0]
    if platform == "console" or tokens.get(platform):
        return None
    if platform in tokens:
        text = f"{setting} names {name}, but {_setting(platform)} is not set"
        return warning(text, fix=f"set {_setting(platform)}, or take {name} out of {setting}")
    text = f"{setting} names {name}, but there is no {platform}, only {_all(list(tokens))}"
    return warning(text, fix="write it as the bot's answer to /id does")


def _tokens(chosen: BotSettings) -> dict[str, bool]:
    """Return every platform there is, and whether it has a token."""
    return {
        name.removesuffix(_TOKEN): bool(getattr(chosen, name))
        for name in type(chosen).model_fields
        if name.endswith(_TOKEN)
    }


def _setting(platform: str) -> str:
    return f"{platform}{_TOKEN}".upper()


def _all(names: list[str]) -> str:
    return " and ".join(names)
