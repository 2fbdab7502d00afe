"""What Discord's menus show, when they are uploaded, and what they suggest."""

import copy
import re
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bots.discord import menu
from core.commands import COMMANDS

Json = dict[str, Any]

OURS = menu.payload(COMMANDS)
OFFERS = {"models": ["gpt-5", "gpt-5-mini", "o4-GPT", "claude", "x" * 101], "personas": []}


def row(name: str) -> Json:
    """Return a command as it is uploaded."""
    (found,) = [command for command in OURS if command["name"] == name]
    return found


def served() -> list[Json]:
    """Return the commands as Discord returns them once they are uploaded."""
    theirs = copy.deepcopy(OURS)
    for number, command in enumerate(theirs):
        command |= {
            "id": str(number),
            "application_id": "700",
            "version": "1",
            "nsfw": False,
            "dm_permission": True,
            "name_localizations": None,
            "description_localizations": None,
        }
        command.setdefault("default_member_permissions", None)
        command.setdefault("description", "")
        for option in command.get("options", []):
            option["name_localizations"] = None
            for field in ("required", "autocomplete"):
                if not option.get(field):
                    option.pop(field, None)
        if not command.get("options"):
            command.pop("options", None)
    return theirs[::-1]


def test_everything_a_person_may_ask_is_in_the_menu() -> None:
    """/chat, the table's commands, and three entries in the menu of a message."""
    names = [c.name for c in COMMANDS if c.name != "start"]
    assert [c["name"] for c in OURS if c["type"] == 1] == ["chat", *names]
    assert [c["name"] for c in OURS if c["type"] == 3] == [
        "Ask about this",
        "Transcribe",
        "Translate",
    ]


def test_the_menu_keeps_to_discords_limits() -> None:
    """One command out of bounds and none is taken."""
    assert len(OURS) <= 100
    for command in OURS:
        if command["type"] == 3:
            assert "description" not in command
            continue
        for item in (command, *command["options"]):
            assert re.fullmatch(r"[-_a-z0-9]{1,32}", item["name"])
            assert 1 <= len(item["description"]) <= 100
        required = [bool(option.get("required")) for option in command["options"]]
        assert required == sorted(required, reverse=True)
        for option in command["options"]:
            assert not ("choices" in option and "autocomplete" in option)


def test_chat_takes_a_prompt_a_file_and_a_thread() -> None:
    """The prompt must be given."""
    options = [(o["name"], o["type"], bool(o.get("required"))) for o in row("chat")["options"]]
    assert options == [("prompt", 3, True), ("file", 11, False), ("thread", 5, False)]


def test_arguments_are_offered_by_discords_own_means() -> None:
    """Choices, suggestions, and pickers for roles, channels and files."""
    change, group, place = row("settings")["options"]
    assert [choice["value"] for choice in change["choices"]] == ["allow", "forbid"]
    assert (group["type"], place["type"]) == (8, 7)
    assert 4 not in place["channel_types"]
    (name,) = row("model")["options"]
    assert (name["type"], name["autocomplete"]) == (3, True)
    assert row("transcribe")["options"][0]["type"] == 11


@pytest.mark.parametrize(
    ("name", "permissions", "contexts", "installs"),
    [
        ("chat", None, [0, 1, 2], [0, 1]),
        ("help", None, [0, 1, 2], [0, 1]),
        ("Ask about this", None, [0, 1, 2], [0, 1]),
        ("settings", "32", [0], [0]),
        ("approve", "0", [0], [0]),
        ("users", "0", [0], [0]),
    ],
)
def test_commands_are_shown_where_they_make_sense(
    name: str, permissions: str | None, contexts: list[int], installs: list[int]
) -> None:
    """Everywhere, but for those of hosts and owners."""
    command = row(name)
    assert command.get("default_member_permissions") == permissions
    assert (command["contexts"], command["integration_types"]) == (contexts, installs)


def test_what_discord_adds_is_no_change() -> None:
    """A menu is uploaded once, not at every start."""
    assert menu.is_same(OURS, served())
    assert menu.is_same([], [])


@pytest.mark.parametrize(
    ("name", "change"),
    [
        ("chat", {"description": "other"}),
        ("chat", {"options": []}),
        ("help", {"contexts": [0]}),
        ("help", {"contexts": None}),
        ("help", {"integration_types": [0]}),
        ("users", {"default_member_permissions": None}),
        ("Translate", {"name": "Render"}),
        ("Translate", {"type": 2}),
    ],
)
def test_a_changed_command_is_uploaded(name: str, change: Json) -> None:
    """Whatever of ours it is that changed."""
    theirs = served()
    for command in theirs:
        if command["name"] == name:
            command.update(change)
    assert not menu.is_same(OURS, theirs)


@pytest.mark.parametrize(
    ("index", "change"),
    [
        (0, {"choices": []}),
        (0, {"required": True}),
        (0, {"autocomplete": True}),
        (1, {"type": 3}),
        (1, {"name": "role"}),
        (1, {"description": "other"}),
        (2, {"channel_types": [0]}),
    ],
)
def test_a_changed_argument_is_uploaded(index: int, change: Json) -> None:
    """Likewise."""
    theirs = served()
    for command in theirs:
        if command["name"] == "settings":
            command["options"][index] |= change
    assert not menu.is_same(OURS, theirs)


def test_commands_that_come_and_go_are_uploaded() -> None:
    """The order says nothing, the number does."""
    assert not menu.is_same(OURS, served()[1:])
    assert not menu.is_same(OURS, [*served(), {"name": "old", "type": 1, "description": "x"}])


def typing(value: Any, name: str = "model", option: str = "name") -> Json:
    """Return the data of an autocomplete interaction."""
    focused = {"name": option, "type": 3, "value": value, "focused": True}
    return {"id": "1", "name": name, "type": 1, "options": [focused]}


@pytest.mark.parametrize(
    ("typed", "names"),
    [
        ("", ["gpt-5", "gpt-5-mini", "o4-GPT", "claude"]),
        ("GPT", ["gpt-5", "gpt-5-mini", "o4-GPT"]),
        (" mini ", ["gpt-5-mini"]),
        ("o4", ["o4-GPT"]),
        ("au", ["claude"]),
        ("llama", []),
    ],
)
def test_suggestions_begin_with_what_begins_so(typed: str, names: list[str]) -> None:
    """Then comes what only contains it; what is too long for Discord never does."""
    found = menu.suggestions(OFFERS, COMMANDS, typing(typed))
    assert [choice["value"] for choice in found] == names
    assert [choice["name"] for choice in found] == names


def test_there_are_at_most_25_suggestions() -> None:
    """Discord refuses more."""
    offers = {"models": [f"a{number}" for number in range(30)] + ["b"]}
    assert len(menu.suggestions(offers, COMMANDS, typing("a"))) == 25
    assert len(menu.suggestions(offers, COMMANDS, typing("b"))) == 1


@pytest.mark.parametrize(
    "data",
    [
        {},
        {"name": "model"},
        {"name": "model", "options": [{"name": "name", "type": 3, "value": "g"}]},
        {"name": "model", "options": "name"},
        {"name": "model", "options": [None, 5]},
        typing("", name="persona"),
        typing("", name="gone"),
        typing("", option="gone"),
        typing("", name="approve", option="who"),
    ],
)
def test_there_may_be_nothing_to_suggest(data: Json) -> None:
    """Then nothing is."""
    assert menu.suggestions(OFFERS, COMMANDS, data) == []


ODD = st.none() | st.booleans() | st.integers() | st.text() | st.lists(st.integers())
OPTIONS = st.dictionaries(st.sampled_from(["name", "type", "value", "focused"]), ODD)


@settings(max_examples=50, deadline=None)
@given(
    st.dictionaries(
        st.sampled_from(["name", "options", "type"]),
        ODD
        | st.just("model")
        | st.lists(OPTIONS | ODD | st.just(typing("g")["options"][0]), max_size=3),
    )
    | ODD.map(typing)
)
def test_no_request_for_suggestions_makes_it_fail(data: Json) -> None:
    """Whatever Discord asks."""
    for choice in menu.suggestions(OFFERS, COMMANDS, data):
        assert 1 <= len(choice["name"]) <= 100
