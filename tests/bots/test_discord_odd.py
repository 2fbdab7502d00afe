"""That nothing Discord may send makes reading it fail."""

import contextlib
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from bots.discord import menu
from bots.discord.incoming import MALFORMED, from_interaction, from_message, wants_thread
from core.types import Incoming, Quoted
from tests.bots import discord_objects as made
from tests.bots.discord_objects import (
    ADMINS_ID,
    AT_BOT,
    BOT_ID,
    GENERAL_ID,
    GUILD_ID,
    MESSAGE_ID,
    OWN_THREAD_ID,
    Json,
    World,
    chosen,
    file,
    forward,
    on_server,
    reply,
    typed,
)

WORLD = World()


def some(required: Json, optional: Json | None = None) -> st.SearchStrategy[Json]:
    """Return objects with all of some fields and any of others."""
    return st.fixed_dictionaries(required, optional=optional or {})


ROLE = made.role(ADMINS_ID, "Admins: x discord:9")
NASTY = st.text(
    st.sampled_from("<@!&#:t0123456789>`/, \n\0😀é\ud83d\u2028") | st.characters(), max_size=30
) | st.sampled_from([AT_BOT, f"{AT_BOT} /help <@5>", "<t:99999999999:R>", "<@&>", "```<@700>"])
ID = st.sampled_from([BOT_ID, GUILD_ID, GENERAL_ID, OWN_THREAD_ID, MESSAGE_ID, 2**63]).map(str)
ODD = st.none() | st.booleans() | st.integers() | NASTY | st.lists(NASTY, max_size=2)
USERS = some(
    {"id": ID, "username": NASTY, "discriminator": st.just("0"), "avatar": st.none()},
    {"global_name": st.none() | NASTY, "bot": st.booleans()},
)
FILES = st.lists(
    some(
        {"id": ID, "filename": NASTY, "size": st.integers(0), "url": NASTY, "proxy_url": NASTY},
        {"content_type": st.none() | NASTY | st.just("audio/x"), "duration_secs": st.floats()},
    ),
    max_size=2,
)
EMBEDS = st.lists(some({}, {"title": NASTY, "description": NASTY, "type": NASTY}), max_size=2)
MESSAGES = some(
    {
        "id": ID,
        "channel_id": ID,
        "type": st.sampled_from([0, 19, 7, 999]),
        "author": USERS,
        "content": NASTY,
        "mentions": st.lists(USERS, max_size=2),
        "mention_roles": st.lists(ID, max_size=2),
    },
    {
        "guild_id": ID,
        "member": some({"roles": st.lists(ID, max_size=2), "flags": st.just(0)}, {"nick": NASTY}),
        "attachments": FILES,
        "embeds": EMBEDS,
        "activity": some({"type": st.just(1)}),
    },
)
REPLIES = st.builds(
    lambda message, to: {**message, **reply(to, message["content"])}, MESSAGES, MESSAGES
)
FORWARDS = st.builds(
    lambda message, held: {**message, **forward(held)},
    MESSAGES,
    some({}, {"content": NASTY, "attachments": FILES, "embeds": EMBEDS}),
)


def check(found: Incoming | None) -> None:
    """Assert that what was read can be answered and stored."""
    if found is None:
        return
    quoted = found.quoted or Quoted()
    refs = [voice.ref for voice in (found.voice, quoted.voice) if voice]
    said = (found.text, found.person.name, found.chat.title, quoted.text, quoted.name)
    for text in (*said, *refs):
        assert "\0" not in text.encode().decode()


@settings(max_examples=200, deadline=None)
@given(message=MESSAGES | REPLIES | FORWARDS, may_read_all=st.booleans())
def test_no_message_makes_it_fail(message: Json, *, may_read_all: bool) -> None:
    """Whatever a message holds, it is understood or left alone, and what it says is storable."""
    check(from_message(WORLD.message(message), WORLD.me, may_read_all=may_read_all))


@settings(max_examples=200, deadline=None)
@given(st.data())
def test_malformed_messages_fail_as_announced(data: st.DataObject) -> None:
    """What does not follow the documentation raises nothing but what callers expect."""
    message = {**data.draw(MESSAGES | REPLIES), "type": 0}
    message[data.draw(st.sampled_from(sorted(message)))] = data.draw(ODD)
    with contextlib.suppress(*MALFORMED):
        from_message(WORLD.message(message), WORLD.me)


COMMANDS = st.builds(
    lambda name, values: typed(name, values, attachments=[file("a.mp3")], roles=[ROLE]),
    st.sampled_from(["chat", "settings", "transcribe", "approve", "gone"]),
    st.dictionaries(
        st.sampled_from(["prompt", "file", "who", "group", "place", "recording"]),
        st.sampled_from(["33", str(ADMINS_ID)]) | ODD,
    ),
)
CHOICES = st.builds(chosen, st.sampled_from([menu.ASK, menu.TRANSLATE]), MESSAGES)


@settings(max_examples=200, deadline=None)
@given(COMMANDS | CHOICES, st.data())
def test_malformed_interactions_fail_as_announced(data: Json, spoil: st.DataObject) -> None:
    """The same holds for commands and menus, whose data the SDK does not look into."""
    field: Any = spoil.draw(st.sampled_from(sorted(data)))
    if spoil.draw(st.booleans()):
        data = {**data, field: spoil.draw(ODD)}
    event = WORLD.interaction(on_server(data))
    with contextlib.suppress(*MALFORMED):
        check(from_interaction(event, BOT_ID, ticket="T"))
    with contextlib.suppress(*MALFORMED):
        wants_thread(event)
