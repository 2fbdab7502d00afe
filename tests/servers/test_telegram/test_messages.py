"""Messages, edits, replies, drafts: what the loopback Telegram does with them."""

import pytest
import telegram
from telegram.error import BadRequest

from tests.servers.telegram import Chat, TelegramServer, User
from tests.servers.test_telegram.bot import refused

Entity = telegram.MessageEntity


async def test_edits(bot: telegram.Bot, ann: User, chat: Chat) -> None:
    """Own text messages can be changed, to something else only."""
    sent = await bot.send_message(chat.id, "a")
    await bot.edit_message_text("b", chat.id, sent.message_id)
    edited = await bot.edit_message_text(
        "b", chat.id, sent.message_id, entities=[Entity("bold", 0, 1)]
    )
    assert isinstance(edited, telegram.Message)
    assert edited.edit_date
    with refused("exactly the same as a current content"):
        await bot.edit_message_text(
            " b", chat.id, sent.message_id, entities=[Entity("bold", 1, 1)]
        )
    answer = await chat.answer(containing="b")
    assert (answer.edits, answer.versions) == (2, ["a", "b", "b"])
    said = chat.say(ann, "mine")
    document = await bot.send_document(chat.id, b"a")
    for number, problem in {
        said.id: "can't be edited",
        document.message_id: "no text in the message to edit",
        4711: "to edit not found",
    }.items():
        with refused(problem):
            await bot.edit_message_text("c", chat.id, number)
    with refused("identifier is not specified"):
        await bot.edit_message_text("c", chat.id)


async def test_deleting(
    server: TelegramServer, bot: telegram.Bot, ann: User, chat: Chat, group: Chat
) -> None:
    """Own messages always, others' in private chats or as administrator; never twice."""
    sent = await bot.send_message(chat.id, "a")
    await bot.delete_message(chat.id, sent.message_id)
    assert not chat.answers
    for number in (sent.message_id, 4711):
        with refused("to delete not found"):
            await bot.delete_message(chat.id, number)
    await bot.delete_message(chat.id, chat.say(ann, "a").id)
    said = group.say(ann, "a")
    with refused("can't be deleted"):
        await bot.delete_message(group.id, said.id)
    server.set_bot_status(group, ann, "administrator")
    await bot.delete_message(group.id, said.id)
    assert said.is_deleted


async def test_replies(bot: telegram.Bot, ann: User, chat: Chat, group: Chat) -> None:
    """The replied message must stand in this chat, unless that does not matter."""
    gone = chat.say(ann, "gone")
    chat.delete(gone)
    for number in (gone.id, 4711):
        with refused("to be replied not found"):
            await bot.send_message(chat.id, "a", reply_parameters=telegram.ReplyParameters(number))
    free = telegram.ReplyParameters(gone.id, allow_sending_without_reply=True)
    assert (await bot.send_message(chat.id, "a", reply_parameters=free)).reply_to_message is None
    said = chat.say(ann, "some words")
    quote = telegram.ReplyParameters(said.id, quote="words")
    await bot.send_message(chat.id, "a", reply_parameters=quote)
    for wrong in (
        telegram.ReplyParameters(said.id, quote="other"),
        telegram.ReplyParameters(said.id, chat_id=group.id),
    ):
        with pytest.raises(BadRequest, match=r"(?i)quote_text_invalid|not found"):
            await bot.send_message(chat.id, "a", reply_parameters=wrong)
    for odd in ({}, {"message_id": "1"}, {"message_id": 1, "id": 2}, {"message_id": True}):
        with pytest.raises(BadRequest, match=r"(?i)can't parse ReplyParameters|not specified"):
            await bot.send_message(chat.id, "a", api_kwargs={"reply_parameters": odd})


async def test_drafts(bot: telegram.Bot, chat: Chat, group: Chat) -> None:
    """Drafts are for private chats, have an id, may be empty, and end with the message."""
    for text in ("", "a", "ab"):
        assert await bot.send_message_draft(chat.id, 7, text)
    draft = chat.draft
    assert draft
    assert (draft.id, draft.versions) == (7, ["", "a", "ab"])
    await bot.send_message_draft(chat.id, 8, "x")
    assert chat.draft
    assert chat.draft.versions == ["x"]
    with refused("non-zero"):
        await bot.send_message_draft(chat.id, 0, "a")
    with refused("Textdraft_peer_invalid"):
        await bot.send_message_draft(group.id, 7, "a")
    with refused("message thread not found"):
        await bot.send_message_draft(chat.id, 7, "a", message_thread_id=3)
    await bot.send_message(chat.id, "done")
    assert chat.draft is None


async def test_actions_and_reactions(
    server: TelegramServer, bot: telegram.Bot, ann: User, chat: Chat
) -> None:
    """Only documented actions; at most one reaction, to a message that exists."""
    await bot.send_chat_action(chat.id, "typing")
    with refused("wrong parameter action"):
        await bot.send_chat_action(chat.id, "thinking")
    said = chat.say(ann, "a")
    await bot.set_message_reaction(chat.id, said.id, "👍")
    with refused("to react not found"):
        await bot.set_message_reaction(chat.id, 4711, "👍")
    with refused("Reactions_too_many"):
        await bot.set_message_reaction(chat.id, said.id, ["👍", "👎"])
    with refused("Reaction_invalid"):
        await bot.set_message_reaction(
            chat.id, said.id, api_kwargs={"reaction": [{"type": "paid"}]}
        )
    assert chat.shown[0].kind == "typing"
    assert not server.remarks


async def test_link_previews(bot: telegram.Bot, chat: Chat) -> None:
    """Options of a preview are kept with the message; unknown ones are refused."""
    off = telegram.LinkPreviewOptions(is_disabled=True)
    await bot.send_message(chat.id, "a", link_preview_options=off)
    assert chat.answers[0].options == {"link_preview_options": {"is_disabled": True}}
    with refused("can't parse LinkPreviewOptions"):
        await bot.send_message(chat.id, "a", api_kwargs={"link_preview_options": {"off": True}})
