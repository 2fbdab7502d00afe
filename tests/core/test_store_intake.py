"""The contract of every store: what waits for more, edits, deletions, who was admitted."""

from dataclasses import replace

from core.people import Admitted
from core.protocols import Store
from core.types import Chat, Message, Outcome, Outgoing, Seen, Turn
from tests.core.stand_ins import CHAT, GROUP, StandInClock, incoming
from tests.core.storing import expect_turn, put, ready, take_turn, texts

ELSEWHERE = Chat(platform="phone", ref=CHAT.ref, is_private=True)


async def test_a_message_alone_does_not_wait(store: Store, clock: StandInClock) -> None:
    """Nobody waits for a next one that may never come."""
    await put(store, 1)
    _, turn = await take_turn(store, clock)
    assert texts(turn) == ["m1"]


async def test_a_burst_waits_for_its_last_message(store: Store, clock: StandInClock) -> None:
    """While each says that a next one follows, for a second in all; fifty are one turn at most."""
    for number in range(50):
        await store.put(incoming(number, f"m{number}", is_partial=True), "message")
        clock.move(0.019)
        assert not await ready(store)
    for number in range(50, 60):
        await store.put(incoming(number, f"m{number}", is_partial=number < 59), "message")
    lease, turn = await take_turn(store, clock)
    assert len(turn.ids) == 50
    await store.finish(lease, turn, Outcome())
    turn = await expect_turn(store, lease)
    assert len(turn.ids) == 10


async def test_part_of_a_split_text_waits_for_its_rest(store: Store, clock: StandInClock) -> None:
    """The rest of a split paste joins it, if it comes within a second; else it goes alone."""
    await store.put(incoming(1, "m1", is_partial=True), "message")
    clock.move(0.9)
    assert not await ready(store)
    await put(store, 2)
    lease, turn = await take_turn(store, clock)
    assert texts(turn) == ["m1", "m2"]
    await store.put(incoming(3, "m3", is_partial=True), "message")
    await store.finish(lease, turn, Outcome())
    assert await store.next(lease) is None
    clock.move(0.99)
    assert not await ready(store)
    _, turn = await take_turn(store, clock, seconds=0.01)
    assert texts(turn) == ["m3"]


async def test_a_command_does_not_wait(store: Store, clock: StandInClock) -> None:
    """A command makes its chat ready at once, and what stands before it with it."""
    await store.put(incoming(1, "m1", is_partial=True), "message")
    await put(store, 2, kind="command")
    _, turn = await take_turn(store, clock)
    assert texts(turn) == ["m1"]


async def test_an_edit_counts_while_its_message_waits(store: Store, clock: StandInClock) -> None:
    """The words are the new ones, the place in the order and the event the old ones."""
    await put(store, 1, 2)
    assert await store.amend(incoming(1, "better"), "message")
    assert not await store.amend(incoming(3, "unknown"), "message")
    assert not await store.amend(incoming(1, "elsewhere", chat=GROUP), "message")
    lease, turn = await take_turn(store, clock)
    assert texts(turn) == ["better", "m2"]
    assert not await store.amend(incoming(1, "too late"), "message")
    assert not await store.put(incoming(1), "message")
    await store.finish(lease, turn, Outcome())
    assert not await store.amend(incoming(1, "much too late"), "message")


async def test_an_edit_keeps_the_event(store: Store, clock: StandInClock) -> None:
    """An edit is an event of its own, which does not become that of the message."""
    await put(store, 1)
    await store.amend(replace(incoming(9, "/new"), message="1"), "command")
    _, turn = await take_turn(store, clock)
    assert (turn.kind, turn.messages[0].event) == ("command", "bot:1:1")


async def test_a_deleted_message_is_not_answered(store: Store, clock: StandInClock) -> None:
    """Unless its answer is under way; then it stays, and stays known."""
    await put(store, 1, 2)
    assert await store.withdraw(CHAT, "1")
    assert not await store.withdraw(CHAT, "1")
    lease, turn = await take_turn(store, clock)
    assert texts(turn) == ["m2"]
    assert not await store.withdraw(CHAT, "2")
    await store.finish(lease, turn, Outcome())
    await put(store, 3)
    assert await store.withdraw(CHAT, "3")
    assert await store.next(lease) is None
    clock.move(1)
    assert await ready(store) == []


async def test_a_chat_whose_messages_are_all_deleted_is_let_go(
    store: Store, clock: StandInClock
) -> None:
    """It is not leased for nothing, and what comes later is answered."""
    await put(store, 1)
    assert await store.withdraw(CHAT, "1")
    clock.move(1)
    assert await ready(store) == []
    await put(store, 2)
    _, turn = await take_turn(store, clock)
    assert texts(turn) == ["m2"]


async def test_a_chat_can_have_another_ref(store: Store, clock: StandInClock) -> None:
    """What waits, is remembered and was admitted there goes with it."""
    await put(store, 1, chat=GROUP)
    lease, turn = await take_turn(store, clock)
    await store.admit(GROUP.place, Admitted(id=GROUP.id, name="Family"))
    await put(store, 2, chat=GROUP)
    new = replace(GROUP, ref="-1007")
    assert await store.rename(GROUP, new.ref)
    assert not await store.rename(GROUP, new.ref)
    said = Message(role="user", content="m1", tokens=3)
    await store.finish(lease, turn, Outcome(history=(said,)))
    turn = await expect_turn(store, lease)
    assert (texts(turn), turn.state.total) == (["m2"], 3)
    await store.release(lease)
    await put(store, 3, chat=new)
    again, turn = await take_turn(store, clock)
    assert (again.chat, again.chat_id) == (new, lease.chat_id)
    assert await store.admits(new.place, {new.id})


async def test_a_ref_that_is_known_stays_what_it_is(store: Store) -> None:
    """Two chats do not become one."""
    for number, chat in ((1, GROUP), (2, replace(GROUP, ref="-1007"))):
        await put(store, number, chat=chat)
    assert not await store.rename(GROUP, "-1007")
    assert not await store.rename(replace(GROUP, ref="unknown"), "-1008")
    assert {seen.chat.ref for seen in await store.seen("desk")} == {GROUP.ref, "-1007"}


async def test_what_was_seen_last(store: Store) -> None:
    """Every chat of the platform with its newest message, whatever order they came in."""
    for number, chat in ((5, CHAT), (3, CHAT), (4, GROUP), (6, ELSEWHERE)):
        await store.put(incoming(number, chat=chat), "message")
    newest = [
        Seen(chat=CHAT, sent_at=5, waiting=("5", "3")),
        Seen(chat=GROUP, sent_at=4, waiting=("4",)),
    ]
    assert await store.seen("desk") == newest
    assert await store.seen("desk") == newest
    assert await store.seen("nowhere") == []


async def test_what_is_alone_may_overtake(store: Store) -> None:
    """It says nothing about what came before it, unless the chat begins with it."""
    await store.put(incoming(5), "message")
    await store.put(incoming(7, is_alone=True), "question")
    await store.put(incoming(3, chat=GROUP, is_alone=True), "question")
    seen = [(one.chat, one.sent_at) for one in await store.seen("desk")]
    assert seen == [(CHAT, 5), (GROUP, 3)]


async def test_a_question_is_answered_by_itself(store: Store, clock: StandInClock) -> None:
    """Not even with others of the same person that came at once; it can be answered again."""
    for number in (1, 2):
        await store.put(incoming(number, f"m{number}", is_alone=True), "question")
    await put(store, 3, 4)
    lease, turn = await take_turn(store, clock)
    assert texts(turn) == ["m1"]
    await store.finish(lease, turn, Outcome())
    again = await store.last_turn(lease)
    assert again
    assert texts(again) == ["m1"]
    assert texts(await expect_turn(store, lease)) == ["m2"]


async def test_admitting(store: Store) -> None:
    """Each place has its own list."""
    mods, cooks = Admitted(id="desk:7", name="Mods"), Admitted(id="desk:8", name="Cooks")
    await store.admit("desk:1", mods)
    await store.admit("desk:1", cooks)
    await store.admit("desk:2", mods)
    assert await store.admitted("desk:1") == [cooks, mods]
    assert await store.admits("desk:1", {"desk:8", "desk:9"})
    assert not await store.admits("desk:2", {"desk:8", "desk:9"})
    await store.admit("desk:1", Admitted(id="desk:8", name="Chefs"))
    assert await store.dismiss("desk:1", "desk:7")
    assert not await store.dismiss("desk:1", "desk:7")
    assert await store.admitted("desk:1") == [Admitted(id="desk:8", name="Chefs")]
    assert await store.admitted("desk:2") == [mods]


async def test_a_message_moves_to_another_chat(store: Store, clock: StandInClock) -> None:
    """Its work is done there, if it has not begun where it was."""
    await store.put(incoming(1, "m1", is_partial=True, is_alone=True), "question")
    moved = replace(incoming(1, "m1", chat=GROUP), event=incoming(1).event)
    assert await store.move(moved)
    [(lease, work)] = await ready(store)
    assert lease.chat == GROUP
    assert isinstance(work, Turn)
    assert texts(work) == ["m1"]
    assert not await store.move(replace(moved, chat=CHAT))
    await store.finish(lease, work, Outcome())
    assert await store.next(lease) is None
    clock.move(2)
    assert await ready(store) == []


async def test_chats_that_are_leased_together(store: Store, clock: StandInClock) -> None:
    """Each comes with its own work: a text on its way, a turn, or, with nothing, not at all."""
    unsent, asked, known = (Chat(platform="desk", ref=str(n), is_private=True) for n in range(3))
    await put(store, 1, chat=known)
    lease, turn = await take_turn(store, clock)
    await store.finish(lease, turn, Outcome())
    assert await store.next(lease) is None
    await put(store, 2, chat=unsent)
    lease, turn = await take_turn(store, clock)
    await store.finish(lease, turn, Outcome(text="so"))
    await store.release(lease)
    await put(store, 3, 4, chat=asked)
    assert not await store.put(incoming(1, "m1", chat=known), "message")
    clock.move()
    found = {lease.chat: work for lease, work in await ready(store)}
    assert found.keys() == {unsent, asked}
    text, waiting = found[unsent], found[asked]
    assert isinstance(text, Outgoing)
    assert isinstance(waiting, Turn)
    assert (text.text, texts(waiting), waiting.attempts) == ("so", ["m3", "m4"], 1)
    assert not await ready(store)
