"""What Discord's messages mean."""

import discord
import pytest

from bots.discord.incoming import HIDDEN, from_message
from core.types import Document, Incoming, Quoted, Voice
from tests.bots import discord_objects as made
from tests.bots.discord_objects import (
    ADMINS_ID,
    ANN,
    ANN_ID,
    AT_BOT,
    BO,
    BO_ID,
    BOT,
    BOT_ID,
    BOT_ROLE_ID,
    GENERAL_ID,
    GUILD_ID,
    HOSTS_ID,
    JOINED_ID,
    KEPT,
    MEMBER,
    MESSAGE_ID,
    OWN_THREAD_ID,
    PICTURE,
    ROBOT,
    SPOKEN,
    THREAD_ID,
    Json,
    World,
    direct,
    file,
    forward,
    public,
    reply,
)

WORLD = World()


def read(message: Json, *, may_read_all: bool = True) -> Incoming | None:
    """Return what becomes of a message."""
    return from_message(WORLD.message(message), WORLD.me, may_read_all=may_read_all)


def heard(message: Json, *, may_read_all: bool = True) -> Incoming:
    """Return what becomes of a message that is for the bot."""
    found = read(message, may_read_all=may_read_all)
    assert found is not None
    return found


def test_a_direct_message_carries_all_that_is_needed_to_answer_it() -> None:
    """The stored row is enough to answer."""
    found = heard(direct("Hello"))
    assert found.event == f"{BOT_ID}:{MESSAGE_ID}"
    assert (found.chat.platform, found.chat.ref) == ("discord", str(made.DM_ID))
    assert (found.chat.is_private, found.chat.places, found.chat.title) == (True, (), "")
    assert (found.person.id, found.person.name) == (f"discord:{ANN_ID}", "Ann Lee")
    assert (found.person.groups, found.person.is_host) == ((), False)
    assert (found.text, found.message) == ("Hello", str(MESSAGE_ID))
    assert found.sent_at == 1_767_225_600_123
    assert (found.voice, found.quoted, found.unreadable) == (None, None, "")
    assert (found.is_partial, found.is_alone) == (False, False)


def test_a_message_on_a_server_names_its_place_and_roles() -> None:
    """What a server's hosts admit by role or channel can be told from the message."""
    found = heard(public(f"{AT_BOT} hi"))
    assert (found.chat.ref, found.chat.is_private) == (str(GENERAL_ID), False)
    assert found.chat.places == (f"discord:{GUILD_ID}",)
    assert found.chat.title == "Friends #general"
    assert (found.person.name, found.person.is_host) == ("Annie", False)
    assert found.person.groups == (f"discord:{ADMINS_ID}",)


def test_a_thread_is_a_chat_within_its_channel() -> None:
    """A thread has its own address, and lies in its channel and its server."""
    chat = heard(public(f"{AT_BOT} hi", at=THREAD_ID)).chat
    assert chat.ref == str(THREAD_ID)
    assert chat.places == (f"discord:{GENERAL_ID}", f"discord:{GUILD_ID}")
    assert chat.title == "Friends #general > Plans"


@pytest.mark.parametrize(
    ("fields", "is_host"),
    [
        ({"author": BO}, True),
        ({"member": {**MEMBER, "roles": [str(HOSTS_ID)]}}, True),
        ({"member": {**MEMBER, "roles": ["99"]}}, False),
    ],
)
def test_owners_and_managers_of_a_server_are_its_hosts(fields: Json, *, is_host: bool) -> None:
    """They run the place they write in."""
    assert heard(public(AT_BOT, **fields)).person.is_host is is_host


def test_who_wrote_an_old_message_is_known_without_roles() -> None:
    """A channel's history does not tell the roles of those who wrote it."""
    message = public(f"{AT_BOT} hi")
    del message["member"]
    person = heard(message).person
    assert (person.name, person.groups, person.is_host) == ("Ann Lee", (), False)


@pytest.mark.parametrize(
    ("text", "understood"),
    [
        (f"{AT_BOT} what is it?", "what is it?"),
        (f"<@!{BOT_ID}>, what is it?", "what is it?"),
        (f"{AT_BOT}, what is it?", "what is it?"),
        (f"{AT_BOT}: what is it?", "what is it?"),
        (f"{AT_BOT} :)", ":)"),
        (f"{AT_BOT} {AT_BOT} hi {AT_BOT}", "hi"),
        (f"what is it, {AT_BOT}", "what is it,"),
        (f"ask {AT_BOT} about it", "ask @causerie about it"),
        (AT_BOT, ""),
        (f"{AT_BOT} /help", "/help"),
        (f"{AT_BOT} /Model gpt", "/model gpt"),
        (f"/help {AT_BOT}", "/help"),
        (f"{AT_BOT} /approve <@{BO_ID}>", f"/approve discord:{BO_ID}"),
        (f"{AT_BOT} /translate hi <@{BO_ID}>", "/translate hi @bo"),
        (f"<@&{BOT_ROLE_ID}> what is it?", "what is it?"),
        (f"ask <@&{BOT_ROLE_ID}> about it", "ask @Causerie about it"),
    ],
)
def test_on_servers_it_answers_when_mentioned(text: str, understood: str) -> None:
    """A mention of the bot or of its own role addresses it; outer ones are taken out."""
    assert heard(public(text)).text == understood


@pytest.mark.parametrize(
    "message",
    [
        public("Why?", **reply(public("So.", author=BOT), "Why?")),
        public("Why?", at=OWN_THREAD_ID),
        public("Why?", at=JOINED_ID),
    ],
)
def test_on_servers_it_answers_in_its_own_conversations(message: Json) -> None:
    """A reply to the bot, and all that is said in a thread it opened or joined, is for it."""
    assert heard(message).text == "Why?"


@pytest.mark.parametrize(
    "message",
    [
        public("Hello all"),
        public("Hello all", at=THREAD_ID),
        public("@everyone come", mention_everyone=True),
        public(f"<@{BO_ID}> <@&{ADMINS_ID}> come"),
        public(f"`{AT_BOT}`", mentions=[]),
        public(**reply(public("So."), "Why?")),
        public(**reply(None, "Why?")),
        public(**reply({}, "Why?")),
        public(AT_BOT, type=7),
        public(AT_BOT, author=ROBOT),
        direct("hi", author={**ANN, "system": True}),
        public(AT_BOT, webhook_id="5"),
        direct("hi", author=ROBOT),
        direct(type=3),
        direct(),
    ],
)
def test_it_keeps_out_of_what_others_say(message: Json) -> None:
    """Nothing else is for the bot: not other people's talk, not programs', not the system's."""
    assert read(message) is None


def test_a_message_of_an_unknown_channel_counts_by_its_server() -> None:
    """A channel that the client does not know yet is no private one."""
    found = heard(public(f"{AT_BOT} hi", at=77))
    assert (found.chat.ref, found.chat.is_private) == ("77", False)
    assert (found.chat.places, found.chat.title) == ((f"discord:{GUILD_ID}",), "Friends")
    elsewhere = heard(public(f"{AT_BOT} hi", at=77, guild_id="6"))
    assert (elsewhere.chat.is_private, elsewhere.chat.places) == (False, ("discord:6",))


@pytest.mark.parametrize(
    ("kind", "is_heard"), [(discord.ChannelType.private, True), (None, False)]
)
def test_what_is_private_is_never_guessed(
    kind: discord.ChannelType | None, *, is_heard: bool
) -> None:
    """A message read from a place of which nothing is known is left alone."""
    message = WORLD.message(direct("hi"))
    message.channel = discord.PartialMessageable(state=WORLD.state, id=5, type=kind)
    found = from_message(message, WORLD.me)
    assert bool(found and found.chat.is_private) is is_heard


@pytest.mark.parametrize(
    ("text", "understood"),
    [
        (f"<@{BO_ID}> and <@77>", "@bo and @unknown-user"),
        (f"<@&{ADMINS_ID}> <@&77> <@&{GUILD_ID}>", "@Admins @unknown-role @everyone"),
        (f"<#{GENERAL_ID}> <#{THREAD_ID}> <#77>", "#general #Plans #unknown"),
        ("<:wave:123> <a:dance:124>", ":wave: :dance:"),
        ("<t:1800000000> <t:1800000000:R>", "2027-01-15 08:00 UTC 2027-01-15 08:00 UTC"),
        ("</chat:55> </a b:56>", "/chat /a b"),
        ("`<:wave:123>` ```\n<#901>\n``` ``<t:1>``", "`<:wave:123>` ```\n<#901>\n``` ``<t:1>``"),
        ("vector<int> <b> a < b", "vector<int> <b> a < b"),
        ("a\0b\ud83dc", "a b\ufffdc"),
    ],
)
def test_text_reads_as_people_see_it(text: str, understood: str) -> None:
    """Mentions, emoji and times are spelled out, but for code; all of it can be stored."""
    assert heard(public(f"{AT_BOT} {text}")).text == understood


def test_outside_servers_roles_and_channels_have_no_names() -> None:
    """Only people can be told by name there."""
    assert heard(direct(f"<#{GENERAL_ID}> <@5>", mentions=[{**ANN, "id": "5"}])).text == (
        "#unknown @Ann Lee"
    )


@pytest.mark.parametrize(
    ("attached", "voice"),
    [
        (
            SPOKEN,
            Voice(
                ref=f"https://cdn/voice-message.ogg?ex=1 {KEPT}",
                seconds=3.2,
                size=900,
                mime="audio/ogg",
                name="voice-message.ogg",
            ),
        ),
        (
            file("A.MP3"),
            Voice(ref=f"https://cdn/A.MP3?ex=1 {KEPT}", size=900, name="A.MP3"),
        ),
        (
            file("a", "audio/flac"),
            Voice(ref=f"https://cdn/a?ex=1 {KEPT}", size=900, mime="audio/flac", name="a"),
        ),
    ],
)
def test_recordings_are_heard(attached: Json, voice: Voice) -> None:
    """Voice messages and audio files are recordings; where to find them again is kept."""
    found = heard(public(AT_BOT, attachments=[attached]))
    assert (found.voice, found.text, found.unreadable) == (voice, "", "")


def test_text_files_are_read() -> None:
    """Discord's own programs make a file of a long paste; so are those replied to."""
    sent = [file("message.txt", "text/plain; charset=utf-8"), file("b.py", id="34")]
    documents = (
        Document(ref=f"https://cdn/message.txt?ex=1 {KEPT}", name="message.txt", size=900),
        Document(ref=f"https://cdn/b.py?ex=1 {KEPT[:-1]}4", name="b.py", size=900),
    )
    found = heard(public(AT_BOT, attachments=[*sent, PICTURE]))
    assert (found.documents, found.unreadable, found.voice) == (documents, "a picture", None)
    to = public(attachments=sent)
    quoted = heard(public(f"{AT_BOT} ?", **reply(to, f"{AT_BOT} ?"))).quoted
    assert quoted == Quoted(name="Annie", documents=documents)
    assert heard(direct(attachments=sent)).documents


def test_the_file_of_a_long_answer_is_not_read_again() -> None:
    """A reply to the answer's last message, which brings it, says nothing that is not known."""
    answer = public("So.", author=BOT, attachments=[file("answer.md", "text/markdown")])
    assert heard(public(**reply(answer, "Why?"))).quoted == Quoted(text="So.")


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"attachments": [PICTURE]}, "a picture"),
        ({"attachments": [PICTURE, PICTURE, file("b.pdf")]}, "a picture and a document"),
        ({"attachments": [file("c.gif", "image/gif")]}, "an animation"),
        ({"attachments": [file("d.mp4", "video/mp4")]}, "a video"),
        ({"attachments": [SPOKEN, SPOKEN, PICTURE]}, "another recording and a picture"),
        ({"sticker_items": [{"id": "1", "name": "s", "format_type": 1}]}, "a sticker"),
        ({"embeds": [{"type": "rich", "title": "x"}]}, "an embed"),
        ({"activity": {"type": 1}}, "an invitation"),
        (
            {
                "poll": {
                    "question": {"text": "?"},
                    "answers": [],
                    "expiry": "2026-02-01T00:00:00+00:00",
                    "allow_multiselect": False,
                    "layout_type": 1,
                }
            },
            "a poll",
        ),
        (forward({"attachments": [PICTURE]}), "a picture"),
    ],
)
def test_what_cannot_be_read_is_named(fields: Json, words: str) -> None:
    """A person who sends a picture hears about it."""
    assert heard(direct(**fields)).unreadable == words


def test_a_link_with_its_preview_is_text() -> None:
    """A preview adds nothing to the link that was written."""
    found = heard(direct("https://x.org", embeds=[{"type": "link", "url": "https://x.org"}]))
    assert (found.text, found.unreadable) == ("https://x.org", "")


@pytest.mark.parametrize(
    ("fields", "quoted"),
    [
        (reply(public("So."), "Why?"), Quoted(name="Annie", text="So.")),
        (reply(public("So.", author=BOT), "Why?"), Quoted(text="So.")),
        (
            reply(public(attachments=[SPOKEN], author=BO), "?"),
            Quoted(
                name="bo",
                voice=Voice(
                    ref=f"https://cdn/voice-message.ogg?ex=1 {KEPT}",
                    seconds=3.2,
                    size=900,
                    mime="audio/ogg",
                    name="voice-message.ogg",
                ),
            ),
        ),
        (
            reply(
                public(embeds=[{"type": "rich", "title": "T", "description": "D"}], author=ROBOT)
            ),
            Quoted(name="r2", text="T\n\nD"),
        ),
        (reply(public(attachments=[PICTURE]), "?"), None),
        (reply(public(**forward({"content": "Old"})), "?"),
         Quoted(name="Forwarded message", text="Old")),
        (forward({}, {"content": "Look <#901>"}),
         Quoted(name="Forwarded message", text="Look #general")),
        (forward({"embeds": [{"type": "rich", "title": "T"}]}),
         Quoted(name="Forwarded message", text="T")),
        (reply(None, "Why?"), None),
        (reply({}, "Why?"), None),
    ],
)  # fmt: skip
def test_a_reply_quotes_what_it_answers(fields: Json, quoted: Quoted | None) -> None:
    """The answer is given knowing what was replied to, or forwarded."""
    assert heard(public(mentions=[dict(BOT)], **{"content": "x", **fields})).quoted == quoted


def test_somebody_without_a_name_is_no_bot() -> None:
    """Only the bot itself is quoted without a name."""
    nobody = made.user(6, " ", global_name="\u2028")
    quoted = heard(direct(**reply(direct("So.", author=nobody), "Why?"))).quoted
    assert quoted == Quoted(name="somebody", text="So.")


def test_names_stay_on_one_short_line() -> None:
    """Whatever people call themselves."""
    name = heard(direct("x", author={**ANN, "global_name": "a\nb " + "c" * 99})).person.name
    assert name == "a b " + "c" * 60


@pytest.mark.parametrize(
    "message",
    [
        public(at=OWN_THREAD_ID),
        public(**reply(public("So.", author=BOT))),
    ],
)
def test_without_the_intent_it_says_what_it_cannot_read(message: Json) -> None:
    """Who talks to a bot that gets no content hears why, and nothing else is answered."""
    found = heard(message, may_read_all=False)
    assert (found.text, found.quoted, found.unreadable) == ("", None, HIDDEN)
    assert read(public(at=THREAD_ID), may_read_all=False) is None


@pytest.mark.parametrize(
    ("message", "unreadable"),
    [
        (direct("hi"), ""),
        (public(f"{AT_BOT} hi"), ""),
        (public(at=OWN_THREAD_ID, sticker_items=[{"id": "1", "name": "s", "format_type": 1}]),
         "a sticker"),
    ],
)  # fmt: skip
def test_without_the_intent_it_reads_what_it_gets(message: Json, unreadable: str) -> None:
    """Direct messages, mentions and stickers come whole."""
    assert heard(message, may_read_all=False).unreadable == unreadable


def test_an_empty_message_is_none_with_the_intent() -> None:
    """Only without it does an empty message mean that something was kept from us."""
    assert read(public(at=OWN_THREAD_ID)) is None
