"""The people of the loopback Telegram: what they do, and what the bot gets to know of it."""

import pytest
import telegram
from hypothesis import given
from hypothesis import strategies as st
from telegram.error import ChatMigrated, Forbidden

from tests.pictures import png
from tests.servers.telegram import Chat, TelegramServer, User
from tests.servers.telegram.entities import TEXT_LENGTH, cut, typed_entities, utf16
from tests.servers.test_telegram.bot import refused


async def heard(bot: telegram.Bot) -> list[telegram.Message]:
    """Return the new messages, confirmed."""
    updates = await bot.get_updates()
    if updates:
        await bot.get_updates(offset=updates[-1].update_id + 1)
    return [message for update in updates if (message := update.effective_message)]


async def test_privacy_mode(
    server: TelegramServer, bot: telegram.Bot, ann: User, group: Chat
) -> None:
    """In groups the bot hears commands, mentions and replies to it, and not the rest."""
    await bot.send_message(group.id, "I am here")
    group.say(ann, "hello all")
    group.say(ann, "/help")
    group.say(ann, f"/help@{server.bot.username}")
    group.say(ann, "/help@other_bot")
    group.say(ann, "see /help")
    group.say(ann, f"👋 @{server.bot.username.upper()}, hello")
    group.say(ann, "@other_bot hello")
    group.say_voice(ann, b"a")
    group.say_voice(ann, b"a", reply_to=group.answers[0])
    group.join(ann, server.user("Bob"))
    messages = await heard(bot)
    assert [message.text for message in messages] == [
        "/help",
        "/help@causerie_bot",
        "👋 @CAUSERIE_BOT, hello",
        None,
        None,
    ]
    assert messages[2].parse_entities(["mention"])
    assert messages[3].voice
    assert messages[3].reply_to_message
    assert messages[4].new_chat_members[0].first_name == "Bob"
    assert not (await bot.get_me()).can_read_all_group_messages


async def test_without_privacy_mode_everything_is_heard(ann: User, group: Chat) -> None:
    """An administrator, and a bot whose privacy mode is off, get every message."""
    said = group.say(ann, "hello all")
    assert not group.is_seen(said)
    group.server.set_bot_status(group, ann, "administrator")
    assert group.is_seen(said)
    group.server.set_bot_status(group, ann, "member")
    group.server.has_privacy = False
    assert group.is_seen(said)


async def test_topics(server: TelegramServer, bot: telegram.Bot, ann: User) -> None:
    """A message of a topic carries its id, and "replies" to the topic's opening."""
    forum = server.group("Forum", [ann], is_forum=True)
    news = forum.topic(ann, "News")
    forum.say(ann, "/a", topic=news)
    forum.say(ann, "/b")
    _, inside, outside = await heard(bot)
    assert (inside.message_thread_id, inside.is_topic_message) == (news, True)
    assert inside.reply_to_message
    assert inside.reply_to_message.forum_topic_created
    assert (outside.message_thread_id, outside.is_topic_message) == (None, None)
    assert outside.chat.is_forum
    await bot.send_message(forum.id, "there", message_thread_id=news)
    reply = telegram.ReplyParameters(inside.message_id)
    await bot.send_message(forum.id, "there too", reply_parameters=reply)
    assert [answer.topic for answer in forum.answers] == [news, news]
    for wrong in (1, 4711):
        with refused("message thread not found"):
            await bot.send_message(forum.id, "a", message_thread_id=wrong)
    await bot.send_chat_action(forum.id, "typing", message_thread_id=1)


async def test_threads_of_replies_are_no_topics(bot: telegram.Bot, ann: User, group: Chat) -> None:
    """Replies in a supergroup carry a thread id too, but nothing can be sent to it."""
    first = group.say(ann, "/a")
    second = group.say(ann, "/b", reply_to=first)
    group.say(ann, "/c", reply_to=second)
    *_, last = await heard(bot)
    assert (last.message_thread_id, last.is_topic_message) == (first.id, None)
    with refused("message thread not found"):
        await bot.send_message(group.id, "a", message_thread_id=first.id)


async def test_message_ids_count_per_supergroup_and_per_account(
    server: TelegramServer, ann: User, chat: Chat, group: Chat
) -> None:
    """Private chats and basic groups share their ids, a supergroup has its own."""
    basic = server.group("Basic", [ann], is_basic=True)
    ids = [place.say(ann, "a").id for place in (chat, basic, group, chat, group)]
    assert ids == [1, 2, 2, 3, 3]


@pytest.mark.parametrize("kind", ["voice", "audio", "video_note", "document", "photo"])
async def test_files_can_be_fetched(
    server: TelegramServer, bot: telegram.Bot, ann: User, chat: Chat, kind: str
) -> None:
    """A file is asked for by id and downloaded by path, until the link expires."""
    say = getattr(chat, f"say_{kind}")
    say(ann, b"what I sent", seconds=3, caption="/look here")
    (message,) = await heard(bot)
    assert message.caption == "/look here"
    assert message.parse_caption_entities(["bot_command"])
    found = getattr(message, kind)
    found = found[-1] if kind == "photo" else found
    file = await bot.get_file(found.file_id)
    assert await file.download_as_bytearray() == b"what I sent"
    assert file.file_size == len(b"what I sent")
    server.expire_links()
    with pytest.raises(telegram.error.TelegramError, match="temporarily unavailable"):
        await file.download_as_bytearray()


async def test_a_file_above_20_mb_is_refused(bot: telegram.Bot, ann: User, chat: Chat) -> None:
    """GetFile serves 20 MB and not one byte more, and only ids it knows."""
    for extra in (0, 1):
        chat.say_voice(ann, b"a", size=20 * 1024 * 1024 + extra)
    small, large = await heard(bot)
    assert small.voice
    assert large.voice
    assert large.voice.file_size == 20 * 1024 * 1024 + 1
    await bot.get_file(small.voice.file_id)
    with refused("file is too big"):
        await bot.get_file(large.voice.file_id)
    with refused("invalid file_id"):
        await bot.get_file("nothing")


async def test_what_the_bot_sends_can_be_sent_again(bot: telegram.Bot, chat: Chat) -> None:
    """Uploads get an id; empty ones, unknown ids and unreachable URLs are refused."""
    sent = await bot.send_voice(chat.id, b"OggS", duration=2, caption="listen")
    assert sent.voice
    assert (sent.voice.mime_type, sent.caption) == ("audio/ogg", "listen")
    await bot.send_audio(chat.id, b"ID3", title="T", performer="P")
    await bot.send_photo(chat.id, b"\xff\xd8")
    document = (await bot.send_document(chat.id, b"PK", filename="a.zip")).document
    assert document
    assert document.file_name == "a.zip"
    await bot.send_voice(chat.id, sent.voice.file_id)
    wrongs: dict[bytes | str, str] = {
        b"": "non-empty",
        "nothing": "wrong file identifier",
        "https://a.example/b.oga": "failed to get HTTP URL content",
    }
    for wrong, problem in wrongs.items():
        with refused(problem):
            await bot.send_voice(chat.id, wrong)
    for picture, problem in {b"no": "IMAGE_PROCESS_FAILED", png(1, 21): "DIMENSIONS"}.items():
        with refused(problem):
            await bot.send_photo(chat.id, picture)
    assert len(chat.answers) == 5


async def test_other_things_people_do(
    server: TelegramServer, bot: telegram.Bot, ann: User, chat: Chat, group: Chat
) -> None:
    """Stickers, edits and leaving arrive as the documented updates."""
    chat.say_sticker(ann, "👋")
    said = chat.say(ann, "a")
    chat.edit(said, "/b")
    group.leave(ann)
    sticker, _, edited, left = await heard(bot)
    assert sticker.sticker
    assert sticker.sticker.emoji == "👋"
    assert edited.edit_date
    assert edited.parse_entities(["bot_command"])
    assert left.left_chat_member
    assert (said.edits, said.versions) == (1, ["a", "/b"])
    server.set_bot_status(group, ann, "left")
    assert not group.is_seen(group.say(ann, "/c"))


async def test_a_bot_is_told_where_it_may_not_write(
    server: TelegramServer, bot: telegram.Bot, ann: User, chat: Chat, group: Chat
) -> None:
    """Blocked, kicked and left are refusals for good, announced by an update."""
    server.block(ann)
    with pytest.raises(Forbidden, match="bot was blocked by the user"):
        await bot.send_message(chat.id, "a")
    server.unblock(ann)
    await bot.send_message(chat.id, "a")
    server.set_bot_status(group, ann, "kicked")
    with pytest.raises(Forbidden, match="bot was kicked from the supergroup chat"):
        await bot.send_message(group.id, "a")
    server.set_bot_status(group, ann, "left")
    with pytest.raises(Forbidden, match="bot is not a member of the supergroup chat"):
        await bot.send_chat_action(group.id, "typing")
    changes = [update.my_chat_member for update in await bot.get_updates()]
    assert [change.new_chat_member.status for change in changes if change] == [
        "kicked",
        "member",
        "kicked",
        "left",
    ]


async def test_a_basic_group_becomes_a_supergroup(
    server: TelegramServer, bot: telegram.Bot, ann: User
) -> None:
    """The old id is refused with the new one, and both say what happened."""
    basic = server.group("Basic", [ann], is_basic=True)
    new = basic.upgrade(ann)
    with pytest.raises(ChatMigrated) as caught:
        await bot.send_message(basic.id, "a")
    assert caught.value.new_chat_id == new.id
    there, here = await heard(bot)
    assert (there.migrate_to_chat_id, here.migrate_from_chat_id) == (new.id, basic.id)


async def test_who_is_in_a_chat(
    server: TelegramServer, bot: telegram.Bot, ann: User, chat: Chat, group: Chat
) -> None:
    """Chats and their members are described as far as a bot needs it."""
    assert (await bot.get_chat(chat.id)).first_name == "Ann"
    assert (await bot.get_chat(group.id)).title == "Friends"
    assert (await bot.get_chat_member(group.id, server.bot.id)).status == "member"
    assert (await bot.get_chat_member(group.id, ann.id)).user.username == "ann_in_chat"
    with refused("Participant_id_invalid"):
        await bot.get_chat_member(group.id, 1)
    server.set_bot_status(group, ann, "administrator")
    statuses = [member.status for member in await bot.get_chat_administrators(group.id)]
    assert statuses == ["creator", "administrator"]
    with refused("no administrators in the private chat"):
        await bot.get_chat_administrators(chat.id)
    server.set_bot_status(group, ann, "kicked")
    assert len(await bot.get_updates()) == 2


async def test_waiting_ends_with_what_is_there_instead(
    server: TelegramServer, bot: telegram.Bot, chat: Chat
) -> None:
    """A wait that fails says what the chat shows, or what was called last."""
    await bot.send_message(chat.id, "not that")
    with pytest.raises(TimeoutError, match=r"Ann shows \['not that'\]"):
        await chat.answer(containing="this", seconds=0.01)
    with pytest.raises(TimeoutError, match=r"the last calls are .*sendMessage"):
        await server.until(lambda: False, seconds=0.01)


@given(st.text(alphabet="ab \n👋é", max_size=40).map(lambda text: text * 250), st.booleans())
def test_a_paste_is_cut_without_loss(text: str, is_soft: bool) -> None:  # noqa: FBT001
    """Parts have at most 4096 units, cut no symbol, and make up the whole."""
    parts = cut(text, is_soft=is_soft)
    assert "".join(parts) == text
    assert all(0 < utf16(part) <= TEXT_LENGTH for part in parts) or not text
    assert is_soft or all(utf16(part) >= TEXT_LENGTH - 1 for part in parts[:-1])


async def test_a_long_paste_arrives_in_parts(bot: telegram.Bot, ann: User, chat: Chat) -> None:
    """A client sends a long text as several messages at once."""
    assert len(chat.paste(ann, "word " * 2000, is_soft=True)) == 3
    assert [len(message.text or "") for message in await heard(bot)] == [4094, 4094, 1809]


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("/start@some_bot now", {("bot_command", 0, 15)}),
        ("👋 @some_bot #tag", {("mention", 3, 9), ("hashtag", 13, 4)}),
        ("https://a.example/b.", {("url", 0, 19)}),
        ("a/b c@d.example /", set()),
    ],
)
def test_what_clients_find_in_a_text(text: str, found: set[tuple[str, int, int]]) -> None:
    """Commands, mentions, tags and links are entities, counted in UTF-16 units."""
    entities = typed_entities(text)
    assert {(item["type"], item["offset"], item["length"]) for item in entities} == found
