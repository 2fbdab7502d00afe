"""Edits and deletions while a message waits, and questions that are answered by themselves."""

from dataclasses import replace

import pytest

from core.protocols import Store
from tests.core.house import Gate, House
from tests.core.stand_ins import CHAT, GROUP, StandInModel, echo


@pytest.fixture
def clock() -> None:
    """Time passes in the store."""


async def test_what_waits_can_still_be_changed(store: Store) -> None:
    """While an answer is written, the next question is edited and the one after it deleted."""
    gate = Gate()
    house = House(store=store, model=StandInModel(gate))
    async with house.running():
        await house.say("one")
        await gate.until_reached()
        first, second = house.message("tow"), house.message("three", is_alone=True)
        for incoming in (first, second):
            await house.inbox.receive(incoming)
        await house.inbox.amend(replace(first, text="two"))
        await house.inbox.withdraw(CHAT, second.message)
        house.model.script = echo
        gate.opened.set()
        assert (await house.bot.until(2))[1] == "You said: two"
        assert await house.ask("four") == "You said: four"
    assert [seen.sent_at for seen in await house.inbox.seen("desk")] == [first.sent_at + 2]


async def test_an_edit_can_make_a_command(store: Store) -> None:
    """What a message is goes by its words."""
    gate = Gate()
    house = House(store=store, model=StandInModel(gate))
    async with house.running():
        await house.say("one")
        await gate.until_reached()
        incoming = house.message("/nwe")
        await house.inbox.receive(incoming)
        await house.inbox.amend(replace(incoming, text="/new"))
        gate.opened.set()
        assert (await house.bot.until(2))[1].startswith("A new start")


async def test_a_question_that_is_stopped_is_answered(store: Store) -> None:
    """Where a platform waits for an answer to just this message, it gets one."""
    gate = Gate(before="")
    house = House(store=store, model=StandInModel(gate))
    async with house.running():
        await house.say("hi", is_alone=True)
        await gate.until_reached()
        await house.say("/stop", is_alone=True)
        assert await house.bot.until(2) == ["Stopped.", "Stopped."]


async def test_a_question_can_be_answered_again(store: Store) -> None:
    """It is a turn like any other."""
    house = House(store=store)
    async with house.running():
        assert await house.ask("hi", is_alone=True) == "You said: hi"
        assert await house.ask("/retry", is_alone=True) == "You said: hi"


async def test_a_question_can_wait_elsewhere(store: Store) -> None:
    """Moved before anybody began with it, it is answered where it is then."""
    house = House(store=store)
    incoming = house.message("hi", is_alone=True, is_partial=True)
    async with house.running():
        await house.inbox.receive(incoming)
        await house.inbox.move(replace(incoming, chat=GROUP))
        await house.bot.until(1)
    assert house.bot.texts(GROUP)
    assert not house.bot.texts(CHAT)


async def test_a_chat_is_remembered_under_another_ref(
    store: Store, caplog: pytest.LogCaptureFixture
) -> None:
    """Whoever set the bot up reads where a setting names the old one."""
    house = House(store=store, mode="closed", allowed=[GROUP.id])
    new = replace(GROUP, ref="-1007")
    async with house.running():
        await house.ask("one", chat=GROUP)
        await house.inbox.rename(GROUP, new.ref)
        await house.inbox.rename(GROUP, new.ref)
        assert "only talk to people" in await house.ask("two", chat=new)
        await house.inbox.rename(new, GROUP.ref)
        await house.ask("three", chat=GROUP)
    assert [message.content for message in house.model.prompts[-1][1:]] == [
        "one",
        "You said: one",
        "three",
    ]
    assert caplog.messages.count("ALLOWED should name the latter, too") == 1
