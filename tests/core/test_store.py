"""The contract of every store, part one: messages in, chats leased, turns finished, texts out."""

import asyncio
from dataclasses import replace

import pytest

from core.errors import LeaseLostError
from core.protocols import Store
from core.types import (
    Chat,
    Notice,
    Outcome,
    Outgoing,
    Person,
    Quoted,
    Transcript,
    Turn,
    Usage,
    Voice,
)
from tests.core.stand_ins import ANN, BOB, CHAT, GROUP, StandInClock, incoming, said
from tests.core.storing import CEE, expect_turn, put, ready, take, take_turn, texts


async def test_a_message_comes_back_as_it_went_in(store: Store, clock: StandInClock) -> None:
    """The stored row is enough to answer: nothing of a message is lost."""
    chat = Chat(platform="desk", ref="-7/3", is_private=False, title="Family ☕")
    message = incoming(
        1,
        "héllo 😀\n\x00",
        chat=replace(chat, places=("desk:5", "desk:6")),
        person=Person(id="desk:1", name="Ann", groups=("desk:8",), is_host=True),
        is_alone=True,
        voice=Voice(ref="file", seconds=1.5, size=10, mime="audio/ogg", name="a.ogg"),
        quoted=Quoted(name="Bob", text="before", voice=Voice(ref="older")),
        unreadable="a picture",
    )
    assert await store.put(message, "message")
    lease, turn = await take_turn(store, clock)
    assert turn.messages == (message,)
    assert lease.chat == chat
    assert (turn.kind, turn.attempts, turn.posted, turn.stops) == ("message", 1, (), ())


async def test_an_event_is_taken_in_once(store: Store, clock: StandInClock) -> None:
    """A redelivered event changes nothing, not even after it was answered."""
    await put(store, 1)
    assert not await store.put(incoming(1, "other words"), "message")
    lease, turn = await take_turn(store, clock)
    assert texts(turn) == ["m1"]
    await store.finish(lease, turn, Outcome())
    assert await store.next(lease) is None
    assert not await store.put(incoming(1, "m1"), "message")
    clock.move()
    assert not await ready(store)


async def test_events_are_told_apart_by_platform(store: Store) -> None:
    """The same event id on another platform is another message."""
    other = Chat(platform="phone", ref=CHAT.ref, is_private=True)
    await put(store, 1)
    await put(store, 1, chat=other)


async def test_text_that_no_database_takes_is_mended(store: Store, clock: StandInClock) -> None:
    """Half a character is replaced, wherever it stands, instead of failing for ever."""
    person = Person(id="desk:1", name="An\udcffn")
    chat = Chat(platform="desk", ref="1", is_private=True, title="\ud800")
    await store.put(incoming(1, "\ud83d\ude00 \ud83d!", chat=chat, person=person), "message")
    lease, turn = await take_turn(store, clock)
    assert texts(turn) == ["😀 \ufffd!"]
    assert turn.person.name == "An\ufffdn"
    outgoing = await store.finish(lease, turn, Outcome(text="\ude00", history=(said("\ud83d"),)))
    assert outgoing
    assert outgoing.text == "\ufffd"


async def test_only_asked_platforms_are_leased(store: Store, clock: StandInClock) -> None:
    """A process works on the chats of its own bots; the longest wait comes first."""
    other = Chat(platform="phone", ref="9", is_private=True)
    for number, chat in enumerate((GROUP, other, CHAT)):
        await put(store, number, chat=chat)
        clock.move(0.02)
    work, _ = await store.lease(["desk", "none"], 9)
    assert [lease.chat for lease, _ in work] == [GROUP, CHAT]
    work, _ = await store.lease(["phone"], 9)
    assert [lease.chat for lease, _ in work] == [other]


async def test_lease_keeps_its_limit_and_tells_when_to_come_back(
    store: Store, clock: StandInClock
) -> None:
    """No more chats are leased than asked for; what is left is ready at once, or when it says."""
    chats = [Chat(platform="desk", ref=str(n), is_private=True) for n in range(5)]
    for number, chat in enumerate(chats):
        await put(store, number, chat=chat)
        clock.move(0.001)
    work, wait = await store.lease(["desk"], 3)
    assert [lease.chat for lease, _ in work] == chats[:3]
    assert wait == 0
    work, wait = await store.lease(["desk"], 3)
    assert [lease.chat for lease, _ in work] == chats[3:]
    assert wait == pytest.approx(5)
    clock.move()
    assert await store.lease(["none"], 3) == ([], 5)
    other = Chat(platform="phone", ref="9", is_private=True)
    await store.put(incoming(9, chat=other, is_partial=True), "message")
    assert await store.lease(["phone"], 9) == ([], 1)


async def test_one_worker_at_a_time_has_a_chat(store: Store, clock: StandInClock) -> None:
    """A leased chat is not leased again before its lease has ended; renewing prolongs it."""
    await put(store, 1)
    lease, _ = await take(store, clock)
    await put(store, 2)
    clock.move(14)
    assert not await ready(store)
    assert await store.renew([lease]) == set()
    clock.move(14)
    assert not await ready(store)
    clock.move(1)
    [(second, turn)] = await ready(store)
    assert isinstance(turn, Turn)
    assert turn.attempts == 2
    assert second.epoch > lease.epoch
    assert await store.renew([lease, second]) == {lease.chat_id}


async def test_a_late_worker_writes_nothing(store: Store, clock: StandInClock) -> None:
    """Whoever lost the lease is refused by every method, and changes nothing."""
    await put(store, 1)
    late, turn = await take_turn(store, clock)
    lease, again = await take_turn(store, clock, seconds=15)
    usage = Usage(purpose="chat", model="m", input=1)
    transcript = Transcript(text="hm", usage=(usage,))
    outcome = Outcome(text="late", history=(said("late"),), usage=(usage,))
    for refused in (
        store.next(late),
        store.release(late, turn=turn),
        store.postpone(late, 0),
        store.finish(late, turn, outcome),
        store.heard(late, turn, 0, transcript),
        store.forget(late),
        store.choose(late, model="m"),
        store.last_turn(late),
    ):
        with pytest.raises(LeaseLostError):
            await refused
    assert await store.window(lease.chat_id, start=0) == []
    await store.release(lease, turn=again)
    lease, again = await take_turn(store, clock)
    assert again.attempts == 2
    assert not again.transcripts
    assert again.state.model == ""


async def test_a_late_renewal_shortens_no_lease(store: Store, clock: StandInClock) -> None:
    """Of two that overtake each other, the one that began later counts."""
    await put(store, 1)
    lease, _ = await take(store, clock)
    clock.move(10)
    await store.renew([lease])
    clock.move(-9)
    await store.renew([lease])
    clock.move(20)
    assert await store.lease(["desk"], 1) == ([], 4.0)


@pytest.mark.parametrize("ending", ["release", "postpone", "next"])
async def test_a_lease_given_up_cannot_be_renewed(
    store: Store, clock: StandInClock, ending: str
) -> None:
    """A heartbeat that was under way when the work ended does not hold the chat any longer."""
    await put(store, 1)
    lease, turn = await take_turn(store, clock)
    if ending == "release":
        await store.release(lease)
    elif ending == "postpone":
        await store.postpone(lease, 1)
    else:
        await store.finish(lease, turn, Outcome())
        assert await store.next(lease) is None
    assert await store.renew([lease]) == {lease.chat_id}
    with pytest.raises(LeaseLostError):
        await store.next(lease)


async def test_a_postponed_chat_rests_whatever_arrives(store: Store, clock: StandInClock) -> None:
    """A back-off is kept even when the person writes again; the retry counts as an attempt."""
    await put(store, 1)
    lease, _ = await take(store, clock)
    await store.postpone(lease, 5)
    await put(store, 2)
    clock.move(4.99)
    assert not await ready(store)
    assert (await store.lease(["desk"], 9))[1] == pytest.approx(0.01)
    _, turn = await take_turn(store, clock, seconds=0.01)
    assert (texts(turn), turn.attempts) == (["m1"], 2)


async def test_released_work_does_not_count_as_attempted(
    store: Store, clock: StandInClock
) -> None:
    """What was let go unfinished is ready at once, as if it had never been taken up."""
    await put(store, 1, 2)
    lease, turn = await take_turn(store, clock)
    await store.release(lease, turn=turn)
    [(lease, again)] = await ready(store)
    assert again == turn
    await store.release(lease)
    [(_, again)] = await ready(store)
    assert isinstance(again, Turn)
    assert again.attempts == 2


async def test_what_one_person_writes_in_a_row_is_one_turn(
    store: Store, clock: StandInClock
) -> None:
    """Messages merge up to the next person or command; a command stands alone."""
    await put(store, 1, 2, chat=GROUP)
    await put(store, 3, chat=GROUP, person=BOB)
    await put(store, 4, chat=GROUP)
    await put(store, 5, 6, chat=GROUP, kind="command")
    await put(store, 7, chat=GROUP)
    lease, turn = await take_turn(store, clock)
    found = []
    while turn:
        found.append((turn.kind, turn.person, texts(turn)))
        assert turn.id == turn.ids[0]
        await store.finish(lease, turn, Outcome())
        work = await store.next(lease)
        if work is None:
            break
        assert isinstance(work, Turn)
        turn = work
    assert found == [
        ("message", ANN, ["m1", "m2"]),
        ("message", BOB, ["m3"]),
        ("message", ANN, ["m4"]),
        ("command", ANN, ["m5"]),
        ("command", ANN, ["m6"]),
        ("message", ANN, ["m7"]),
    ]


async def test_a_turn_that_is_tried_again_stays_as_it_was(
    store: Store, clock: StandInClock
) -> None:
    """What came after a failed attempt is a turn of its own, so that poison stays alone."""
    await put(store, 1, 2)
    lease, _ = await take(store, clock)
    await put(store, 3)
    await store.postpone(lease, 0)
    lease, turn = await take_turn(store, clock)
    assert (texts(turn), turn.attempts) == (["m1", "m2"], 2)
    await store.finish(lease, turn, Outcome(buried="poison"))
    turn = await expect_turn(store, lease)
    assert (texts(turn), turn.attempts) == (["m3"], 1)


async def test_waiting_stops_are_seen(store: Store, clock: StandInClock) -> None:
    """A turn tells whose /stop waits behind it, its own and later ones excepted."""
    await put(store, 1, chat=GROUP)
    await put(store, 2, chat=GROUP, person=BOB, kind="stop")
    await put(store, 3, chat=GROUP, person=CEE, kind="stop")
    lease, turn = await take_turn(store, clock)
    assert [stop.person for stop in turn.stops] == [BOB, CEE]
    await store.finish(lease, turn, Outcome())
    turn = await expect_turn(store, lease)
    assert turn.kind == "stop"
    assert [stop.person for stop in turn.stops] == [CEE]


async def test_a_message_put_while_its_chat_is_leased_is_found(
    store: Store, clock: StandInClock
) -> None:
    """Whether it comes before or after the worker's last look, it is answered next."""
    await put(store, 1)
    lease, turn = await take_turn(store, clock)
    await store.finish(lease, turn, Outcome())
    _, last = await asyncio.gather(put(store, 2), store.next(lease))
    if last is None:
        _, last = await take_turn(store, clock)
    assert isinstance(last, Turn)
    assert texts(last) == ["m2"]


async def test_texts_come_out_in_order_before_new_work(store: Store, clock: StandInClock) -> None:
    """An unsent text blocks what follows in its chat, until it is said to stand there."""
    await put(store, 1, 2, chat=GROUP)
    await put(store, 3, chat=GROUP, person=BOB)
    lease, turn = await take_turn(store, clock)
    outgoing = await store.finish(lease, turn, Outcome(text="hello"))
    assert outgoing
    assert (outgoing.turn, outgoing.to, outgoing.text) == (turn.id, "2", "hello")
    assert outgoing.chat == GROUP
    assert await store.next(lease) == outgoing
    await store.postpone(lease, 0)
    lease, again = await take(store, clock)
    assert again == outgoing
    work = await store.next(lease, sent=outgoing.id)
    assert isinstance(work, Turn)
    assert texts(work) == ["m3"]


async def test_receipts_come_back_with_the_work(store: Store, clock: StandInClock) -> None:
    """What was posted is known to the next attempt, in order, and to the final text."""
    await put(store, 1)
    lease, turn = await take_turn(store, clock)
    for part, ref in ((1, "b"), (0, "x"), (0, "a")):
        await store.posted(turn.id, part, ref)
    await store.postpone(lease, 0)
    lease, turn = await take_turn(store, clock)
    assert turn.posted == ("a", "b")
    outgoing = await store.finish(lease, turn, Outcome(text="hello"))
    assert outgoing
    assert outgoing.posted == ("a", "b")


async def test_a_transcript_is_kept_for_the_next_attempt(
    store: Store, clock: StandInClock
) -> None:
    """What was heard, be it nothing, is known by its message's place in the turn."""
    await put(store, 1, 2, 3)
    lease, turn = await take_turn(store, clock)
    await store.heard(lease, turn, 2, Transcript(text="hm", usage=()))
    await store.heard(lease, turn, 0, Transcript(text="", usage=()))
    await store.postpone(lease, 0)
    _, turn = await take_turn(store, clock)
    assert turn.transcripts == {0: "", 2: "hm"}


async def test_a_notice_reaches_the_private_chat(store: Store, clock: StandInClock) -> None:
    """A notice waits for its chat like any text; who never wrote in private gets none."""
    unknown = Notice(person=ANN.id, text="psst"), Notice(person="desk:404", text="psst")
    await put(store, 1, chat=GROUP)
    lease, turn = await take_turn(store, clock)
    await store.finish(lease, turn, Outcome(notices=unknown))
    assert await store.next(lease) is None
    await put(store, 2)
    lease, turn = await take_turn(store, clock)
    notice = Notice(person=ANN.id, text="while leased")
    await store.finish(lease, turn, Outcome(notices=(notice,)))
    outgoing = await store.next(lease)
    assert isinstance(outgoing, Outgoing)
    assert (outgoing.turn, outgoing.to, outgoing.text) == (None, None, "while leased")
    assert await store.next(lease, sent=outgoing.id) is None
    await put(store, 3, chat=GROUP)
    lease, turn = await take_turn(store, clock)
    notice = Notice(person=ANN.id, text="while idle")
    await store.finish(lease, turn, Outcome(notices=(notice,)))
    _, outgoing = await take(store, clock)
    assert isinstance(outgoing, Outgoing)
    assert (outgoing.chat, outgoing.text, outgoing.posted) == (CHAT, "while idle", ())


async def test_a_notice_does_not_take_the_place_of_an_answer(
    store: Store, clock: StandInClock
) -> None:
    """An answer is delivered into its own preview, although a notice came before it."""
    await put(store, 1)
    lease, turn = await take_turn(store, clock)
    await store.posted(turn.id, 0, "preview")
    notice = Notice(person=ANN.id, text="psst")
    answer = await store.finish(lease, turn, Outcome(text="hello", notices=(notice,)))
    assert answer
    assert (answer.turn, answer.text, answer.posted) == (turn.id, "hello", ("preview",))
    outgoing = await store.next(lease, sent=answer.id)
    assert isinstance(outgoing, Outgoing)
    assert (outgoing.turn, outgoing.text, outgoing.posted) == (None, "psst", ())
