"""How replies stand in Telegram's chats, against a loopback Bot API, with the real SDK."""

import asyncio
from contextlib import AsyncExitStack, suppress

import pytest

from bots.live import Pace
from bots.telegram import TelegramBot
from core.errors import DeliveryError, GoneError
from tests.bots.telegram_steps import final, kinds, open_bot, preview, reply_in
from tests.servers.telegram import Chat as Room
from tests.servers.telegram import Limits, TelegramServer


async def test_a_private_chat_sees_drafts_and_one_final_message(
    telegram_server: TelegramServer, bot: TelegramBot, private: Room
) -> None:
    """Drafts grow, then the whole formatted text is sent once, and no draft is left."""
    reply = reply_in(private, to=1)
    async with preview(bot, reply):
        reply.grow("Some")
        await private.until(lambda: private.draft and private.draft.text == "Some")
        reply.grow("Some **bold**")
        await private.until(lambda: private.draft and private.draft.entities)
    await final(bot, reply, "Some **bold** text.")
    (message,) = private.answers
    assert message.text == "Some bold text."
    assert message.entities == [{"type": "bold", "offset": 5, "length": 4}]
    assert message.options["link_preview_options"] == {"is_disabled": True}
    assert message.reply_to is None
    assert private.drafts == {}
    assert telegram_server.remarks == []


async def test_a_long_answer_is_split_while_it_grows(bot: TelegramBot, private: Room) -> None:
    """Full messages are posted, the draft goes on with the rest, nothing is sent twice."""
    reply, line = reply_in(private), "word " * 20 + "\n\n"
    async with preview(bot, reply):
        reply.grow(line * 60)
        await private.until(lambda: private.answers and private.draft)
    assert len(private.answers) == 1
    await final(bot, reply, line * 100)
    assert kinds(private).count("message") == 3
    assert "edit" not in kinds(private)
    words = " ".join(message.text for message in private.answers).split()
    assert words == ["word"] * 2000


async def test_a_group_sees_a_reply_that_is_edited(
    telegram_server: TelegramServer, bot: TelegramBot, group: Room
) -> None:
    """In groups the first message answers the question and grows by edits."""
    question = group.say(group.members[0], "/ask")
    reply = reply_in(group, to=question.id)
    async with preview(bot, reply):
        reply.grow("One")
        await group.answer(containing="One")
        reply.grow("One two")
        await group.answer(containing="two")
    await final(bot, reply, "One two three")
    (message,) = group.answers
    assert (message.text, message.reply_to) == ("One two three", question.id)
    assert kinds(group) == ["message", "edit", "edit"]
    await bot.deliver(reply)
    assert kinds(group) == ["message", "edit", "edit"]
    assert telegram_server.remarks == []


async def test_a_topic_is_answered_in_the_topic(telegram_server: TelegramServer) -> None:
    """A forum topic's messages and typing signs stay in it; a deleted topic is gone."""
    ann = telegram_server.user("Ann")
    forum = telegram_server.group("Forum", [ann], is_forum=True)
    topic = forum.topic(ann, "Cooking")
    pace = Pace(typing_after=0.0, edit=0.0)
    async with open_bot(telegram_server, group_pace=pace) as bot:
        reply = reply_in(forum, topic=topic)
        async with preview(bot, reply):
            await forum.until(lambda: "typing" in kinds(forum))
        await final(bot, reply, "Salt.")
        assert forum.answers[0].topic == topic
        with pytest.raises(GoneError):
            await final(bot, reply_in(forum, topic=4711), "Salt.")
    assert all(
        call.params.get("message_thread_id") in {topic, 4711}
        for call in telegram_server.calls
        if call.method in {"sendMessage", "sendChatAction"}
    )


async def test_links_and_code_keep_what_they_need(
    telegram_server: TelegramServer, bot: TelegramBot, private: Room
) -> None:
    """A link carries its address, a code block its language."""
    await final(bot, reply_in(private), "[Here](https://example.org/):\n```python\nx = 1\n```")
    link, code = private.answers[0].entities
    assert (link["type"], link["url"]) == ("text_link", "https://example.org/")
    assert (code["type"], code["language"]) == ("pre", "python")
    assert telegram_server.remarks == []


@pytest.mark.parametrize(
    ("status", "description"),
    [(400, "Bad Request: TEXTDRAFT_PEER_INVALID"), (404, "Not Found")],
)
async def test_refused_drafts_become_edits(
    telegram_server: TelegramServer,
    bot: TelegramBot,
    private: Room,
    status: int,
    description: str,
) -> None:
    """A chat or a server without drafts sees a message that grows, and is not asked again."""
    telegram_server.fail_next("sendMessageDraft", status=status, description=description)
    for text in ("One", "Another"):
        reply = reply_in(private)
        async with preview(bot, reply):
            reply.grow(text)
            await private.until(lambda: private.answers and private.answers[-1].text == text)  # noqa: B023
        await final(bot, reply, f"{text} two")
    assert [message.text for message in private.answers] == ["One two", "Another two"]
    assert [call.method for call in private.calls].count("sendMessageDraft") == 1


@pytest.mark.parametrize(("status", "is_html"), [(500, False), (405, False), (404, True)])
async def test_a_draft_that_fails_becomes_an_edit(
    telegram_server: TelegramServer, bot: TelegramBot, private: Room, status: int, *, is_html: bool
) -> None:
    """For one answer: whoever stands between us and Telegram may let drafts pass again."""
    telegram_server.fail_next("sendMessageDraft", status=status, is_html=is_html)
    reply = reply_in(private)
    async with preview(bot, reply):
        reply.grow("One")
        await private.answer(containing="One")
        reply.grow("One two")
        await private.answer(containing="two")
    await final(bot, reply, "One two three")
    other = reply_in(private)
    async with preview(bot, other):
        other.grow("Four")
        await private.until(lambda: private.draft)
    assert [message.text for message in private.answers] == ["One two three"]


async def test_refused_entities_are_dropped(
    telegram_server: TelegramServer,
    bot: TelegramBot,
    private: Room,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """A text Telegram cannot format stands plain, and the log does not repeat it."""
    problem = "Bad Request: can't parse entities: Wrong HTTP URL"
    telegram_server.fail_next("sendMessageDraft", status=400, description=problem)
    reply = reply_in(private)
    async with preview(bot, reply):
        reply.grow("Some **bold**")
        await private.until(lambda: private.draft)
    telegram_server.fail_next("sendMessage", status=400, description=problem)
    await final(bot, reply, "Some **bold** text")
    assert [(message.text, message.entities) for message in private.answers] == [
        ("Some bold text", [])
    ]
    telegram_server.fail_next("editMessageText", status=400, description=problem)
    await final(bot, reply, "Some **bold** words")
    assert private.answers[0].text == "Some bold words"
    assert "wrong http url" in caplog.text.lower()
    assert "bold" not in caplog.text


async def test_a_message_somebody_deleted_is_sent_anew(bot: TelegramBot, group: Room) -> None:
    """An answer that was removed while it grew stands in the end, as a reply again."""
    question = group.say(group.members[0], "/ask")
    reply = reply_in(group, to=question.id)
    async with preview(bot, reply):
        reply.grow("One")
        group.delete(await group.answer(containing="One"))
    await final(bot, reply, "One two")
    assert [(answer.text, answer.reply_to) for answer in group.answers] == [
        ("One two", question.id)
    ]


@pytest.mark.parametrize(
    "problem",
    [
        "Bad Request: message can't be edited",
        "Bad Request: MESSAGE_EDIT_TIME_EXPIRED",
        "Bad Request: something nobody has heard of",
    ],
)
async def test_a_message_that_cannot_be_edited_is_replaced_once(
    telegram_server: TelegramServer, bot: TelegramBot, group: Room, problem: str
) -> None:
    """It ends its preview; the final text stands in its place, not below half an answer."""
    telegram_server.fail_next("editMessageText", status=400, description=problem, times=2)
    reply = reply_in(group)
    async with preview(bot, reply):
        reply.grow("One")
        await group.answer(containing="One")
        reply.grow("One two")
        await telegram_server.until(lambda: "editMessageText" in [c.method for c in group.calls])
        reply.grow("One two three")
    await final(bot, reply, "One two three four")
    assert [answer.text for answer in group.answers] == ["One two three four"]
    assert kinds(group).count("sendMessage") <= 2


@pytest.mark.parametrize("words", ["message is not modified: so", "MESSAGE_NOT_MODIFIED"])
async def test_a_text_that_stands_already_is_left(
    telegram_server: TelegramServer, bot: TelegramBot, group: Room, words: str
) -> None:
    """Telegram says so in one wording or the other; nothing is sent twice."""
    await final(bot, (reply := reply_in(group)), "Hello")
    telegram_server.fail_next("editMessageText", status=400, description=f"Bad Request: {words}")
    await final(bot, reply, "Hello **Ann**")
    assert kinds(group) == ["message"]


async def test_a_token_that_is_refused_for_a_while_costs_no_text(
    telegram_server: TelegramServer, bot: TelegramBot, private: Room
) -> None:
    """Whether it is revoked is for polling to find out."""
    telegram_server.fail_next("sendMessage", status=401, description="Unauthorized")
    reply = reply_in(private)
    with pytest.raises(DeliveryError, match="cannot be reached") as caught:
        await final(bot, reply, "Hello")
    assert not isinstance(caught.value, GoneError)
    await bot.deliver(reply)
    assert len(private.answers) == 1


@pytest.mark.parametrize(
    "description",
    [
        "Bad Request: chat not found",
        "Bad Request: not enough rights to send text messages to the chat",
        "Bad Request: TOPIC_CLOSED",
    ],
)
async def test_a_text_that_can_never_stand_is_given_up(
    telegram_server: TelegramServer, bot: TelegramBot, group: Room, description: str
) -> None:
    """What the server refuses for good is not tried for ever."""
    await final(bot, (standing := reply_in(group)), "Hello")
    for method, reply in (("sendMessage", reply_in(group)), ("editMessageText", standing)):
        telegram_server.fail_next(method, status=400, description=description)
        with pytest.raises(GoneError):
            await final(bot, reply, "Hello **Ann**")


async def test_a_text_refused_for_reasons_unknown_is_sent_bare(
    telegram_server: TelegramServer, bot: TelegramBot, group: Room
) -> None:
    """Once: without formatting, quote or anything else there could be wrong with it."""
    unknown = "Bad Request: something nobody has heard of"
    telegram_server.fail_next("sendMessage", status=400, description=unknown)
    await final(bot, reply_in(group, to=1), "Hello Ann")
    [message] = group.answers
    assert (message.text, message.reply_to) == ("Hello Ann", None)
    telegram_server.fail_next("sendMessage", status=400, description=unknown, times=2)
    with pytest.raises(GoneError):
        await final(bot, reply_in(group), "Hello Bob")


async def test_a_group_that_moved_is_answered_where_it_is_now(
    telegram_server: TelegramServer, bot: TelegramBot
) -> None:
    """A basic group that became a supergroup while the answer grew still gets it."""
    ann = telegram_server.user("Ann")
    old = telegram_server.group("Friends", [ann], is_basic=True)
    reply = reply_in(old)
    async with preview(bot, reply):
        reply.grow("One")
        await old.answer(containing="One")
    new = old.upgrade(ann)
    await final(bot, reply, "One two")
    assert [message.text for message in new.answers] == ["One two"]


async def test_a_preview_that_takes_long_does_not_undo_the_final_text(
    telegram_server: TelegramServer,
) -> None:
    """However long an edit takes, the last one comes after it."""
    group = telegram_server.group("Friends", [telegram_server.user("Ann")])
    async with open_bot(telegram_server, group_pace=Pace(edit=0.01, call=0.5)) as bot:
        reply = reply_in(group)
        slow = telegram_server.delay_next("editMessageText", seconds=0.7)
        async with preview(bot, reply):
            reply.grow("One")
            await group.answer(containing="One")
            reply.grow("One two")
            await telegram_server.until(lambda: slow.used)
        await final(bot, reply, "One two three")
    [answer] = group.answers
    assert answer.versions[-2:] == ["One two", "One two three"]


async def test_a_flood_wait_delays_only_its_chat(
    telegram_server: TelegramServer, bot: TelegramBot, group: Room, private: Room
) -> None:
    """While one chat pauses, it is not called at all, and the others go on."""
    telegram_server.fail_next("sendMessage", retry_after=1, place=group)
    slow, quick = reply_in(group), reply_in(private)
    async with preview(bot, slow):
        slow.grow("One")
        await telegram_server.until(lambda: group.calls and group.calls[0].error)
        await final(bot, quick, "Quick")
    assert len(private.answers) == 1
    assert group.answers == []
    await final(bot, slow, "One two")
    assert [message.text for message in group.answers] == ["One two"]
    assert telegram_server.remarks == []


async def test_a_long_flood_wait_is_the_callers_to_plan(
    telegram_server: TelegramServer, bot: TelegramBot, group: Room
) -> None:
    """The pause is named, and no call is made before it is over."""
    telegram_server.fail_next("sendMessage", retry_after=40)
    for _ in range(2):
        with pytest.raises(DeliveryError) as caught:
            await final(bot, reply_in(group), "Hello")
        assert 0 < (caught.value.retry_after or 0) <= 40
    assert len(group.calls) == 1


async def test_topics_share_what_their_group_allows(telegram_server: TelegramServer) -> None:
    """However many answers grow in it at once, no final text has to wait for their previews."""
    telegram_server.limits = Limits(group_per_minute=20, group_window=1.0)
    ann = telegram_server.user("Ann")
    forum = telegram_server.group("Forum", [ann], is_forum=True)
    topics = [forum.topic(ann, f"Topic {number}") for number in range(5)]
    pace = Pace(edit=0.05, draft=0.05)
    async with open_bot(telegram_server, group_pace=pace) as bot, AsyncExitStack() as on:
        replies = [reply_in(forum, topic=topic) for topic in topics]
        for reply in replies:
            await on.enter_async_context(preview(bot, reply))
        for number in range(100):
            for reply in replies:
                reply.grow("word " * (number + 1))
            await asyncio.sleep(0.005)
        for reply in replies:
            await final(bot, reply, "word " * 101)
    assert [answer.text for answer in forum.answers] == [("word " * 101).strip()] * 5
    assert not any(call.error for call in forum.calls)


async def test_the_documented_limits_are_kept_within_reason(
    telegram_server: TelegramServer,
) -> None:
    """With a group's minute shortened, a fast model is shown less often and ends whole."""
    telegram_server.limits = Limits(group_per_minute=5, group_window=0.5)
    group = telegram_server.group("Friends", [telegram_server.user("Ann")])
    async with open_bot(telegram_server, group_pace=Pace(edit=0.12)) as bot:
        reply = reply_in(group)
        async with preview(bot, reply):
            for number in range(60):
                reply.grow("word " * (number + 1))
                await asyncio.sleep(0.005)
        with suppress(DeliveryError):
            await final(bot, reply, "word " * 61)
        await bot.deliver(reply)
    assert group.answers[0].text == ("word " * 61).strip()
    assert telegram_server.remarks == []
