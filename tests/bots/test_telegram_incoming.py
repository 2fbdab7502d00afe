"""What an update means, and that no update whatever makes it fail."""

from typing import Any

import pytest
import telegram
from hypothesis import given, settings
from hypothesis import strategies as st

import bots.telegram  # noqa: F401 - sets the SDK up
from bots.telegram.incoming import incoming
from core.types import Incoming, Quoted, Voice

Json = dict[str, Any]

ME = telegram.User(7, "Causerie", is_bot=True, username="causerie_bot")
ANN: Json = {"id": 5_000_000_001, "is_bot": False, "first_name": "Ann", "last_name": "Lee"}
BOT: Json = {"id": 7, "is_bot": True, "first_name": "Causerie", "username": "causerie_bot"}
PRIVATE: Json = {"id": 5_000_000_001, "type": "private", "first_name": "Ann"}
GROUP: Json = {"id": -1001, "type": "supergroup", "title": "Friends"}
VOICE: Json = {"file_id": "V1", "file_unique_id": "v", "duration": 3, "file_size": 900}
FILE: Json = {"file_id": "D", "file_unique_id": "d"}


def read(message: Json, *, chat: Json = PRIVATE, sender: Json | None = ANN) -> Incoming | None:
    """Return what becomes of a message."""
    fields = {"message_id": 11, "date": 1_800_000_000, "chat": chat, **message}
    if sender:
        fields["from"] = sender
    return incoming(telegram.Update.de_json({"update_id": 900, "message": fields}), ME)


def heard(message: Json, *, chat: Json = PRIVATE, sender: Json | None = ANN) -> Incoming:
    """Return what becomes of a message that is for the bot."""
    found = read(message, chat=chat, sender=sender)
    assert found is not None
    return found


def mention(text: str, name: str = "@causerie_bot") -> Json:
    """Return a text with its first mention marked."""
    offset = len(text[: text.index(name)].encode("utf-16-le")) // 2
    return {
        "text": text,
        "entities": [{"type": "mention", "offset": offset, "length": len(name)}],
    }


def quote(sender: Json = ANN, **fields: Any) -> Json:
    """Return a message that is replied to."""
    return {"message_id": 10, "date": 1_700_000_000, "chat": GROUP, "from": sender, **fields}


def test_a_private_message_carries_all_that_is_needed_to_answer_it() -> None:
    """The stored row is enough to answer."""
    found = heard({"text": "Hello"})
    assert found.event == "7:900:11"
    assert (found.chat.platform, found.chat.ref) == ("telegram", "5000000001")
    assert found.chat.is_private
    assert (found.person.id, found.person.name) == ("telegram:5000000001", "Ann Lee")
    assert (found.text, found.message, found.sent_at) == ("Hello", "11", 1_800_000_000_000)
    assert (found.voice, found.quoted, found.unreadable) == (None, None, "")
    assert not found.is_partial


@pytest.mark.parametrize("chat", [GROUP, PRIVATE])
def test_a_topic_is_a_chat_of_its_own(chat: Json) -> None:
    """Topics have their own address, in groups as in private chats."""
    message = {"text": "/help", "message_thread_id": 44, "is_topic_message": True}
    assert heard(message, chat=chat).chat.ref == f"{chat['id']}/44"


def test_a_thread_of_replies_is_no_topic() -> None:
    """Only forum topics are told apart; a reply thread belongs to the group's chat."""
    assert heard({"text": "/help", "message_thread_id": 44}, chat=GROUP).chat.ref == "-1001"


@pytest.mark.parametrize(
    ("message", "text"),
    [
        (mention("@causerie_bot what is it?"), "what is it?"),
        (mention("@Causerie_Bot, what is it?", "@Causerie_Bot"), "what is it?"),
        (mention("what is it, @causerie_bot"), "what is it,"),
        (mention("ask @causerie_bot about it"), "ask @causerie_bot about it"),
        (mention("😀😀 what is it? @causerie_bot"), "😀😀 what is it?"),
        (mention("@causerie_bot"), ""),
        (mention("@causerie_bot /help"), "/help"),
        ({"text": "/help"}, "/help"),
        ({"text": "/unheard_of it"}, "/unheard_of it"),
        ({"text": "/model@causerie_bot gpt\nnow"}, "/model gpt\nnow"),
        ({"text": "/model@CAUSERIE_BOT"}, "/model"),
        ({"text": "Why?", "reply_to_message": quote(BOT, text="So.")}, "Why?"),
        (
            {
                "text": "Bot, hi",
                "entities": [{"type": "text_mention", "offset": 0, "length": 3, "user": BOT}],
            },
            "hi",
        ),
    ],
)
def test_in_groups_it_answers_when_addressed(message: Json, text: str) -> None:
    """A mention, a reply to the bot and a command address it; outer mentions are taken out."""
    assert heard(message, chat=GROUP).text == text


@pytest.mark.parametrize(
    "message",
    [
        {"text": "Hello all"},
        {"text": "causerie_bot is nice"},
        mention("@causerie_bot2 hello", "@causerie_bot2"),
        {"text": "/help@other_bot"},
        {"text": "/help@other_bot", "reply_to_message": quote(BOT, text="So.")},
        {"text": "/path/to/file"},
        {"text": "Why?", "reply_to_message": quote(text="So.")},
        {
            "text": "First!",
            "reply_to_message": quote(BOT, forum_topic_created={"name": "Topic", "icon_color": 1}),
        },
        {"voice": VOICE},
        {"text": "hi", "entities": [{"type": "text_mention", "offset": 0, "length": 2}]},
    ],
)
def test_in_groups_it_keeps_out_of_what_others_say(message: Json) -> None:
    """Nothing else in a group is for the bot; a topic's opening is no reply to it."""
    assert read(message, chat=GROUP) is None


@pytest.mark.parametrize(
    "message",
    [
        {"new_chat_members": [ANN]},
        {"pinned_message": quote(text="So.")},
        {"migrate_to_chat_id": -1002},
        {"forum_topic_created": {"name": "Topic", "icon_color": 1}},
        {"new_chat_title": "Ours"},
        {},
    ],
)
@pytest.mark.parametrize("chat", [GROUP, PRIVATE])
def test_service_messages_are_nothing_to_answer(message: Json, chat: Json) -> None:
    """What the server says about the chat is not for the bot."""
    assert read(message, chat=chat) is None


def test_bots_and_channels_are_not_answered() -> None:
    """Messages of bots, of the bot itself and channel posts are left alone."""
    assert read({"text": "/help"}, sender={**BOT, "id": 8}, chat=GROUP) is None
    assert read({"text": "/help"}, sender=BOT) is None
    assert read({"text": "/help"}, sender=None) is None
    assert read({"text": "/help"}, chat={"id": -5, "type": "channel"}) is None
    forwarded = {"text": "/help", "is_automatic_forward": True, "sender_chat": GROUP}
    assert read(forwarded, chat=GROUP) is None


def test_other_kinds_of_update_are_nothing_to_answer() -> None:
    """Channels and unknown kinds of update mean nothing here; an edit is a message."""
    message = {"message_id": 1, "date": 1, "chat": PRIVATE, "from": ANN, "text": "Hello"}
    for kind in ("edited_message", "channel_post", "sent_by_pigeon"):
        update = telegram.Update.de_json({"update_id": 1, kind: message})
        assert bool(incoming(update, ME)) == (kind == "edited_message")


def test_an_anonymous_administrator_is_the_group() -> None:
    """Who writes on behalf of a chat is known by that chat."""
    anonymous = {"id": 1087968824, "is_bot": True, "first_name": "Group"}
    found = heard({"text": "/help", "sender_chat": GROUP}, sender=anonymous, chat=GROUP)
    assert (found.person.id, found.person.name) == ("telegram:-1001", "Friends")


def test_names_are_one_bounded_line() -> None:
    """A name cannot break the prompt it stands in."""
    sender = {"id": 1, "is_bot": False, "first_name": "A\nB\u2028" + "c" * 90, "last_name": "\0"}
    name = heard({"text": "hi"}, sender=sender).person.name
    assert name.startswith("A B c")
    assert len(name) == 64
    nameless = {"id": 1, "is_bot": False, "first_name": "", "username": "ghost"}
    assert heard({"text": "hi"}, sender=nameless).person.name == "ghost"


@pytest.mark.parametrize(
    ("message", "voice"),
    [
        ({"voice": VOICE}, Voice(ref="V1", seconds=3.0, size=900, mime="audio/ogg")),
        (
            {"audio": {**VOICE, "mime_type": "audio/mpeg", "file_name": "a.mp3"}},
            Voice(ref="V1", seconds=3.0, size=900, mime="audio/mpeg", name="a.mp3"),
        ),
        (
            {"video_note": {**VOICE, "length": 240}},
            Voice(ref="V1", seconds=3.0, size=900, mime="video/mp4"),
        ),
        ({"document": {**FILE, "mime_type": "audio/flac"}}, Voice(ref="D", mime="audio/flac")),
        ({"document": {**FILE, "file_name": "A.OGG"}}, Voice(ref="D", name="A.OGG")),
    ],
)
def test_recordings_are_heard(message: Json, voice: Voice) -> None:
    """Voice notes, audio files, video notes and audio sent as a file are recordings."""
    found = heard({**message, "caption": "listen"})
    assert (found.voice, found.text, found.unreadable) == (voice, "listen", "")


@pytest.mark.parametrize(
    ("message", "words"),
    [
        (
            {"photo": [{"file_id": "p", "file_unique_id": "p", "width": 1, "height": 1}]},
            "a picture",
        ),
        (
            {
                "document": {"file_id": "d", "file_unique_id": "d"},
                "animation": {**VOICE, "width": 1, "height": 1},
            },
            "an animation",
        ),
        ({"document": {"file_id": "d", "file_unique_id": "d"}}, "a document"),
        ({"video": {**VOICE, "width": 1, "height": 1}}, "a video"),
        ({"contact": {"phone_number": "1", "first_name": "Bo"}}, "a contact"),
        ({"rich_message": {"blocks": [{}]}}, "a richly formatted message"),
    ],
)
def test_what_cannot_be_read_is_named(message: Json, words: str) -> None:
    """A person who sends a picture hears about it, and its caption counts."""
    found = heard({**message, "caption": "see?"})
    assert (found.unreadable, found.text) == (words, "see?")


def test_a_caption_mentions_the_bot_as_a_text_does() -> None:
    """In a group a caption addresses the bot; a bare mention under a voice note is no text."""
    fields = mention("@causerie_bot")
    message = {"voice": VOICE, "caption": fields["text"], "caption_entities": fields["entities"]}
    found = heard(message, chat=GROUP)
    assert (found.text, found.voice and found.voice.ref) == ("", "V1")


@pytest.mark.parametrize(
    ("message", "quoted"),
    [
        ({"reply_to_message": quote(text="So.")}, Quoted(name="Ann Lee", text="So.")),
        ({"reply_to_message": quote(BOT, text="So.")}, Quoted(text="So.")),
        (
            {"reply_to_message": quote(sender_chat=GROUP, caption="Look")},
            Quoted(name="Friends", text="Look"),
        ),
        (
            {"reply_to_message": quote(voice=VOICE)},
            Quoted(
                name="Ann Lee",
                voice=Voice(ref="V1", seconds=3.0, size=900, mime="audio/ogg"),
            ),
        ),
        (
            {
                "reply_to_message": quote(text="One. Two."),
                "quote": {"text": "Two.", "position": 5},
            },
            Quoted(name="Ann Lee", text="Two."),
        ),
        ({"reply_to_message": quote(new_chat_title="Ours")}, None),
        ({"quote": {"text": "", "position": 0}}, None),
    ],
)
def test_a_reply_quotes_what_it_answers(message: Json, quoted: Quoted | None) -> None:
    """The answer is given knowing what was replied to, or the chosen fragment of it."""
    assert heard({"text": "Why?", **message}).quoted == quoted


@pytest.mark.parametrize(
    ("origin", "name"),
    [
        ({"type": "user", "sender_user": ANN}, "Ann Lee"),
        ({"type": "hidden_user", "sender_user_name": "Bo"}, "Bo"),
        ({"type": "chat", "sender_chat": GROUP}, "Friends"),
        ({"type": "channel", "chat": {"id": -9, "type": "channel", "title": "News"},
          "message_id": 3}, "News"),
        ({"type": "sent_by_pigeon"}, ""),
    ],
)  # fmt: skip
def test_a_quote_from_elsewhere_names_its_origin(origin: Json, name: str) -> None:
    """A reply may quote another chat."""
    external = {"origin": {"date": 1, **origin}, "voice": VOICE}
    found = heard({"text": "?", "external_reply": external, "quote": {"text": "x", "position": 0}})
    assert found.quoted is not None
    assert (found.quoted.name, found.quoted.text) == (name, "x")
    assert found.quoted.voice is not None


@pytest.mark.parametrize(
    ("message", "is_partial"),
    [
        ({"text": "a" * 3999}, False),
        ({"text": "a" * 4000}, True),
        ({"text": "😀" * 2000}, True),
        ({"caption": "x", "voice": VOICE, "media_group_id": "g"}, True),
    ],
)
def test_a_split_paste_announces_its_next_part(message: Json, *, is_partial: bool) -> None:
    """A message as long as a client's pieces of a paste is followed by the next piece."""
    assert heard(message).is_partial is is_partial


def test_text_can_be_stored() -> None:
    """Half characters and NUL, which no database takes, are replaced."""
    text = heard({"text": "a\0b\ud83dc"}).text
    assert text == "a b\ufffdc"


def test_a_duration_in_plain_seconds_is_understood(monkeypatch: pytest.MonkeyPatch) -> None:
    """An owner may have set the SDK's PTB_TIMEDELTA otherwise."""
    monkeypatch.setenv("PTB_TIMEDELTA", "0")
    with pytest.warns(DeprecationWarning, match="PTB_TIMEDELTA"):
        voice = heard({"voice": VOICE}).voice
    assert voice is not None
    assert voice.seconds == 3.0


NASTY = st.text(
    st.sampled_from("/@ab_causerie_bot \n\0😀é\ud83d\u2028,:") | st.characters(), max_size=40
) | st.sampled_from(["@causerie_bot", "/help@causerie_bot hi", "/a@b", "/", "@", ""])
NUMBER = st.integers(-(2**53), 2**53)
SMALL = st.integers(-50, 50)


def some(required: Json, optional: Json) -> st.SearchStrategy[Json]:
    """Return objects with all of some fields and any of others."""
    return st.fixed_dictionaries(required, optional=optional)


USERS = some(
    {"id": st.just(7) | NUMBER, "is_bot": st.booleans(), "first_name": NASTY},
    {"last_name": NASTY, "username": NASTY},
)
CHATS = some(
    {"id": NUMBER, "type": st.sampled_from(["private", "group", "supergroup", "channel", "x"])},
    {"title": NASTY, "first_name": NASTY},
)
ENTITIES = st.lists(
    some(
        {
            "type": st.sampled_from(["mention", "text_mention", "bot_command", "bold", "new"]),
            "offset": SMALL,
            "length": SMALL,
        },
        {"user": USERS},
    ),
    max_size=4,
)
FILES = some(
    {"file_id": NASTY, "file_unique_id": NASTY, "duration": st.integers(0, 10**9)},
    {"file_size": NUMBER, "mime_type": NASTY | st.just("audio/x")},
)
MEDIA: Json = {
    "text": NASTY,
    "caption": NASTY,
    "entities": ENTITIES,
    "caption_entities": ENTITIES,
    "voice": FILES,
    "audio": FILES,
    "document": some(
        {"file_id": NASTY, "file_unique_id": NASTY},
        {"mime_type": NASTY | st.just("audio/x"), "file_name": NASTY},
    ),
    "sender_chat": CHATS,
    "from": USERS,
    "media_group_id": NASTY,
    "message_thread_id": NUMBER,
    "is_topic_message": st.booleans(),
    "is_automatic_forward": st.booleans(),
    "forum_topic_created": some({"name": NASTY, "icon_color": SMALL}, {}),
    "api_kwargs_of_tomorrow": st.none() | NASTY,
    "rich_message": some({}, {"blocks": st.just([{}])}),
}
BASE: Json = {"message_id": NUMBER, "date": st.integers(0, 2**33), "chat": CHATS}
MESSAGES = some(
    BASE,
    {
        **MEDIA,
        "reply_to_message": some(BASE, MEDIA),
        "quote": some({"text": NASTY, "position": SMALL}, {}),
        "external_reply": some(
            {"origin": some({"type": NASTY, "date": st.integers(0, 2**33)}, {})}, {"voice": FILES}
        ),
    },
)


@settings(max_examples=200, deadline=None)
@given(MESSAGES)
def test_no_update_makes_it_fail(message: Json) -> None:
    """Whatever an update holds, it is understood or left alone, and what it says is storable."""
    update = telegram.Update.de_json({"update_id": 1, "message": message})
    found = incoming(update, ME)
    if found is not None:
        assert found.text or found.voice or found.unreadable
        for text in (found.text, found.person.name, found.chat.title):
            assert "\0" not in text.encode().decode()
