"""What Discord's slash commands and menus mean."""

import pytest

from bots.discord import menu
from bots.discord.incoming import ASKED, from_interaction, wants_thread
from core.types import Document, Incoming, Voice
from tests.bots import discord_objects as made
from tests.bots.discord_objects import (
    ADMINS_ID,
    ANN_ID,
    BO_ID,
    BOT_ID,
    GENERAL_ID,
    GUILD_ID,
    KEPT,
    MESSAGE_ID,
    PICTURE,
    SPOKEN,
    THREAD_ID,
    Json,
    World,
    chosen,
    direct,
    file,
    interaction,
    on_server,
    public,
    typed,
)

WORLD = World()


def called(payload: Json) -> Incoming | None:
    """Return what becomes of an interaction."""
    return from_interaction(WORLD.interaction(payload), BOT_ID, ticket="T")


def answered(payload: Json) -> Incoming:
    """Return what becomes of an interaction that is for the bot."""
    found = called(payload)
    assert found is not None
    return found


def test_a_slash_command_carries_all_that_is_needed_to_answer_it() -> None:
    """An interaction is a message of its own, answered through its ticket."""
    found = answered(interaction(typed("chat", {"prompt": "Hello"})))
    assert found.event == f"{BOT_ID}:i{MESSAGE_ID}"
    assert (found.chat.ref, found.chat.is_private) == (str(made.DM_ID), True)
    assert (found.person.id, found.person.name) == (f"discord:{ANN_ID}", "Ann Lee")
    assert (found.text, found.message, found.sent_at) == ("Hello", "T", 1_767_225_600_123)
    assert found.is_alone


@pytest.mark.parametrize(
    "place",
    [
        {"channel": {"id": "5", "type": 1}, "context": 2},
        {"channel": {"id": "5", "type": 3, "name": None, "owner_id": "5"}, "context": 2},
        {"channel": {"id": "5", "type": 1}},
    ],
)
def test_other_peoples_private_chats_are_not_private(place: Json) -> None:
    """Only the bot's own direct messages are one person and the bot."""
    payload = interaction(typed("chat", {"prompt": "Hello"}), **place)
    if "context" not in place:
        del payload["context"]
    chat = answered(payload).chat
    assert (chat.ref, chat.is_private, chat.places) == ("5", False, ())


@pytest.mark.parametrize(
    ("place", "title", "places"),
    [
        (None, "Friends #general", (f"discord:{GUILD_ID}",)),
        (
            made.thread(THREAD_ID, "Plans"),
            "Friends #general > Plans",
            (f"discord:{GENERAL_ID}", f"discord:{GUILD_ID}"),
        ),
    ],
)
def test_a_command_on_a_server_names_its_place(
    place: Json | None, title: str, places: tuple[str, ...]
) -> None:
    """As a message there does."""
    found = answered(on_server(typed("chat", {"prompt": "x"}), place=place))
    assert (found.chat.title, found.chat.places) == (title, places)
    assert (found.person.name, found.person.groups) == ("Annie", (f"discord:{ADMINS_ID}",))


@pytest.mark.parametrize(
    ("place", "title", "places"),
    [
        (None, "#general", ("discord:6",)),
        (made.thread(5, "Far"), "> Far", (f"discord:{GENERAL_ID}", "discord:6")),
    ],
)
def test_a_user_may_bring_the_bot_to_a_server_it_is_no_member_of(
    place: Json | None, title: str, places: tuple[str, ...]
) -> None:
    """The roles and the place are known there all the same."""
    found = answered(on_server(typed("chat", {"prompt": "x"}), guild=6, place=place))
    assert (found.chat.title, found.chat.places) == (title, places)
    assert found.person.groups == (f"discord:{ADMINS_ID}",)


@pytest.mark.parametrize(
    ("payload", "is_host"),
    [
        (on_server(typed("help")), False),
        (on_server(typed("help"), permissions=made.MANAGE_SERVER), True),
        (on_server(typed("help"), permissions=8), True),
        (interaction(typed("help")), False),
    ],
)
def test_permissions_tell_a_host(payload: Json, *, is_host: bool) -> None:
    """Who may manage the server is its host; in private chats there is none."""
    assert answered(payload).person.is_host is is_host


ADMINS = made.role(ADMINS_ID, "Admins: x discord:9")
EVERYONE = made.role(GUILD_ID, "@everyone")
GENERAL = made.channel(GENERAL_ID, "general")


@pytest.mark.parametrize(
    ("data", "text"),
    [
        (typed("help"), "/help"),
        (typed("persona", {"name": "pirate"}), "/persona pirate"),
        (typed("translate", {"text": f"hi <#{GENERAL_ID}>"}), "/translate hi #general"),
        (typed("translate", {"text": "<@5> hi"}, users=[made.user(5, "cy")]), "/translate @cy hi"),
        (typed("approve", {"who": "<@5>"}), "/approve discord:5"),
        (typed("settings", {"change": "allow"}), "/settings allow"),
        (
            typed("settings", {"group": str(ADMINS_ID), "change": "allow"}, roles=[ADMINS]),
            f"/settings allow discord:{ADMINS_ID} @Admins  x discord 9",
        ),
        (
            typed(
                "settings",
                {"place": str(GENERAL_ID), "group": str(GUILD_ID), "change": "forbid"},
                roles=[EVERYONE],
                channels=[GENERAL],
            ),
            f"/settings forbid discord:{GUILD_ID} @everyone discord:{GENERAL_ID} #general",
        ),
        (typed("forgotten", {"x": "y"}), "/forgotten"),
        (typed("chat", {"prompt": "hi", "thread": True}), "hi"),
        (typed("chat", {"prompt": "<@5>"}), "@unknown-user"),
    ],
)
def test_a_slash_command_is_a_spelling_of_text(data: Json, text: str) -> None:
    """It reads as if it had been written, its arguments in the table's order."""
    assert answered(on_server(data)).text == text


def test_a_command_comes_with_its_recording() -> None:
    """It belongs to no message, so that there is no place to ask for it again."""
    voice = Voice(ref="https://cdn/a.mp3?ex=1", size=900, mime="audio/mpeg", name="a.mp3")
    sound = [file("a.mp3", "audio/mpeg")]
    found = answered(interaction(typed("transcribe", {"recording": "33"}, attachments=sound)))
    assert (found.text, found.voice) == ("/transcribe", voice)
    data = typed("chat", {"prompt": "listen", "file": "33"}, attachments=sound)
    assert answered(interaction(data)).voice == voice


def test_a_command_comes_with_a_text_file() -> None:
    """Likewise, and so does the message that was chosen."""
    document = Document(ref="https://cdn/a.log?ex=1", name="a.log", size=900)
    data = typed("chat", {"prompt": "?", "file": "33"}, attachments=[file("a.log")])
    assert answered(interaction(data)).documents == (document,)
    found = answered(interaction(chosen(menu.ASK, direct(attachments=[file("a.log")]))))
    assert (found.text, bool(found.quoted and found.quoted.documents)) == (ASKED, True)


def test_a_file_that_cannot_be_read_is_named() -> None:
    """As it is in a message."""
    data = typed("chat", {"prompt": "see?", "file": "33"}, attachments=[PICTURE])
    found = answered(interaction(data))
    assert (found.text, found.voice, found.unreadable) == ("see?", None, "a picture")


@pytest.mark.parametrize(
    ("name", "text"),
    [
        (menu.ASK, ASKED),
        (menu.TRANSCRIBE, "/transcribe"),
        (menu.TRANSLATE, "/translate"),
    ],
)
def test_a_choice_from_a_messages_menu_quotes_it(name: str, text: str) -> None:
    """The message is treated as one that was replied to, however often it is read."""
    target = public(f"<@{BO_ID}> So.", attachments=[SPOKEN])
    event = WORLD.interaction(on_server(chosen(name, target)))
    for _ in range(2):
        found = from_interaction(event, BOT_ID, ticket="T")
        assert found is not None
        assert (found.text, found.unreadable) == (text, "")
        assert found.quoted is not None
        assert (found.quoted.name, found.quoted.text) == ("Annie", "@bo So.")
        assert found.quoted.voice is not None
        assert found.quoted.voice.ref == f"https://cdn/voice-message.ogg?ex=1 {KEPT}"


@pytest.mark.parametrize(("name", "text"), [(menu.ASK, ""), (menu.TRANSLATE, "/translate")])
def test_of_a_message_without_words_only_what_it_holds_is_named(name: str, text: str) -> None:
    """There is nothing to ask the model then."""
    found = answered(interaction(chosen(name, direct(attachments=[PICTURE]))))
    assert (found.text, found.quoted, found.unreadable) == (text, None, "a picture")


@pytest.mark.parametrize(
    "payload",
    [
        interaction(typed("chat", {"prompt": "x"}), type=4),
        interaction({"name": "Who is this?", "type": 2, "target_id": "5"}),
        interaction(chosen("Unheard of", direct("x"))),
        interaction(typed("chat", {"prompt": "x"}), channel={"id": "5", "type": 99}),
        interaction({}, type=1),
    ],
)
def test_other_interactions_are_left_alone(payload: Json) -> None:
    """Autocompletion is answered elsewhere; the rest is none of the menu's."""
    assert called(payload) is None


THREADED = typed("chat", {"prompt": "x", "thread": True})
MAY: Json = {"app_permissions": str(1 << 35 | 1 << 38)}


@pytest.mark.parametrize(
    ("payload", "is_wanted"),
    [
        (on_server(THREADED, **MAY), True),
        (on_server(THREADED, place=made.channel(made.NEWS_ID, "news", 5), **MAY), True),
        (on_server(typed("chat", {"prompt": "x", "thread": False}), **MAY), False),
        (on_server(typed("help"), **MAY), False),
        (on_server(THREADED, app_permissions=str(1 << 35)), False),
        (on_server(THREADED, app_permissions=str(1 << 38)), False),
        (on_server(THREADED, place=made.thread(THREAD_ID, "Plans"), **MAY), False),
        (on_server(THREADED, place=made.channel(7, "Talk", 2), **MAY), False),
        (on_server(THREADED, authorizing_integration_owners={"1": "5"}, **MAY), False),
        (interaction(THREADED, **MAY), False),
        (interaction(THREADED, channel={"id": "5", "type": 99}, **MAY), False),
    ],
)
def test_a_thread_is_opened_where_that_can_be(payload: Json, *, is_wanted: bool) -> None:
    """In channels that have threads, of servers that installed the bot and let it open them."""
    assert wants_thread(WORLD.interaction(payload)) is is_wanted
