"""Every command, as a person gives it."""

import re

import pytest

from core.commands import COMMANDS, kind_of, split
from core.protocols import Store
from core.types import Chat, Person
from tests.core.house import OFFICE, OWNER, House
from tests.core.stand_ins import ANN, BOB, CHAT, GROUP, StandInModel, incoming, saying

# A room of a house whose host is Hal; Bob is one of its guests.
ROOM = Chat(platform="desk", ref="30", is_private=False, title="Kitchen", places=("desk:3",))
HAL = Person(id="desk:6", name="Hal", is_host=True)
GUEST = Person(id=BOB.id, name="Bob", groups=("desk:77",))


@pytest.fixture
def clock() -> None:
    """Time passes in the store."""


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("/new", ("new", "")),
        ("  /New  ", ("new", "")),
        ("/translate  guten\nTag ", ("translate", "guten\nTag")),
        ("/translate\nguten Tag", ("translate", "guten Tag")),
        ("/translate\tguten", ("translate", "guten")),
        ("/set_it", ("set_it", "")),
        ("hello /new", ("", "")),
        ("/usr/bin is a folder", ("", "")),
        ("/", ("", "")),
        ("/ new", ("", "")),
        ("", ("", "")),
        ("   ", ("", "")),
    ],
)
def test_a_command_is_told_from_a_message(text: str, expected: tuple[str, str]) -> None:
    """A command is a slash and a word at the beginning; the rest are its arguments."""
    assert split(text) == expected


def test_kinds() -> None:
    """Only /stop acts ahead of the queue, whatever stands behind it."""
    texts = ("hi", "/new", "/stop", "/STOP now", "/stopping")
    kinds = ["message", "command", "stop", "stop", "command"]
    assert [kind_of(incoming(1, text)) for text in texts] == kinds
    kinds[0] = "question"
    assert [kind_of(incoming(1, text, is_alone=True)) for text in texts] == kinds


def test_names_suit_every_platform() -> None:
    """Names are short lower-case words, helps short lines: the strictest menu takes them."""
    for command in COMMANDS:
        assert re.fullmatch(r"[a-z]{1,32}", command.name)
        assert 1 <= len(command.help) <= 100


async def test_owners_cannot_be_kept_out(store: Store) -> None:
    """To deny an owner would change nothing, and says so."""
    house = House(store=store)
    async with house.running():
        answer = await house.ask(f"/deny {OWNER.id}", chat=OFFICE, person=OWNER)
    assert answer == "Owners may always; the setting OWNERS says who they are."


async def test_start_and_help(store: Store) -> None:
    """Help lists every command a person may use, with its arguments; both say how to be heard."""
    house = House(store=store)
    async with house.running():
        assert (await house.ask("/start")).startswith("Hello Ann! Write or speak to me, and I ")
        assert "! Mention me, or reply to me, and I" in await house.ask("/start", chat=GROUP)
        text = await house.ask("/help")
        everything = await house.ask("/help", chat=OFFICE, person=OWNER)
    assert "- /model `[name]`: choose the model" in text
    assert "- /new: start afresh" in text
    assert "/approve" not in text
    assert all(f"/{command.name}" in everything for command in COMMANDS)


async def test_an_unknown_command(store: Store) -> None:
    """It is told so in private; in a group it may be meant for another bot."""
    house = House(store=store)
    async with house.running():
        await house.say("/frobnicate", chat=GROUP)
        assert await house.ask("hi", chat=GROUP) == "You said: hi"
        assert "I do not know /frobnicate" in await house.ask("/frobnicate now")


async def test_new_forgets(store: Store) -> None:
    """The next prompt knows nothing of what was said."""
    house = House(store=store)
    async with house.running():
        await house.ask("secret")
        assert (await house.ask("/new")).startswith("A new start")
        await house.ask("hi")
    assert [m.content for m in house.model.prompts[-1]] == ["Be kind.", "hi"]


async def test_choosing_a_model(store: Store) -> None:
    """The choices are shown with the present one; a wrong name changes nothing.

    Capital letters matter only between names that are the same without.
    """
    house = House(store=store, models=("a", "b", "A"))
    async with house.running():
        assert "- `a` (now)\n- `b`" in await house.ask("/model")
        assert await house.ask("/model A") == "From now on `A` answers here."
        assert (await house.ask("/model c")).startswith("I do not know that model.")
        assert await house.ask("/model B") == "From now on `b` answers here."
        assert "- `a`\n- `b` (now)\n- `A`" in await house.ask("/model")
        assert "- `a` (now)" in await house.ask("/model", chat=GROUP)


async def test_choosing_a_persona(store: Store) -> None:
    """The chosen persona speaks in this chat from the next answer on."""
    house = House(store=store)
    async with house.running():
        assert "- `default` (now)\n- `brief`" in await house.ask("/persona")
        assert (await house.ask("/persona x")).startswith("I do not know that persona.")
        assert await house.ask("/persona Brief") == "From now on I am `brief` here."
        await house.ask("hi")
        assert "- `brief` (now)" in await house.ask("/persona")
    assert house.model.prompts[-1][0].content == "Be brief."


async def test_a_persona_that_is_gone_counts_as_the_default(store: Store) -> None:
    """A chat that chose what no longer exists goes on."""
    house = House(store=store)
    async with house.running():
        await house.ask("/persona brief")
    later = House(store=store, prompts={"default": "Be kind."}, first=10)
    async with later.running():
        await later.ask("hi")
    assert later.model.prompts[-1][0].content == "Be kind."


async def test_context_adds_up(store: Store) -> None:
    """Persona, summary, kept messages and room left are together what the model takes."""
    house = House(store=store, model=StandInModel(saying("word " * 100)), context_tokens=1024)
    async with house.running():
        for number in range(12):
            await house.ask(f"m{number}")
        text = await house.ask("/context")
    total = int(re.findall(r"Of ([\d,]+) tokens, `gpt-4o` will see", text)[0].replace(",", ""))
    rows = {
        name: int(count.replace(",", ""))
        for name, count in re.findall(r"- (.+): ([\d,]+) tokens", text)
    }
    assert sum(rows.values()) == total
    assert rows["summary of what came earlier"] > 20
    [kept] = [name for name in rows if name.endswith("messages kept word for word")]
    assert int(kept.split()[0]) >= 2
    assert "A reply may take" in text


async def test_id(store: Store) -> None:
    """The ids as OWNERS and ALLOWED want them; of a topic, its whole chat's."""
    house = House(store=store, mode="closed")
    topic = Chat(platform="desk", ref="-7/3", is_private=False)
    async with house.running():
        assert await house.ask("/id") == "You are `desk:1`."
        assert await house.ask("/id", chat=topic) == "You are `desk:1`.\nThis chat is `desk:-7`."
        text = await house.ask("/id", chat=ROOM)
        assert text.endswith("This chat is `desk:30`.\nIt is a part of `desk:3`.")


@pytest.mark.parametrize("text", ["/approve 1", "/deny 1", "/users"])
async def test_owners_commands_are_theirs(store: Store, text: str) -> None:
    """Nobody else can use them."""
    house = House(store=store)
    async with house.running():
        assert await house.ask(text) == f"{text.split(maxsplit=1)[0]} is for my owner only."


async def test_letting_somebody_in_and_out(store: Store) -> None:
    """An owner decides by code or id; the person is told when it is good news."""
    house = House(store=store, mode="pairing")
    async with house.running():
        await house.ask("/users", chat=OFFICE, person=OWNER)
        assert "I do not know you yet" in await house.ask("let me in")
        await house.bot.until(3)
        code = re.findall(r"/approve (\w+)", house.bot.texts(OFFICE)[-1])[0]
        assert code in house.bot.texts(CHAT)[-1]
        await house.say(f"/approve {code.lower()}", chat=OFFICE, person=OWNER)
        await house.bot.until(5)
        assert house.bot.texts(OFFICE)[-1] == "Ann (`desk:1`) may talk to me now."
        assert house.bot.texts(CHAT)[-1].startswith("My owner has let you in.")
        assert await house.ask("hi") == "You said: hi"
        users = await house.ask("/users", chat=OFFICE, person=OWNER)
        assert users == "- Ann (`desk:1`): approved\n- Olga (`desk:9`): owner"
        text = await house.ask(f"/deny {ANN.id}", chat=OFFICE, person=OWNER)
        assert text == "Ann (`desk:1`) may not talk to me."
        assert (await house.ask("hi")).startswith("I only talk to people")
        assert "know nobody" in await house.ask("/deny 404", chat=OFFICE, person=OWNER)
        assert "Write the code" in await house.ask("/approve", chat=OFFICE, person=OWNER)
    assert len(house.model.prompts) == 1


async def test_users_without_a_decision(store: Store) -> None:
    """Who may talk without a decision is listed as such."""
    house = House(store=store)
    async with house.running():
        await house.ask("hi")
        assert "- Ann (`desk:1`): no decision" in await house.ask(
            "/users", chat=OFFICE, person=OWNER
        )


async def test_a_long_list_of_users_is_a_file(store: Store) -> None:
    """Who waits for a decision comes first; a flood of strangers is no flood of messages."""
    house = House(store=store, mode="pairing")
    for number in range(100, 160):
        passer = Person(id=f"desk:{number}", name="Eve")
        await house.put("/elsewhere", kind="command", chat=GROUP, person=passer)
    zoe = Person(id="desk:8", name="Zoe")
    async with house.running():
        assert "this code" in await house.ask("hi", person=zoe)
        text = await house.ask("/users", chat=OFFICE, person=OWNER)
    lines = text.splitlines()
    assert lines[0] == "- Zoe (`desk:8`): asked"
    assert lines[50:] == ["- and 12 more: the file lists everybody"]
    [file] = house.bot.files
    assert file.data.decode().splitlines()[-1] == "Olga (desk:9): owner"
    assert len(file.data.splitlines()) == 62


async def test_a_host_lets_groups_in(store: Store) -> None:
    """A host who may talk says who else may in that place; there only, and until taken back."""
    house = House(store=store, mode="closed", allowed=[HAL.id])
    async with house.running():
        assert "only talk to people" in await house.ask("hi", chat=ROOM, person=GUEST)
        assert "Only people whom" in await house.ask("/settings", chat=ROOM, person=HAL)
        text = await house.ask("/settings allow desk:77 Best of 2026", chat=ROOM, person=HAL)
        assert text.endswith("\n\n- Best of 2026 (`desk:77`)")
        assert await house.ask("hi", chat=ROOM, person=GUEST) == "You said: hi"
        assert "only talk to people" in await house.ask("hi", chat=ROOM, person=ANN)
        elsewhere = Chat(platform="desk", ref="40", is_private=False, places=("desk:4",))
        assert "only talk to people" in await house.ask("hi", chat=elsewhere, person=GUEST)
        text = await house.ask("/settings forbid desk:77", chat=ROOM, person=HAL)
        assert text.startswith("Only people whom")
        assert "only talk to people" in await house.ask("hi", chat=ROOM, person=GUEST)


async def test_a_host_lets_whole_chats_in(store: Store) -> None:
    """Without a name it is the chat at hand; several can be named at once."""
    house = House(store=store, mode="closed", allowed=[HAL.id])
    async with house.running():
        assert "- Kitchen (`desk:30`)" in await house.ask("/settings allow", chat=ROOM, person=HAL)
        assert await house.ask("hi", chat=ROOM, person=ANN) == "You said: hi"
        text = await house.ask("/settings forbid desk:30", chat=ROOM, person=HAL)
        assert "only talk to people" in await house.ask("hi", chat=ROOM, person=ANN)
        text = await house.ask(
            "/settings Allow\ndesk:77 The a: team desk:31 hall", chat=ROOM, person=HAL
        )
        assert text.endswith("\n\n- The a: team (`desk:77`)\n- hall (`desk:31`)")
        assert "Say what to change: `/settings allow`" in await house.ask(
            "/settings what", chat=ROOM, person=HAL
        )


async def test_settings_are_for_hosts(store: Store) -> None:
    """A host who is no guest of ours cannot let anybody in, nor can a guest; owners can."""
    house = House(store=store, mode="closed", allowed=[GUEST.id])
    async with house.running():
        assert "only talk to people" in await house.ask("/settings allow", chat=ROOM, person=HAL)
        text = await house.ask("/settings allow", chat=ROOM, person=GUEST)
        assert text == "/settings is for my owner, and on a server for those who run it."
        assert "/settings" not in await house.ask("/help", chat=ROOM, person=GUEST)
        assert "desk:30" in await house.ask("/settings allow", chat=ROOM, person=OWNER)
        text = await house.ask("/settings allow", chat=OFFICE, person=OWNER)
        assert text == "There is nothing to set in a private chat."


async def test_what_the_platform_waits_for_is_always_answered(store: Store) -> None:
    """A command nobody knows gets a sentence where only this bot can be meant."""
    house = House(store=store)
    async with house.running():
        text = await house.ask("/frobnicate", chat=GROUP, is_alone=True)
        assert text.startswith("I do not know /frobnicate")
