"""Application commands: what may be registered."""

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from tests.servers.discord import checks
from tests.servers.discord.errors import ApiError, Json, Problems

if TYPE_CHECKING:
    from tests.servers.discord.server import DiscordServer

# Application commands, 2026-11: types, option types, counts and lengths.
CHAT_INPUT, USER, MESSAGE = 1, 2, 3
SUB_COMMAND, SUB_COMMAND_GROUP = 1, 2
STRING, INTEGER, BOOLEAN, USER_OPTION, CHANNEL, ROLE, MENTIONABLE, NUMBER, ATTACHMENT = range(
    3, 12
)
_MOST = {CHAT_INPUT: 100, USER: 15, MESSAGE: 15}
_MOST_OPTIONS = 25
_MOST_CHARACTERS = 8000
_MOST_NAME = 32
_WITH_CHOICES = {STRING, INTEGER, NUMBER}
_CONTEXTS = {0, 1, 2}
_FIELDS: dict[str, checks.Check] = {
    "id": checks.snowflake,
    "type": checks.integer,
    "name": checks.text(_MOST_NAME, least=1),
    "name_localizations": checks.mapping,
    "description": checks.text(100),
    "description_localizations": checks.mapping,
    "options": checks.array(_MOST_OPTIONS),
    "default_member_permissions": checks.snowflake,
    "nsfw": checks.boolean,
    "integration_types": checks.array(),
    "contexts": checks.array(),
}
_DEPRECATED = {"dm_permission", "default_permission"}
_OPTION: dict[str, checks.Check] = {
    "type": checks.integer,
    "name": checks.text(_MOST_NAME, least=1),
    "name_localizations": checks.mapping,
    "description": checks.text(100, least=1),
    "description_localizations": checks.mapping,
    "required": checks.boolean,
    "choices": checks.array(25),
    "options": checks.array(_MOST_OPTIONS),
    "channel_types": checks.array(),
    "min_value": checks.anything,
    "max_value": checks.anything,
    "min_length": checks.integer,
    "max_length": checks.integer,
    "autocomplete": checks.boolean,
}
_CHOICE: dict[str, checks.Check] = {
    "name": checks.text(100, least=1),
    "name_localizations": checks.mapping,
    "value": checks.anything,
}


def key(command: Json) -> tuple[int, str]:
    """Return what must be unique: type and name."""
    return command.get("type") or CHAT_INPUT, command.get("name") or ""


class Commands:
    """The commands of the application.

    Attributes:
        all: As the API returns them.
        overwrites: How often they were replaced.
        creates: How many were new, today.
    """

    def __init__(self, server: "DiscordServer") -> None:
        self.all: list[Json] = []
        self.overwrites = 0
        self.creates = 0
        self._server = server

    def find(self, name: str, kind: int = CHAT_INPUT) -> Json | None:
        """Return the command of that name."""
        return next((command for command in self.all if key(command) == (kind, name)), None)

    def overwrite(self, body: Any) -> list[Json]:
        """Replace all commands.

        Raises:
            ApiError: 50035: a command is wrong; 30034: too many were created today; 30032: there
                are too many.
        """
        problems = Problems()
        if not isinstance(body, list):
            problems.add("", "LIST_TYPE_CONVERT", "Only iterables may be used in a ListType.")
            problems.check()
        for index, command in enumerate(body):
            self._check(command, str(index), problems)
        problems.check()
        keys = [key(command) for command in body]
        self._check_counts(keys)
        old = {key(command): command for command in self.all}
        self.creates += sum(name not in old for name in keys)
        if self.creates > self._server.limits.command_creates:
            text = "Max number of daily application command creates has been reached (200)"
            raise ApiError(400, 30034, text)
        self.overwrites += 1
        self.all = [self._complete(command, old.get(key(command))) for command in body]
        return self.all

    def _check_counts(self, keys: list[tuple[int, str]]) -> None:
        if len(set(keys)) < len(keys):
            name = next(name for name in keys if keys.count(name) > 1)
            problems = Problems()
            text = f"Command names must be unique: {name[1]}"
            problems.add(str(keys.index(name)), "APPLICATION_COMMANDS_DUPLICATE_NAME", text)
            problems.check()
        for kind, most in _MOST.items():
            if sum(found == kind for found, _ in keys) > most:
                text = f"Maximum number of application commands reached ({most})"
                raise ApiError(400, 30032, text)

    def _complete(self, command: Json, old: Json | None) -> Json:
        server = self._server
        number = old["id"] if old else str(server.clock.snowflake())
        given = {name: value for name, value in command.items() if value is not None}
        found: Json = {
            "type": CHAT_INPUT,
            "description": "",
            "description_localizations": None,
            "name_localizations": None,
            "default_member_permissions": None,
            "dm_permission": True,
            "nsfw": False,
            "integration_types": sorted(server.installation_contexts),
            "contexts": None,
            **given,
            "id": number,
            "application_id": str(server.application_id),
        }
        same = old and {**old, "version": ""} == {**found, "version": ""}
        return found | {
            "version": old["version"] if old and same else str(server.clock.snowflake())
        }

    def _check(self, command: Any, path: str, problems: Problems) -> None:
        unknown = checks.form(command, _FIELDS, required=("name",), path=path, problems=problems)
        if not isinstance(command, dict):
            return
        for name in unknown:
            word = "deprecated" if name in _DEPRECATED else "unknown"
            self._server.remark(f"an application command has the {word} field {name}")
        kind = command.get("type") or CHAT_INPUT
        if kind not in _MOST:
            problems.add(f"{path}.type", "BASE_TYPE_CHOICES", "Value must be one of {1, 2, 3}.")
        elif kind == CHAT_INPUT:
            self._check_chat_input(command, path, problems)
        elif command.get("description") or command.get("options"):
            text = "Context menu commands cannot have description"
            code = "APPLICATION_COMMAND_CONTEXT_MENU_DESCRIPTION_INVALID"
            problems.add(f"{path}.description", code, text)
        self._check_contexts(command, path, problems)

    def _check_chat_input(self, command: Json, path: str, problems: Problems) -> None:
        _check_name(command.get("name"), f"{path}.name", problems)
        if not command.get("description"):
            text = "This field is required"
            problems.add(f"{path}.description", "BASE_TYPE_REQUIRED", text)
        _check_options(command.get("options") or [], f"{path}.options", problems)
        if sum(map(len, _texts(command))) > _MOST_CHARACTERS:
            text = f"Command exceeds maximum size ({_MOST_CHARACTERS})"
            problems.add(path, "APPLICATION_COMMAND_TOO_LARGE", text)

    def _check_contexts(self, command: Json, path: str, problems: Problems) -> None:
        allowed = {
            "contexts": _CONTEXTS,
            "integration_types": self._server.installation_contexts,
        }
        for name, values in allowed.items():
            given = command.get(name)
            if isinstance(given, list) and not values.issuperset(given):
                text = f"Value must be one of {sorted(values)}."
                problems.add(f"{path}.{name}", "BASE_TYPE_CHOICES", text)


def _texts(command: Json) -> Iterable[str]:
    """Return what counts towards a command's size: names, descriptions, values."""
    yield str(command.get("name") or "")
    yield str(command.get("description") or "")
    for choice in command.get("choices") or []:
        yield str(choice.get("name") or "")
        yield str(choice.get("value") or "")
    for option in command.get("options") or []:
        yield from _texts(option)


def _check_name(name: Any, path: str, problems: Problems) -> None:
    r"""Check a name against ^[-_'\\p{L}\\p{N}]{1,32}$, in lower case where there is one."""
    if not isinstance(name, str) or not name:
        return
    is_known = all(letter.isalnum() or letter in "-_'" for letter in name)
    if not is_known or name != name.lower():
        problems.add(path, "APPLICATION_COMMAND_INVALID_NAME", "Command name is invalid")


def _check_options(options: list[Any], path: str, problems: Problems) -> None:
    may_be_required = True
    names: set[Any] = set()
    for index, option in enumerate(options):
        place = f"{path}.{index}"
        required = ("type", "name", "description")
        checks.form(option, _OPTION, required=required, path=place, problems=problems)
        if not isinstance(option, dict):
            continue
        _check_name(option.get("name"), f"{place}.name", problems)
        if option.get("name") in names:
            text = "Option names must be unique"
            problems.add(place, "APPLICATION_COMMAND_OPTIONS_NAME_ALREADY_EXISTS", text)
        names.add(option.get("name"))
        if option.get("required") and not may_be_required:
            text = "Required options must be placed before non-required options"
            problems.add(place, "APPLICATION_COMMAND_OPTIONS_REQUIRED_INVALID", text)
        may_be_required = may_be_required and bool(option.get("required"))
        _check_kind(option, place, problems)


def _check_kind(option: Json, path: str, problems: Problems) -> None:
    kind = option.get("type")
    if kind in {SUB_COMMAND, SUB_COMMAND_GROUP}:
        _check_options(option.get("options") or [], f"{path}.options", problems)
        return
    if not isinstance(kind, int) or not STRING <= kind <= ATTACHMENT:
        problems.add(f"{path}.type", "BASE_TYPE_CHOICES", "Value must be one of {1, 2, ..., 11}.")
        return
    choices = option.get("choices")
    suggests = option.get("autocomplete")
    if ((choices or suggests) and kind not in _WITH_CHOICES) or (choices and suggests):
        text = "Only options of type 3, 4 and 10 have choices, and then no autocomplete"
        code = "APPLICATION_COMMAND_OPTIONS_CHOICES_INVALID"
        problems.add(f"{path}.choices", code, text)
    for index, choice in enumerate(choices or []):
        place = f"{path}.choices.{index}"
        checks.form(choice, _CHOICE, required=("name", "value"), path=place, problems=problems)
        check_choice(kind, choice, place, problems)


def check_choice(kind: int, choice: Any, path: str, problems: Problems) -> None:
    """Check that a choice's value is of its option's type, and at most 100 characters."""
    value = choice.get("value") if isinstance(choice, dict) else None
    kinds: dict[int, Any] = {STRING: str, INTEGER: int, NUMBER: int | float}
    if value is not None and not isinstance(value, kinds[kind]):
        text = f"Could not convert {value!r}"
        problems.add(f"{path}.value", "APPLICATION_COMMAND_OPTIONS_CHOICE_VALUE_INVALID", text)
    elif isinstance(value, str) and len(value) > 100:
        problems.add(f"{path}.value", "BASE_TYPE_MAX_LENGTH", "Must be 100 or fewer in length.")
