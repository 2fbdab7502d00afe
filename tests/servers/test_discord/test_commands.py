"""Application commands: what may be registered, and how people use it."""

from typing import Any

import pytest

from tests.servers.discord import Channel, DiscordServer, File, Guild, Limits, User
from tests.servers.discord.errors import Json
from tests.servers.test_discord.client import Bot, Rest

CHAT: Json = {
    "name": "chat",
    "description": "Ask",
    "contexts": [0, 1, 2],
    "integration_types": [0, 1],
    "options": [
        {"type": 3, "name": "prompt", "description": "What", "required": True},
        {"type": 11, "name": "file", "description": "A file"},
        {"type": 4, "name": "count", "description": "How many", "min_value": 1, "max_value": 3},
        {"type": 6, "name": "who", "description": "Whom"},
        {"type": 3, "name": "model", "description": "Which", "autocomplete": True},
        {
            "type": 3,
            "name": "tone",
            "description": "How",
            "choices": [{"name": "Kind", "value": "kind"}],
        },
    ],
}


def path(server: DiscordServer) -> str:
    """Return the path of the global commands."""
    return f"/applications/{server.application_id}/commands"


async def test_registering_replaces_everything(server: DiscordServer, rest: Rest) -> None:
    """Ids stay with the names, versions with the content; only new names count as creates."""
    first = await rest("PUT", path(server), [CHAT, {"name": "Ask about this", "type": 3}])
    second = await rest("PUT", path(server), [CHAT | {"description": "Ask away"}])
    again = await rest("PUT", path(server), [CHAT | {"description": "Ask away"}])
    assert [item["id"] for item in second] == [first[0]["id"]]
    assert second[0]["version"] != first[0]["version"]
    assert again == second == await rest("GET", path(server))
    assert (server.commands.creates, server.commands.overwrites) == (2, 3)
    assert await rest.refused("GET", "/applications/1/commands") == (403, 20012)
    assert not server.remarks


def option(**fields: Any) -> Json:
    """Return a command with one option that has these fields."""
    base = {"type": 3, "name": "a", "description": "a"}
    return {"name": "chat", "description": "a", "options": [base | fields]}


@pytest.mark.parametrize(
    ("command", "place"),
    [
        ({"name": "Chat", "description": "a"}, "name"),
        ({"name": "a b", "description": "a"}, "name"),
        ({"name": "a" * 33, "description": "a"}, "name"),
        ({"description": "a"}, "name"),
        ({"name": "chat"}, "description"),
        ({"name": "chat", "description": "a" * 101}, "description"),
        ({"name": "chat", "description": "a", "contexts": [3]}, "contexts"),
        ({"name": "chat", "description": "a", "type": 9}, "type"),
        ({"name": "Ask", "description": "a", "type": 3}, "description"),
        (option(type=12), "options.0.type"),
        (option(name="A"), "options.0.name"),
        (option(description=""), "options.0.description"),
        (option(choices=[{"name": "a", "value": 1}]), "options.0.choices.0.value"),
        (option(choices=[{"name": "a", "value": "a" * 101}]), "options.0.choices.0.value"),
        (option(choices=[{"name": "a", "value": "a"}] * 26), "options.0.choices"),
        (option(type=5, autocomplete=True), "options.0.choices"),
        (
            {"name": "chat", "description": "a", "options": [option()["options"][0]] * 2},
            "options.1",
        ),
        (
            {
                "name": "chat",
                "description": "a",
                "options": [
                    {"type": 3, "name": "a", "description": "a"},
                    {"type": 3, "name": "b", "description": "a", "required": True},
                ],
            },
            "options.1",
        ),
    ],
)
async def test_a_wrong_command_is_refused_as_a_whole(
    server: DiscordServer, rest: Rest, command: Json, place: str
) -> None:
    """The problem is at its place, and nothing is registered."""
    errors = await rest.wrong("PUT", path(server), [command])
    for part in ("0", *place.split(".")):
        errors = errors[part]
    assert errors["_errors"]
    assert not server.commands.all


async def test_numbers_of_commands(server: DiscordServer, rest: Rest) -> None:
    """Names are unique, 100 commands are enough, and 200 new ones a day."""
    twins = [{"name": "chat", "description": "a"}] * 2
    assert (await rest.refused("PUT", path(server), twins))[1] == 50035
    many = [{"name": f"c{number}", "description": "a"} for number in range(101)]
    assert await rest.refused("PUT", path(server), many) == (400, 30032)
    server.limits = Limits(command_creates=2)
    assert await rest.refused("PUT", path(server), many[:3]) == (400, 30034)
    old = [{"name": "d", "description": "a", "dm_permission": False}]
    server.limits = Limits()
    await rest("PUT", path(server), old)
    assert "deprecated field dm_permission" in server.remarks[0]


async def test_a_command_brings_typed_options(
    server: DiscordServer, bot: Bot, guild: Guild, ann: User, bob: User
) -> None:
    """Files and people are resolved beside the options."""
    channel = guild.channel("general")
    await bot.rest("PUT", path(server), [CHAT])
    async with bot.socket() as socket:
        await socket.identify(intents=0)
        file = File(name="a.txt", data=b"x", mime="text/plain")
        channel.slash(ann, "chat", prompt="Hello", count=2, who=bob, file=file, tone="kind")
        found = await socket.event("INTERACTION_CREATE")
    values = {item["name"]: item["value"] for item in found["data"]["options"]}
    assert (values["prompt"], values["count"], values["who"]) == ("Hello", 2, str(bob.id))
    resolved = found["data"]["resolved"]
    assert resolved["attachments"][values["file"]]["filename"] == "a.txt"
    assert resolved["users"][str(bob.id)]["username"] == "bob"
    assert resolved["members"][str(bob.id)]["roles"] == []
    assert found["member"]["user"]["id"] == str(ann.id)
    assert found["channel"]["name"] == "general"
    assert found["authorizing_integration_owners"] == {"0": str(guild.id)}
    assert (found["context"], found["app_permissions"]) == (0, str(channel.bot_permissions))


@pytest.mark.parametrize(
    "options",
    [{}, {"prompt": 1}, {"prompt": "a", "count": 4}, {"prompt": "a", "tone": "x"}, {"x": 1}],
)
async def test_the_client_lets_no_wrong_option_through(
    server: DiscordServer, rest: Rest, channel: Channel, ann: User, options: Json
) -> None:
    """What is missing, of the wrong type or outside its bounds fails the test that says it."""
    await rest("PUT", path(server), [CHAT])
    with pytest.raises(AssertionError):
        channel.slash(ann, "chat", **options)


async def test_subcommands(server: DiscordServer, bot: Bot, channel: Channel, ann: User) -> None:
    """Their options are nested as registered."""
    sub = {"type": 1, "name": "set", "description": "a", "options": option()["options"]}
    await bot.rest("PUT", path(server), [{"name": "model", "description": "a", "options": [sub]}])
    found = channel.slash(ann, "model set", a="x").data
    (inner,) = found["options"]
    assert (inner["name"], inner["type"]) == ("set", 1)
    assert inner["options"] == [{"name": "a", "type": 3, "value": "x"}]


async def test_where_a_command_is_offered(
    server: DiscordServer, rest: Rest, guild: Guild, ann: User, bob: User
) -> None:
    """In guilds with the bot, its DMs, and everywhere else by who has installed the app."""
    await rest("PUT", path(server), [CHAT])
    channel = guild.channel("general")
    elsewhere = server.guild("Elsewhere", bob, members=[ann], has_bot=False).channel("general")
    group = server.private(ann, bob, server.user("Eve"))
    for place in (elsewhere, group):
        with pytest.raises(AssertionError, match="not installed"):
            place.slash(ann, "chat", prompt="x")
    ann.has_installed = True
    places = [channel, server.direct(ann), elsewhere, group, server.private(ann, bob)]
    asked = [place.slash(ann, "chat", prompt="x").payload for place in places]
    me = str(ann.id)
    owners = [item["authorizing_integration_owners"] for item in asked]
    assert owners == [
        {"0": str(guild.id), "1": me},
        {"0": "0", "1": me},
        {"1": me},
        {"1": me},
        {"1": me},
    ]
    assert [item["context"] for item in asked] == [0, 1, 0, 2, 2]
    assert [("member" in item, "user" in item) for item in asked[:2]] == [
        (True, False),
        (False, True),
    ]
    assert [item["channel"]["type"] for item in asked] == [0, 1, 0, 3, 1]
    await rest("PUT", path(server), [CHAT | {"contexts": [0]}])
    with pytest.raises(AssertionError, match="not offered"):
        group.slash(ann, "chat", prompt="x")


async def test_commands_for_owners_only(
    server: DiscordServer, rest: Rest, channel: Channel, ann: User, bob: User
) -> None:
    """With default_member_permissions "0" only administrators see them."""
    await rest("PUT", path(server), [CHAT | {"default_member_permissions": "0"}])
    channel.slash(ann, "chat", prompt="x")
    with pytest.raises(AssertionError, match="may not use chat"):
        channel.slash(bob, "chat", prompt="x")


async def test_a_context_menu_hands_over_the_message(
    server: DiscordServer, rest: Rest, channel: Channel, ann: User, bob: User
) -> None:
    """Whole, whatever the intents; people can be chosen too."""
    await rest("PUT", path(server), [{"name": "Ask", "type": 3}, {"name": "Greet", "type": 2}])
    said = channel.say(bob, "Secret")
    data = channel.menu(ann, "Ask", said).data
    assert data["resolved"]["messages"][data["target_id"]]["content"] == "Secret"
    data = channel.menu(ann, "Greet", bob).data
    assert data["resolved"]["users"][data["target_id"]]["username"] == "bob"
