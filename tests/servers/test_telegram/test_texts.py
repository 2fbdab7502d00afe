"""Texts and entities: what the loopback Telegram takes and what it refuses."""

import pytest
import telegram

from tests.servers.telegram import Chat, TelegramServer
from tests.servers.test_telegram.bot import refused

Entity = telegram.MessageEntity


@pytest.mark.parametrize("text", ["", "  \n ", "\u200b"])
async def test_a_text_must_not_be_empty(bot: telegram.Bot, chat: Chat, text: str) -> None:
    """White space alone is no text, neither to send nor to edit in."""
    sent = await bot.send_message(chat.id, "a")
    with refused("message text is empty"):
        await bot.send_message(chat.id, text)
    with refused("message text is empty"):
        await bot.edit_message_text(text, chat.id, sent.message_id)


async def test_lengths_are_utf16_units_after_trimming(bot: telegram.Bot, chat: Chat) -> None:
    """4096 units pass, 4097 do not; an emoji outside the basic plane counts two."""
    sent = await bot.send_message(chat.id, "👋" * 2048 + " \n")
    with refused("message is too long"):
        await bot.send_message(chat.id, "👋" * 2048 + "a")
    with refused("message_too_long"):
        await bot.edit_message_text("a" * 4097, chat.id, sent.message_id)
    with refused("too long"):
        await bot.send_message_draft(chat.id, 1, "a" * 4097)
    with refused("caption is too long"):
        await bot.send_document(chat.id, b"a", caption="a" * 1025)


@pytest.mark.parametrize(
    ("text", "fields", "problem"),
    [
        ("ab", ("bold", 0, 3), "ends after the end of the text at UTF-16 offset 3"),
        ("ab", ("bold", 2, 1), "begins after the end of the text"),
        ("ab", ("bold", -1, 1), "incorrect offset -1"),
        ("ab", ("bold", 0, 0), "incorrect length 0"),
        ("👋a", ("bold", 1, 1), "begins in a middle of a UTF-16 symbol"),
        ("👋a", ("bold", 0, 1), "ends in a middle of a UTF-16 symbol"),
        ("ab", ("fancy", 0, 1), "Unsupported type specified"),
        ("ab", ("text_link", 0, 1), "is invalid: Wrong HTTP URL"),
        ("ab", ("text_mention", 0, 1), 'Field "user" must be of type Object'),
        ("ab", ("custom_emoji", 0, 1), 'Field "custom_emoji_id" must be a valid Number'),
        ("ab", ("date_time", 0, 1), 'Field "unix_time" must be of type Number'),
    ],
)
async def test_an_entity_must_fit_its_text(
    bot: telegram.Bot, chat: Chat, text: str, fields: tuple[str, int, int], problem: str
) -> None:
    """Entities lie within the text, on whole symbols, and carry what their type needs."""
    with refused(problem):
        await bot.send_message(chat.id, text, entities=[Entity(*fields)])
    assert not chat.answers


@pytest.mark.parametrize(
    "entity",
    [
        3,
        {"offset": 0, "length": 1},
        {"type": "bold", "offset": "0", "length": 1},
        {"type": "bold", "offset": 0, "length": 1, "url": "https://a.example"},
        {"type": "pre", "offset": 0, "length": 1, "language": 3},
    ],
)
async def test_an_entity_must_have_the_right_fields(
    bot: telegram.Bot, chat: Chat, entity: object
) -> None:
    """Fields of a wrong type, or of another type of entity, are refused."""
    with refused("can't parse MessageEntity"):
        await bot.send_message(chat.id, "ab", api_kwargs={"entities": [entity]})


@pytest.mark.parametrize(
    ("url", "is_valid"),
    [
        ("https://a.example/b?c=d#e", True),
        ("a.example", True),
        ("tg://user?id=1", True),
        ("http://127.0.0.1:8080/", True),
        ("https://münchen.example", True),
        ("mailto:a@b.example", False),
        ("javascript:alert(1)", False),
        ("/relative", False),
        ("#anchor", False),
        ("http://localhost", False),
        ("https://a b.example", False),
        ("https://[::1", False),
        ("", False),
    ],
)
async def test_a_link_needs_a_valid_url(
    bot: telegram.Bot, chat: Chat, url: str, *, is_valid: bool
) -> None:
    """A text_link with another scheme, no real host or white space is refused."""
    entities = [Entity("text_link", 0, 1, url=url)]
    if is_valid:
        await bot.send_message(chat.id, "a", entities=entities)
        assert chat.answers[0].entities[0]["url"] == url
    else:
        with refused("Wrong HTTP URL"):
            await bot.send_message(chat.id, "a", entities=entities)


@pytest.mark.parametrize(
    ("outer", "inner", "is_allowed"),
    [
        ("bold", "italic", True),
        ("blockquote", "pre", True),
        ("blockquote", "text_link", True),
        ("text_link", "bold", True),
        ("pre", "bold", False),
        ("code", "text_link", False),
        ("bold", "code", False),
        ("blockquote", "expandable_blockquote", False),
        ("text_link", "url", False),
    ],
)
async def test_nesting(
    bot: telegram.Bot, chat: Chat, outer: str, inner: str, *, is_allowed: bool
) -> None:
    """Code holds and is in nothing but quotes, quotes hold no quotes, links no links."""
    url = {"text_link": "https://a.example"}
    entities = [
        Entity(inner, 1, 1, url=url.get(inner)),
        Entity(outer, 0, 3, url=url.get(outer)),
    ]
    if is_allowed:
        await bot.send_message(chat.id, "abc", entities=entities)
        assert [entity["type"] for entity in chat.answers[0].entities] == [outer, inner]
    else:
        with refused("can't parse entities"):
            await bot.send_message(chat.id, "abc", entities=entities)


async def test_entities_must_not_cross(bot: telegram.Bot, chat: Chat) -> None:
    """Of two entities with common characters, one lies within the other."""
    with refused("can't parse entities: italic at 1 crosses"):
        await bot.send_message(
            chat.id, "abc", entities=[Entity("bold", 0, 2), Entity("italic", 1, 2)]
        )


async def test_entities_follow_the_trimming(bot: telegram.Bot, chat: Chat) -> None:
    """Trimming the text moves, shortens and drops entities."""
    spans = [("bold", 0, 5), ("italic", 4, 4), ("underline", 0, 2)]
    await bot.send_message(chat.id, "  ab c \n", entities=[Entity(*span) for span in spans][:1])
    assert chat.answers[0].entities == [{"type": "bold", "offset": 0, "length": 3}]
    await bot.send_message(chat.id, "  ab c \n", entities=[Entity(*span) for span in spans][1:])
    assert chat.answers[1].entities == [{"type": "italic", "offset": 2, "length": 2}]


async def test_entities_beyond_the_100th_are_ignored_with_a_remark(
    server: TelegramServer, bot: telegram.Bot, chat: Chat
) -> None:
    """The real server drops them in silence; here a test can see it."""
    await bot.send_message(chat.id, "a" * 101, entities=[Entity("bold", i, 1) for i in range(101)])
    assert len(chat.answers[0].entities) == 100
    assert server.remarks == ["101 entities, of which only 100 are kept"]


async def test_parse_modes_are_refused(bot: telegram.Bot, chat: Chat) -> None:
    """The bot under test sends entities, so a parse mode is a mistake."""
    with refused("unsupported parse_mode"):
        await bot.send_message(chat.id, "<b>a</b>", parse_mode="HTML")
