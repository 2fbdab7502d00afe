"""What people can do about what is stored of them, as they do it."""

import io
import json
import zipfile
from collections.abc import AsyncIterator
from typing import Any

import pytest

from core.protocols import Store
from core.types import Document, File, Quoted, Voice
from tests.core.house import OFFICE, OWNER, Gate, House
from tests.core.stand_ins import ANN, BOB, CHAT, GROUP
from tests.core.talks import BOBS, dump, rows_of

VOICE = Voice(ref="file-7", name="note.ogg", seconds=2.0)


@pytest.fixture
def clock() -> None:
    """Time passes in the store."""


@pytest.fixture
async def house(store: Store) -> AsyncIterator[House]:
    """A house that is served, and its owner known."""
    house = House(store=store)
    async with house.running():
        await house.ask("I am the owner", chat=OFFICE, person=OWNER)
        yield house


def unpacked(file: File) -> tuple[dict[str, Any], str]:
    """Return what an export holds: the data, and the page to read."""
    assert (file.name, file.mime) == ("causerie-export.zip", "application/zip")
    with zipfile.ZipFile(io.BytesIO(file.data)) as archive:
        assert archive.testzip() is None
        assert sorted(archive.namelist()) == ["chats.md", "data.json"]
        return json.loads(archive.read("data.json")), archive.read("chats.md").decode()


class TestExport:
    """`/export`."""

    async def test_everything_comes_as_data_and_to_read(self, house: House) -> None:
        """Words, recordings, answers and costs, by chat, in their order."""
        await house.ask("My cat is called Ö 🐈")
        await house.ask("", voice=VOICE)
        await house.ask("What is it?", documents=(Document(ref="d", name="cat.txt"),))
        await house.ask("/persona brief")
        assert "everything" in await house.ask("/export")
        data, page = unpacked(house.bot.files[0])
        assert data["person"] == [{"id": ANN.id, "name": "Ann", "status": ""}]
        [chat] = data["chats"]
        assert (chat["is_private"], chat["persona"]) == (1, "brief")
        texts = [message["text"] for message in chat["messages"]]
        assert texts == ["My cat is called Ö 🐈", "", "What is it?", "/persona brief", "/export"]
        assert chat["messages"][1]["transcript"] == "good morning"
        assert chat["messages"][2]["documents"][0]["name"] == "cat.txt"
        assert [m["is_answered"] for m in chat["messages"]] == [True] * 4 + [False]
        assert [m["role"] for m in chat["history"]] == ["user", "assistant"] * 3
        assert {call["purpose"] for call in chat["calls"]} == {"chat", "transcribe"}
        told = [page.index(words) for words in ("# Ann", "cat is", "good morning", "From now on")]
        assert told == sorted(told)
        assert "4 paid calls" in page

    async def test_in_a_group_it_goes_to_the_private_chat(self, house: House) -> None:
        """With nothing of what others said there, not even what was quoted."""
        await house.ask("secret of mine")
        await house.ask("Bob's words", chat=GROUP, person=BOB)
        await house.ask("Ann's words", chat=GROUP, quoted=Quoted(name="Bob", text="Bob's words"))
        count = len(house.bot.sent)
        await house.say("/export", chat=GROUP)
        await house.bot.until(count + 2)
        sent = {ref: text for ref, _, text in house.bot.sent[count:]}
        assert sent[GROUP.ref] == "I have sent it to you in private."
        assert "everything" in sent[CHAT.ref]
        data, _ = unpacked(house.bot.files[0])
        assert [chat["ref"] for chat in data["chats"]] == [CHAT.ref, GROUP.ref]
        [asked] = [m for m in data["chats"][1]["messages"] if m["text"] == "Ann's words"]
        assert asked["replied_to"] is None

    async def test_where_nobody_else_reads(self, house: House) -> None:
        """Who has no private chat with the bot is asked to open one."""
        assert "in private first" in await house.ask("/export", chat=GROUP)
        assert not house.bot.files

    async def test_what_was_said_to_the_bot_is_told_with_it(self, house: House) -> None:
        """A summary of a private chat, what waits, and what the bot's own words were."""
        await house.ask("one", quoted=Quoted(text="my own answer"))
        await house.store.compact(2, old=0, new=await end(house), summary="Ann counts")
        gate = Gate()
        house.model.script = gate
        await house.say("two", chat=GROUP)
        await gate.until_reached()
        count = len(house.bot.sent)
        await house.say("/export")
        await house.bot.until(count + 1)
        gate.opened.set()
        data, page = unpacked(house.bot.files[0])
        assert data["chats"][0]["summary"] == "Ann counts"
        assert "summary" not in data["chats"][1]
        assert data["chats"][0]["messages"][0]["replied_to"] == "my own answer"
        assert "Ann counts" in page
        assert "not answered yet" in page


async def end(house: House) -> int:
    """Return where the history of the second chat ends."""
    return int((await rows_of(house.store, "chat WHERE id = 2"))[0]["total"])


class TestForget:
    """`/forget`."""

    async def test_it_asks_then_does_it(self, house: House) -> None:
        """How much there is, then nothing of it; the bot knows them no more."""
        await house.ask("My cat is called Mia")
        await house.ask("And my dog Rex")
        asked = await house.ask("/forget")
        assert "2 messages of yours, 2 answers to them, 0 summaries" in asked
        assert "2 entries" in asked
        assert "`/forget yes`" in asked
        assert "Mia" in await dump(house.store)
        assert "forgotten you" in await house.ask("/forget YES")
        assert await house.ask("Who am I?") == "You said: Who am I?"
        assert [m.content for m in house.model.prompts[-1]] == ["Be kind.", "Who am I?"]
        found = await dump(house.store)
        assert "Mia" not in found
        assert "Rex" not in found

    async def test_not_without_having_been_told(self, house: House) -> None:
        """A confirmation counts where and for whom it was asked for."""
        await house.ask("hello")
        for chat, person in ((GROUP, ANN), (CHAT, BOB)):
            await house.ask("/forget", chat=chat, person=person)
        assert "/forget first" in await house.ask("/forget yes")
        assert "hello" in await dump(house.store)

    async def test_what_waits_is_told(self, house: House) -> None:
        """A single one of each is counted as one."""
        gate = Gate()
        house.model.script = gate
        await house.say("slow", chat=GROUP)
        await gate.until_reached()
        told = await house.ask("/forget")
        gate.opened.set()
        assert "0 messages of yours, 1 message that I have not answered yet, 0 answers" in told

    async def test_strangers_may_as_well(self, store: Store) -> None:
        """Who was never let in can see and delete what they wrote all the same."""
        house = House(store=store, mode="closed")
        async with house.running():
            await house.ask("let me in")
            await house.ask("/export")
            data, _ = unpacked(house.bot.files[0])
            assert data["chats"][0]["messages"][0]["text"] == "let me in"
            await house.ask("/forget")
            await house.ask("/forget yes")
        assert "let me in" not in await dump(store)

    async def test_an_answer_under_way_elsewhere_is_dropped(self, house: House) -> None:
        """It is not said any more, nor remembered; the chat goes on."""
        await house.ask("hello")
        gate = Gate(before="Your secret")
        house.model.script = gate
        await house.say("slow", chat=GROUP)
        await gate.until_reached()
        await house.ask("/forget")
        await house.ask("/forget yes")
        house.model.script = None
        gate.opened.set()
        await house.ask("next", chat=GROUP, person=BOB)
        assert house.bot.texts(GROUP) == ["You said: next"]
        assert "secret" not in await dump(house.store)
        people = {total.id for total in await house.store.totals("person")}
        assert people == {OWNER.id, BOB.id, "anonymous"}


class TestPrivate:
    """`/private`."""

    async def test_it_remembers_what_came_before_and_keeps_nothing(self, house: House) -> None:
        """Answers know the memory of the chat, but not what was said off the record."""
        await house.ask("My name is Ann Lee")
        assert (await house.ask("/private ON")).startswith("Private:")
        await house.ask("My secret is heliotrope")
        await house.ask("", voice=VOICE)
        await house.ask("/translate geheim")
        assert [m.content for m in house.model.prompts[2]][1:] == [
            "My name is Ann Lee",
            "You said: My name is Ann Lee",
            "My secret is heliotrope",
        ]
        assert "nothing that is said now is kept" in await house.ask("/context")
        assert (await house.ask("/private")).startswith("Private:")
        assert "I remember what is said here" in await house.ask("/private off")
        await house.ask("What do you know?")
        shown = [m.content for m in house.model.prompts[-1]]
        assert shown[1:] == [
            "My name is Ann Lee",
            "You said: My name is Ann Lee",
            "What do you know?",
        ]
        found = await dump(house.store)
        for secret in ("heliotrope", "geheim", "good morning"):
            assert secret not in found
        assert (await house.store.totals("person", person=ANN.id))[0].calls == 6

    async def test_a_question_is_answered_again_without_being_kept(self, house: House) -> None:
        """The answer that was remembered stays the one."""
        await house.ask("hello")
        await house.ask("/private on")
        await house.ask("/retry")
        history = await rows_of(house.store, "message WHERE chat_id = 2")
        assert [row["content"] for row in history] == ["hello", "You said: hello"]

    async def test_a_stopped_answer_is_not_kept(self, house: House) -> None:
        """Nor what was said of it."""
        await house.ask("/private on")
        gate = Gate(before="a secret")
        house.model.script = gate
        await house.say("slow secret")
        await gate.until_reached()
        count = len(house.bot.sent)
        await house.say("/stop")
        await house.bot.until(count + 2)
        house.model.script = None
        await house.ask("go on")
        assert "secret" not in await dump(house.store)


async def test_owners_see_counts_never_texts(house: House) -> None:
    """No command of theirs shows what somebody wrote or was told."""
    await house.ask("MySecret", chat=BOBS, person=BOB)
    for command in (
        *("/users", "/usage all everyone", "/context", "/export", "/help", "/id"),
        *("/limit desk:2 $1", "/grant desk:2 $1", "/deny desk:2", "/approve desk:2", "/forget"),
    ):
        answer = await house.ask(command, chat=OFFICE, person=OWNER)
        assert "MySecret" not in answer, command
    data, page = unpacked(house.bot.files[-1])
    assert "MySecret" not in json.dumps(data) + page
