"""What every bot hands in, and when: one contract, on every platform."""

import asyncio
import time

from core.errors import StoreError
from core.types import Incoming, Seen
from tests.bots.contract_steps import answer, asked, heard
from tests.bots.inbox import Inbox
from tests.bots.stages import Stage, until


async def wait_for_ever(_: Incoming) -> None:
    """Take a message in and never come back."""
    await asyncio.Event().wait()


async def test_a_message_comes_with_all_that_an_answer_needs(stage: Stage) -> None:
    """Who said what, where, and when by the platform's clock."""
    message = await asked(stage, "What is a lake?")
    bot = stage.serving.bot
    assert (message.text, message.unreadable) == ("What is a lake?", "")
    assert (message.chat.platform, message.chat.is_private) == (bot.name, stage.is_private)
    assert message.chat.ref
    assert message.person.name == stage.person
    assert message.person.id.startswith(f"{bot.name}:")
    assert not message.person.groups
    assert message.message
    assert (message.voice, message.quoted, message.documents) == (None, None, ())
    assert abs(message.sent_at - time.time() * 1000) < 60_000


async def test_messages_come_once_and_in_order(stage: Stage) -> None:
    """Each is an event of its own, of the same chat and the same person."""
    for text in ("one", "two", "three"):
        await answer(stage, await asked(stage, text), "Yes.")
    messages = stage.serving.inbox.messages
    assert stage.serving.inbox.begun == ["one", "two", "three"]
    assert len({message.event for message in messages}) == 3
    assert len({message.message for message in messages}) == 3
    assert len({(message.chat.id, message.person.id) for message in messages}) == 1
    assert [message.sent_at for message in messages] == sorted(m.sent_at for m in messages)


async def test_a_command_comes_in_its_plain_spelling(stage: Stage) -> None:
    """However it is given."""
    await stage.command("model", name="gpt-large")
    assert (await heard(stage)).text == "/model gpt-large"


async def test_what_the_store_does_not_take_is_handed_in_again(stage: Stage) -> None:
    """As the same event: a store that did take it knows it again."""
    failures: list[Incoming] = []

    async def fail_once(incoming: Incoming) -> None:
        if not failures:
            failures.append(incoming)
            raise StoreError("Was it stored?")

    inbox = stage.serving.inbox
    inbox.then = fail_once
    await stage.say("Hello")
    await until(lambda: len(inbox.begun) == 2)
    assert inbox.messages == failures


async def test_what_was_said_meanwhile_comes_after_a_restart(stage: Stage) -> None:
    """Until it is taken in, at each start anew, as it was and in order.

    Whether what comes next in a chat is handed in before is the platform's affair.
    """
    known = await asked(stage, "Hello")
    await stage.serving.end()
    stage.miss("one")
    stage.miss("two")
    messages: list[list[Incoming]] = []

    async def hold(incoming: Incoming) -> None:
        if incoming.event != known.event:  # which comes again if it was not confirmed yet
            await wait_for_ever(incoming)

    for then, last in ((hold, "one"), (None, "two")):
        seen = [Seen(chat=known.chat, sent_at=known.sent_at)]
        inbox = Inbox(known=seen, then=then)
        await stage.serving.begin(inbox)
        await until(lambda: last in inbox.texts)  # noqa: B023
        await stage.serving.end()
        messages.append([message for message in inbox.messages if message.event != known.event])
    first, second = messages
    assert first == second[: len(first)]
    assert [message.text for message in second] == ["one", "two"]


async def test_listening_ends_at_once(stage: Stage) -> None:
    """Whether nothing happens, a message is being stored, or cannot be."""
    await stage.serving.end()
    await stage.serving.begin(Inbox(then=wait_for_ever))
    await stage.say("Hello")
    await heard(stage)
    await stage.serving.end()


async def test_listening_ends_at_once_while_nothing_can_be_stored(stage: Stage) -> None:
    """A pause before the next attempt is no reason to stay."""
    stage.serving.inbox.faults = [StoreError("The disk is full.")] * 1000
    await stage.say("Hello")
    await until(lambda: stage.serving.inbox.begun)
    await stage.serving.end()
    assert not stage.serving.inbox.messages


async def test_an_edit_names_the_message_that_it_changes(stage: Stage) -> None:
    """It is no message of its own, and is handed in again if it has to be."""
    message = await asked(stage, "Helo")
    stage.serving.inbox.faults = [StoreError("The disk is full.")]
    stage.edit("Hello")
    await until(lambda: stage.serving.inbox.edits)
    [edit] = stage.serving.inbox.edits
    assert (edit.chat, edit.message, edit.text) == (message.chat, message.message, "Hello")
    assert edit.person == message.person
    assert stage.serving.inbox.messages == [message]


async def test_a_deletion_names_the_message_that_is_gone(stage: Stage) -> None:
    """It is handed in again if it has to be."""
    message = await asked(stage, "Hello")
    stage.serving.inbox.faults = [StoreError("The disk is full.")]
    stage.delete()
    await until(lambda: stage.serving.inbox.deleted)
    assert stage.serving.inbox.deleted == [(message.chat.ref, message.message)]


async def test_a_bug_behind_the_inbox_is_not_hidden(stage: Stage) -> None:
    """Only a failing store is worth another attempt."""
    stage.serving.inbox.faults = [ZeroDivisionError()]
    await stage.say("Hello")
    assert isinstance(await stage.serving.crash(), ZeroDivisionError)
