"""Faults on request, flood limits, and the command menu."""

import asyncio
from datetime import timedelta

import aiohttp
import pytest
import telegram
from telegram.error import NetworkError, RetryAfter, TimedOut

from tests.servers.telegram import Chat, Limits, TelegramServer, User
from tests.servers.telegram.limits import Pace
from tests.servers.telegram.params import ApiError
from tests.servers.test_telegram.bot import refused


async def test_a_429_names_the_seconds_and_impatience_is_remarked(
    server: TelegramServer, bot: telegram.Bot, chat: Chat, group: Chat
) -> None:
    """Only the chosen chat is refused; a call before its time is over is seen."""
    fault = server.fail_next("sendMessage", retry_after=7, times=2, place=chat)
    await bot.send_message(group.id, "a")
    for _ in range(2):
        with pytest.raises(RetryAfter) as caught:
            await bot.send_message(chat.id, "a")
        assert caught.value.retry_after == timedelta(seconds=7)
    assert (fault.used, fault.left) == (2, 0)
    assert not server.remarks
    await bot.send_message(chat.id, "a")
    (remark,) = server.remarks
    assert "before its retry_after was over" in remark


async def test_errors_of_servers_and_gateways(
    server: TelegramServer, bot: telegram.Bot, chat: Chat
) -> None:
    """A refusal may be the API's JSON or a gateway's HTML; nothing was done."""
    server.fail_next("*", status=500)
    server.fail_next("*", status=502, is_html=True)
    server.fail_next("*", status=400, description="Bad Request: can't parse entities: so")
    with pytest.raises(NetworkError, match="Internal Server Error"):
        await bot.send_message(chat.id, "a")
    with pytest.raises(NetworkError, match="Bad Gateway"):
        await bot.send_message(chat.id, "a")
    with refused("can't parse entities"):
        await bot.send_message(chat.id, "a")
    assert not chat.answers
    assert [call.is_done for call in chat.calls] == [False, False, False]


async def test_a_done_call_keeps_its_caller_waiting(
    server: TelegramServer, bot: telegram.Bot, chat: Chat
) -> None:
    """People see what was done although the bot has no answer yet."""
    fault = server.hold_next("sendMessage", place=chat)
    sending = asyncio.create_task(bot.send_message(chat.id, "a"))
    await chat.answer(1)
    assert not sending.done()
    fault.release()
    assert (await sending).message_id == chat.answers[0].id


@pytest.mark.parametrize("is_done", [False, True])
async def test_a_connection_closes_before_the_reply(
    server: TelegramServer, bot: telegram.Bot, chat: Chat, *, is_done: bool
) -> None:
    """A lost reply looks the same to the bot, whether it was done or not."""
    server.drop_next("sendMessage", is_done=is_done)
    with pytest.raises(NetworkError):
        await bot.send_message(chat.id, "a")
    assert len(chat.answers) == is_done
    assert chat.calls[0].is_done == is_done
    await bot.send_message(chat.id, "a")


async def test_calls_can_be_held(server: TelegramServer, bot: telegram.Bot, chat: Chat) -> None:
    """A delay lasts its seconds, or until it is released; a client may give up before."""
    fault = server.delay_next("sendMessage", times=2)
    with pytest.raises(TimedOut):
        await bot.send_message(chat.id, "a", read_timeout=0.1)
    call = asyncio.create_task(bot.send_message(chat.id, "b"))
    await server.until(lambda: fault.used == 2)
    assert not chat.answers
    fault.release()
    await call
    server.delay_next("sendMessage", seconds=0.01)
    await bot.send_message(chat.id, "c")
    assert [answer.text for answer in chat.answers] == ["b", "c"]


@pytest.mark.parametrize("is_done", [False, True])
async def test_downloads_fail_too(
    server: TelegramServer, bot: telegram.Bot, ann: User, chat: Chat, *, is_done: bool
) -> None:
    """Downloads are the method `file`."""
    voice = chat.say_voice(ann, b"a").content["voice"]
    file = await bot.get_file(voice["file_id"])
    server.drop_next("file", is_done=is_done)
    with pytest.raises(NetworkError):
        await file.download_as_bytearray()
    server.fail_next("file", status=502, is_html=True)
    with pytest.raises(NetworkError):
        await file.download_as_bytearray()
    assert await file.download_as_bytearray() == b"a"


async def test_what_is_held_ends_with_the_server() -> None:
    """Leaving the server lets go of calls that a fault holds."""
    async with TelegramServer() as server:
        server.delay_next("getMe")
        async with aiohttp.ClientSession() as session:
            call = asyncio.create_task(session.get(f"{server.url}/bot{server.token}/getMe"))
            await server.until(lambda: server.calls)
            await server.__aexit__()
            assert (await call).status == 200


class Clock:
    """A clock that stands until told."""

    now = 1000.0

    def __call__(self) -> float:
        """Return the time."""
        return self.now


def spend(pace: Pace, chat: int, *, is_private: bool, is_draft: bool = False) -> int:
    """Return how many messages pass at once."""
    for count in range(1000):
        try:
            pace.count(chat, is_private=is_private, is_draft=is_draft)
        except ApiError:
            return count
    return 1000


def test_documented_flood_limits() -> None:
    """One message a second in a private chat, 20 a minute in a group, 30 a second in all."""
    clock = Clock()
    pace = Pace(Limits.documented(), clock)
    assert spend(pace, 1, is_private=True) == 5
    assert pace.early(1) == 1
    clock.now += 2
    assert spend(pace, 1, is_private=True) == 2
    clock.now += 2
    assert spend(pace, -1, is_private=False) == 20
    assert spend(pace, 2, is_private=True) == 5
    assert spend(pace, 3, is_private=True) == 5
    assert spend(pace, 4, is_private=True) == 0
    clock.now += 59
    assert pace.early(4) == 0
    assert spend(pace, -1, is_private=False) == 0
    clock.now += 1
    assert spend(pace, -1, is_private=False) == 20
    assert spend(pace, 1, is_private=True, is_draft=True) == 1000


async def test_the_flood_limits_of_a_server(
    server: TelegramServer, bot: telegram.Bot, chat: Chat, group: Chat
) -> None:
    """Limits are off until they are set; drafts can be limited by themselves."""
    for _ in range(25):
        await bot.send_message(group.id, "a")
    server.limits = Limits(group_per_minute=2, drafts_per_second=1, private_burst=1)
    assert server.limits.private_burst == 1
    for _ in range(2):
        sent = await bot.send_message(group.id, "a")
    with pytest.raises(RetryAfter) as caught:
        await bot.edit_message_text("b", group.id, sent.message_id)
    assert caught.value.retry_after == timedelta(seconds=60)
    await bot.send_message_draft(chat.id, 1, "a")
    with pytest.raises(RetryAfter):
        await bot.send_message_draft(chat.id, 1, "b")
    await bot.send_message(chat.id, "c")


async def test_the_command_menu(server: TelegramServer, bot: telegram.Bot, chat: Chat) -> None:
    """A list of commands belongs to one scope and language."""
    await bot.set_my_commands([("help", "Show help")])
    scope = telegram.BotCommandScopeChat(chat.id)
    await bot.set_my_commands([("hilfe", "Hilfe zeigen")], scope=scope, language_code="de")
    assert (await bot.get_my_commands())[0].command == "help"
    assert (await bot.get_my_commands(scope=scope, language_code="de"))[0].command == "hilfe"
    assert await bot.get_my_commands(scope=scope) == ()
    await bot.delete_my_commands()
    assert await bot.get_my_commands() == ()
    assert not server.remarks


@pytest.mark.parametrize(
    ("commands", "problem"),
    [
        ([("Help", "a")], "Bot_command_invalid"),
        ([("a-b", "a")], "Bot_command_invalid"),
        ([("a" * 33, "a")], "Bot_command_invalid"),
        ([("a", "")], "Bot_command_description_invalid"),
        ([("a", "a" * 257)], "Bot_command_description_invalid"),
        ([(f"a{i}", "a") for i in range(101)], "Bot_commands_too_much"),
        ([("a", "a"), ("a", "b")], "Bot_command_duplicate"),
    ],
)
async def test_commands_are_checked(
    bot: telegram.Bot, commands: list[tuple[str, str]], problem: str
) -> None:
    """Names are [a-z0-9_]{1,32}, descriptions 1-256 characters, lists at most 100 long."""
    with refused(problem):
        await bot.set_my_commands(commands)


async def test_scopes_are_checked(bot: telegram.Bot) -> None:
    """A scope needs its fields, a language two letters, a command an object."""
    for wrong, problem in {
        '{"type": "all"}': "Unsupported type",
        '{"type": "chat"}': "fields",
        '{"type": "chat", "chat_id": 5}': "Chat not found",
    }.items():
        with refused(problem):
            await bot.get_my_commands(api_kwargs={"scope": wrong})
    with refused("invalid language code"):
        await bot.get_my_commands(language_code="deu")
    for odd in ('["a"]', '[{"command": "a"}]'):
        with refused("can't parse BotCommand"):
            await bot.set_my_commands([], api_kwargs={"commands": odd})
