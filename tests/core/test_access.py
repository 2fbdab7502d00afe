"""Who may talk: the settings, the owners' decisions, and what strangers are told."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from core.access import Access, Mode
from core.errors import AccessError
from core.protocols import Store
from core.store import open_store
from core.types import Chat, ChatState, Person, Turn, Voice
from tests.core.house import OFFICE, OWNER, House
from tests.core.stand_ins import ANN, BOB, CHAT, GROUP, incoming

TOPIC = Chat(platform="desk", ref="-7/3", is_private=False)
EVE = Person(id="desk:404", name="Eve")


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[Store]:
    """A store in which time passes; Ann, Bob and the owner have written to it."""
    opened = await open_store(tmp_path / "causerie.db")
    for number, person in enumerate((ANN, BOB, OWNER)):
        chat = Chat(platform="desk", ref=f"met {number}", is_private=False)
        await opened.put(incoming(number, chat=chat, person=person), "message")
    yield opened
    await opened.close()


async def check(access: Access, store: Store, chat: Chat, person: Person, *, turn: int) -> None:
    """Let somebody pass, or raise why not."""
    known = await store.known(person.id)
    await access.check(
        Turn(
            ids=(turn,),
            kind="message",
            messages=(incoming(0, chat=chat, person=person),),
            state=ChatState(),
            status=known.status if known else "",
        )
    )


@pytest.mark.parametrize("mode", ["pairing", "open", "closed"])
async def test_who_may_talk(store: Store, mode: Mode) -> None:
    """Owners always; then decisions; then the list of people and chats; then the mode."""
    access = Access(store, mode=mode, owners=[OWNER.id], allowed=[ANN.id, "desk:-7"])
    is_open = mode == "open"
    assert await access.may(incoming(0, chat=CHAT, person=OWNER))
    assert await access.may(incoming(0, chat=CHAT, person=ANN))
    assert await access.may(incoming(0, chat=OFFICE, person=BOB)) == is_open
    assert await access.may(incoming(0, chat=GROUP, person=BOB))
    assert await access.may(incoming(0, chat=TOPIC, person=BOB))
    assert await access.may(incoming(0, chat=OFFICE, person=EVE)) == is_open
    await store.decide(BOB.id, "approved")
    assert await access.may(incoming(0, chat=OFFICE, person=BOB))
    for person in (ANN, BOB, OWNER):
        await store.decide(person.id, "denied")
    assert not await access.may(incoming(0, chat=CHAT, person=ANN))
    assert not await access.may(incoming(0, chat=GROUP, person=BOB))
    assert await access.may(incoming(0, chat=CHAT, person=OWNER))


async def test_a_flood_of_strangers_is_no_flood_for_owners(store: Store) -> None:
    """Of the sixth who asks within an hour owners hear no more, though everybody gets a code."""
    access = Access(store, mode="pairing", owners=[OWNER.id], allowed=[])
    told = []
    for number in range(7):
        stranger = Person(id=f"desk:5{number}", name="Eve")
        await store.put(incoming(50 + number, chat=CHAT, person=stranger), "message")
        with pytest.raises(AccessError, match="this code") as refused:
            await check(access, store, CHAT, stranger, turn=number)
        told += [notice.text for notice in refused.value.notices]
    assert len(told) == 5
    assert "/users lists who else asks" in told[-1]


async def test_a_chat_of_another_platform_is_another(store: Store) -> None:
    """The number of a chat alone allows nothing."""
    access = Access(store, mode="closed", owners=[], allowed=["phone:-7"])
    assert not await access.may(incoming(0, chat=GROUP, person=ANN))


async def test_a_stranger_gets_a_code_in_private(store: Store) -> None:
    """The code and the id are shown; the owners hear of it once, until a new code is due."""
    access = Access(store, mode="pairing", owners=[OWNER.id, "desk:8"], allowed=[])
    with pytest.raises(AccessError, match="Hello Ann!") as first:
        await check(access, store, CHAT, ANN, turn=1)
    assert [notice.person for notice in first.value.notices] == ["desk:8", OWNER.id]
    with pytest.raises(AccessError, match="desk:1") as second:
        await check(access, store, CHAT, ANN, turn=2)
    assert str(second.value) == str(first.value)
    assert second.value.notices == ()


async def test_where_nobody_owns_the_bot_its_first_user_is_told_how(store: Store) -> None:
    """Nobody could approve a code before that."""
    access = Access(store, mode="pairing", owners=[], allowed=[])
    with pytest.raises(AccessError, match=r"if it is you who runs me, put `OWNERS=desk:1`"):
        await check(access, store, CHAT, ANN, turn=1)


async def test_a_stranger_in_a_group_is_sent_to_private(store: Store) -> None:
    """No code is shown where others would read it."""
    access = Access(store, mode="pairing", owners=[], allowed=[])
    with pytest.raises(AccessError, match=r"I do not know you yet, Ann\. Write to me in private"):
        await check(access, store, GROUP, ANN, turn=1)
    assert (await access._store.known(ANN.id)).status == ""  # type: ignore[union-attr]


@pytest.mark.parametrize("mode", ["pairing", "open", "closed"])
async def test_who_was_denied_gets_no_code(store: Store, mode: Mode) -> None:
    """Neither does anybody where the door is closed."""
    await store.decide(ANN.id, "denied")
    access = Access(store, mode=mode, owners=[], allowed=[])
    with pytest.raises(AccessError, match=r"only talk to people my owner has let in\..*`desk:1`"):
        await check(access, store, CHAT, ANN, turn=1)
    if mode != "closed":
        return
    with pytest.raises(AccessError, match="only talk to people"):
        await check(access, store, CHAT, BOB, turn=2)


async def test_who_may_talk_passes(store: Store) -> None:
    """Nothing is said to those who may."""
    access = Access(store, mode="open", owners=[], allowed=[])
    await check(access, store, CHAT, ANN, turn=1)


@pytest.mark.parametrize("mode", ["pairing", "closed"])
async def test_a_stranger_never_costs_anything(store: Store, mode: Mode) -> None:
    """No text, recording or command of a stranger reaches a model."""
    house = House(store=store, mode=mode, first=10)
    note = Voice(ref="note")
    async with house.running():
        await house.bot.until(3)
        for chat in (CHAT, GROUP):
            await house.ask("hi", chat=chat)
            await house.ask(voice=note, chat=chat)
            await house.ask("/transcribe", voice=note, chat=chat)
            await house.ask("/translate hi", chat=chat)
            await house.ask("/retry", chat=chat)
            await house.ask("/context", chat=chat)
            assert (await house.ask("/id", chat=chat)).startswith("You are `desk:1`.")
        assert (await house.ask("hi", chat=OFFICE, person=OWNER)) == "You said: hi"
    assert len(house.model.prompts) == 1
    assert house.transcriber.heard == []
