"""The contract of every store: what is stored of a person, and that it can be deleted."""

import json
from dataclasses import replace

import pytest

from core.kept import Kept
from core.money import Limit
from core.people import Admitted
from core.protocols import Store
from core.store.spending import SPANS
from core.types import (
    MOST_FAILURES,
    File,
    Notice,
    Outcome,
    Outgoing,
    Quoted,
    Turn,
    Voice,
)
from tests.core.stand_ins import ANN, BOB, CHAT, GROUP, StandInClock, incoming, said
from tests.core.storing import ready, take, take_turn
from tests.core.talks import BOBS, COST, Talks, call, dump, is_outgoing, rows_of

MINUTE = 60.0
DAY = Limit(scope="user", subject=ANN.id, span="day", usd=1_000)


@pytest.fixture
def talks(store: Store, clock: StandInClock) -> Talks:
    """A store in which people talk."""
    return Talks(store, clock)


async def test_everything_of_a_person_goes(store: Store, talks: Talks) -> None:
    """Messages, answers, summaries, receipts, files: no table holds their words or their name."""
    await talks.fill()
    await talks.tell("/translate Ann wrote this")
    lease, turn = await talks.turn("Ann spoke", voice=Voice(ref="Ann's file", name="Ann.ogg"))
    await talks.hear(lease, turn, "Ann was heard")
    await talks.finish(lease, turn, Outcome(text="Ann is lost", buried="poison"))
    await talks.forget()
    found = await dump(store)
    assert "Ann" not in found
    assert ANN.id not in found
    assert found.count("Bob in group a") == 4  # in the inbox, the history twice, the outbox
    assert "Bob in private c" in found


async def test_others_see_what_they_saw(talks: Talks) -> None:
    """What others said stays in the group's memory, though not the summary of both."""
    await talks.fill()
    await talks.forget(chat=GROUP)
    kept = [
        text for part in "abc" for text in (f"Bob in group {part}", f"re: Bob in group {part}")
    ]
    assert await talks.remembered(GROUP) == kept
    assert len(await talks.remembered(BOBS)) == 6
    assert await talks.remembered(CHAT) == []
    [group] = await rows_of(talks.store, "chat WHERE ref = '-7'")
    assert (group["summary"], group["start"]) == ("", 20)


async def test_the_history_goes_on_behind_what_is_gone(talks: Talks) -> None:
    """The running sum is never used twice, and an answer can be given anew."""
    await talks.tell("Bob", chat=GROUP, person=BOB)
    turn = await talks.tell("Bob again", chat=GROUP, person=BOB)
    await talks.tell("Ann", chat=GROUP)
    await talks.forget(chat=GROUP)
    lease, retry = await talks.turn("/retry", chat=GROUP, person=BOB)
    last = await talks.store.last_turn(lease)
    assert last
    assert last.id == turn.id
    await talks.end(lease, replace(retry, kind="message"), "Bob again", replaces=last.id)
    await talks.tell("Bob at last", chat=GROUP, person=BOB)
    said = ["Bob", "Bob again", "Bob at last"]
    assert await talks.remembered(GROUP) == [t for s in said for t in (s, f"re: {s}")]
    rows = await rows_of(talks.store, "message ORDER BY total")
    assert [row["total"] for row in rows] == [10, 20, 30, 40, 50, 60]


async def test_costs_stay_without_a_name(talks: Talks) -> None:
    """Sums by day, model and group are what they were; those of private chats name no chat."""
    await talks.fill()
    await talks.tell("/private", chat=GROUP)
    store, group = talks.store, await talks.chat_id(GROUP)
    before = [await store.totals(by) for by in ("day", "model", "all")]
    in_group = await store.totals("all", chat=group)
    await talks.forget()
    await talks.forget(person=BOB, chat=BOBS)
    assert [await store.totals(by) for by in ("day", "model", "all")] == before
    assert await store.totals("all", chat=group) == in_group
    people = {total.id: total.calls for total in await store.totals("person")}
    assert people == {"anonymous": 13}
    chats = {total.name: total.cost for total in await store.totals("chat")}
    assert chats == {"Family": 7 * COST, "anonymous": 6 * COST}
    calls = await rows_of(store, "usage")
    assert {row["person"] for row in calls} == {"anonymous"}
    assert sum(row["cost"] for row in calls) == 13 * COST
    assert {row["turn"] for row in calls if row["chat_id"] != group} == {None}


async def test_decisions_outlive_their_person(talks: Talks) -> None:
    """Who was denied stays so, what was spent today counts, and a request is made once."""
    store = talks.store
    await talks.tell("hello")
    await store.decide(ANN.id, "denied")
    await store.admit("desk:3", Admitted(id=ANN.id, name="Ann"))
    await store.hold("x", [DAY], usd=700, tokens=1)
    lease, turn = await talks.turn("Ann")
    await store.hold(turn.hold, [DAY], usd=200, tokens=1)
    await talks.finish(lease, turn, Outcome(usage=(call(200),)))
    await talks.forget()
    known = await store.known(ANN.id)
    assert known
    assert (known.name, known.status) == (ANN.id, "denied")
    assert await store.admitted("desk:3") == [Admitted(id=ANN.id, name=ANN.id)]
    assert (await store.levels([DAY]))[0].left == 100
    first = await store.ask(BOB.id, turn=0)
    await talks.tell("Bob", chat=BOBS, person=BOB)
    first = await store.ask(BOB.id, turn=1)
    await talks.forget(person=BOB, chat=BOBS)
    await talks.tell("Bob", chat=BOBS, person=BOB)
    assert (await store.ask(BOB.id, turn=2)) == replace(first, is_new=False)


async def test_spending_of_long_ago_goes(talks: Talks) -> None:
    """Of somebody's days and months, and of their private chat's, only those that last stay."""
    for _ in range(2):
        talks.clock.move(40 * 24 * 60 * MINUTE)
        for chat in (CHAT, GROUP):
            lease, turn = await talks.turn("Ann", chat=chat)
            place = Limit(scope="chat", subject=str(lease.chat_id), span="day")
            limits = [replace(v, span=span) for v in (DAY, place) for span in SPANS]
            await talks.store.hold(turn.hold, limits, usd=200, tokens=1)
            await talks.finish(lease, turn, Outcome(usage=(call(200),)))
    before = await talks.store.levels([DAY])
    await talks.forget()
    rows = await rows_of(talks.store, "budget ORDER BY scope, subject, period")
    kept = [(row["scope"], row["subject"], row["spent_usd"]) for row in rows]
    private, group = [str(await talks.chat_id(chat)) for chat in (CHAT, GROUP)]
    mine = [("chat", private, 200)] * 2
    assert kept == [*mine, *[("chat", group, 200)] * 4, *[("user", ANN.id, 400)] * 2]
    assert await talks.store.levels([DAY]) == before


async def test_what_waits_is_not_answered(store: Store, talks: Talks) -> None:
    """Messages and texts of theirs that wait, anywhere, go; those of others do not."""
    lease, turn = await talks.turn("hello")
    await store.finish(lease, turn, Outcome(notices=(_archive(),)))
    await store.release(lease)
    for _ in range(MOST_FAILURES):
        [(lease, work)] = await ready(store)
        await store.postpone(lease, 0, failed=work)
    await store.put(talks.message("Ann waits", GROUP, ANN), "message")
    await store.put(talks.message("Bob waits", GROUP, BOB), "message")
    lease, turn = await take_turn(store, talks.clock)
    await store.finish(lease, turn, Outcome(text="to Ann"))
    await store.postpone(lease, 1000)
    await talks.forget()
    talks.clock.move(1000)
    lease, work = await take(store, talks.clock)
    assert isinstance(work, Turn)
    assert [m.text for m in work.messages] == ["Bob waits"]
    assert await rows_of(store, "outbox_file") == []


def _archive() -> Notice:
    return Notice(person=ANN.id, text="", files=(File(name="a.zip", mime="", data=b"Ann"),))


async def test_what_is_at_work_elsewhere_leaves_nothing(store: Store, talks: Talks) -> None:
    """A turn that ends after its person was forgotten is paid for, and that is all."""
    await talks.tell("hello")
    lease, turn = await talks.turn("Ann asks", chat=GROUP)
    await store.hold(turn.hold, [DAY], usd=500, tokens=1)
    await talks.forget()
    await talks.hear(lease, turn, "Ann was heard")
    outcome = Outcome(text="Ann", usage=(call(200),), history=(), notices=(_archive(),))
    assert await store.finish(lease, turn, outcome) is None
    assert await store.next(lease) is None
    assert "Ann" not in await dump(store)
    people = {total.id: total.cost for total in await store.totals("person")}
    assert people == {"anonymous": 200 + 2 * COST}


async def test_an_answer_on_its_way_goes_out_in_silence(store: Store, talks: Talks) -> None:
    """What a worker is sending while its person is forgotten is noted nowhere."""
    await talks.tell("hello")
    lease, turn = await talks.turn("Ann asks", chat=GROUP)
    outgoing = await store.finish(lease, turn, Outcome(text="Ann"))
    await talks.forget()
    assert await store.next(lease, sent=is_outgoing(outgoing).id) is None
    assert "Ann" not in await dump(store)


@pytest.mark.parametrize("start", [0, 20])
async def test_a_summary_of_what_is_gone_is_not_kept(talks: Talks, start: int) -> None:
    """Be it made from their words, or from an earlier summary of them."""
    for person in (ANN, BOB, BOB):
        await talks.tell("hi", chat=GROUP, person=person)
    group = await talks.chat_id(GROUP)
    if start:
        await talks.store.compact(group, old=0, new=start, summary="of Ann")
    await talks.forget(chat=GROUP)
    assert not await talks.store.compact(group, old=start, new=start + 20, summary="late")
    assert await talks.store.compact(group, old=start, new=60, summary="new", erased=1)


async def test_events_stay_known(talks: Talks) -> None:
    """What a platform delivers again is not taken for new."""
    await talks.tell("hello")
    await talks.forget()
    for number in (1, 2):
        assert not await talks.store.put(incoming(number, "again"), "message")


async def test_the_last_word_is_said_and_gone(store: Store, talks: Talks) -> None:
    """After a crash it is still sent; then nothing is left of it either."""
    await talks.tell("hello")
    lease, turn = await talks.turn("/forget yes")
    await store.finish(lease, turn, Outcome(text="Done.", forgets=True))
    await store.posted(turn.id, 0, "post")
    await store.postpone(lease, 0)
    [(lease, work)] = await ready(store)
    outgoing = is_outgoing(work)
    assert (outgoing.text, outgoing.to, outgoing.posted) == ("Done.", "2", ("post",))
    assert await store.next(lease, sent=outgoing.id) is None
    assert await rows_of(store, "outbox") == []
    assert await rows_of(store, "receipt") == []


async def test_owners_are_told_nothing_any_more(talks: Talks) -> None:
    """What they were told of somebody who asked to be let in goes with that person."""
    await talks.tell("I am the owner", chat=BOBS, person=BOB)
    lease, turn = await talks.turn("let me in")
    notices = tuple(
        Notice(person=BOB.id, text=f"{who} would like to talk")
        for who in ("`desk:1`", "`desk:11`")
    )
    await talks.finish(lease, turn, Outcome(text="asked", notices=notices))
    for _ in notices:
        [(lease, work)] = await ready(talks.store)
        while isinstance(work, Outgoing):
            work = await talks.store.next(lease, sent=work.id)  # type: ignore[assignment]
        break
    await talks.forget()
    told = [row["text"] for row in await rows_of(talks.store, "outbox WHERE turn IS NULL")]
    assert told == ["`desk:11` would like to talk"]


async def test_owners_are_not_told_later(store: Store, talks: Talks) -> None:
    """What waits to be told, be it in part, is not told; who asked to be let in still may be."""
    await talks.tell("I am the owner", chat=BOBS, person=BOB)
    lease, turn = await talks.turn("let me in")
    asked = await store.ask(ANN.id, turn=turn.id)
    notice = Notice(person=BOB.id, text="Annabel (`desk:1`) would like to talk")
    await talks.finish(lease, turn, Outcome(text="asked", notices=(notice,)))
    [(owners, work)] = await ready(store)
    await store.posted(-is_outgoing(work).id, 0, "post to Bob")
    await store.postpone(owners, 600)
    await talks.forget()
    found = await dump(store)
    assert "Annabel" not in found
    assert "post to Bob" not in found
    talks.clock.move(600)
    assert await ready(store) == []
    known = await store.decide(asked.code, "approved")
    assert known
    assert known.id == ANN.id


async def test_it_is_counted_and_asked_for_first(store: Store, talks: Talks) -> None:
    """The request holds for ten minutes, in its chat, for its person."""
    await talks.fill()
    await store.put(talks.message("waits", GROUP, ANN), "message")
    await store.postpone((await take_turn(store, talks.clock))[0], 10_000)
    lease, turn = await talks.turn("/forget")
    assert not await store.may_forget(lease, turn)
    kept = await store.kept(lease, turn)
    assert kept == Kept(messages=6, waiting=1, answers=6, summaries=1, calls=6)
    assert await store.may_forget(lease, turn)
    talks.clock.move(11 * MINUTE)
    assert not await store.may_forget(lease, turn)
    await store.release(lease, turn=turn)
    lease, turn = await take_turn(store, talks.clock)
    await store.kept(lease, turn)
    await talks.finish(lease, turn, Outcome(text="asked"))
    talks.clock.move(9 * MINUTE)
    lease, turn = await talks.turn("/forget yes", chat=BOBS, person=BOB)
    assert not await store.may_forget(lease, turn)
    await talks.finish(lease, turn, Outcome())


async def test_who_is_unknown_has_nothing(talks: Talks) -> None:
    """Counted, taken and deleted: nothing happens."""
    lease, turn = await talks.turn("/forget")
    kept = await talks.store.kept(lease, turn)
    assert kept == Kept(messages=0, waiting=0, answers=0, summaries=0, calls=0)
    stored = await talks.store.stored("desk:99")
    assert set(map(len, stored.values())) == {0}


async def test_what_is_stored_is_theirs(store: Store, talks: Talks) -> None:
    """Everything of theirs and nothing of others comes out, in its order."""
    await talks.fill()
    await talks.tell("/new", chat=GROUP)
    await talks.tell("so?", quoted=Quoted(name="Bob", text="Bob was quoted"))
    stored = await store.stored(ANN.id)
    assert [row["name"] for row in stored["person"]] == ["Ann"]
    assert [row["ref"] for row in stored["chats"]] == [CHAT.ref, GROUP.ref]
    texts = [json.loads(row["body"])["text"] for row in stored["messages"]]
    own = [f"Ann in {place} {part}" for place in ("private", "group") for part in "abc"]
    assert texts == [*own, "/new", "so?"]
    said = [row["content"] for row in stored["history"]]
    assert said == [t for s in (*own, "so?") for t in (s, f"re: {s}")]
    assert [row["text"] for row in stored["answers"]] == [f"re: {s}" for s in texts]
    assert len(stored["calls"]) == 8


class TestOffRecord:
    """A chat of which nothing is kept."""

    @pytest.fixture(autouse=True)
    async def _is_off_record(self, talks: Talks) -> None:
        await talks.tell("before")
        lease, turn = await talks.turn("/private on")
        await talks.store.choose(lease, is_off_record=True)
        await talks.finish(lease, turn, Outcome(text="on"))

    async def test_nothing_is_left_of_an_answered_turn(self, store: Store, talks: Talks) -> None:
        """Neither what was said, heard nor answered; what it cost is."""
        lease, turn = await talks.turn("secret", voice=Voice(ref="secret file"))
        assert turn.state.is_off_record
        await talks.hear(lease, turn, "secret heard")
        await talks.finish(lease, turn, Outcome(text="secret answer", usage=(call(),)))
        assert "secret" not in await dump(store)
        assert len(await rows_of(store, "usage")) == 3
        assert await rows_of(store, "receipt WHERE turn > 1") == []
        lease, turn = await talks.turn("/retry")
        last = await store.last_turn(lease)
        assert last
        assert last.messages[0].text == "before"

    async def test_a_crash_loses_nothing(self, store: Store, talks: Talks) -> None:
        """What is not answered, or not sent, is still there."""
        lease, turn = await talks.turn("secret")
        await store.postpone(lease, 0)
        [(lease, work)] = await ready(store)
        assert isinstance(work, Turn)
        assert work.messages == turn.messages
        await store.finish(lease, work, Outcome(text="secret answer"))
        await store.postpone(lease, 0)
        [(lease, sending)] = await ready(store)
        assert is_outgoing(sending).text == "secret answer"

    async def test_what_is_given_up_is_not_kept(self, store: Store, talks: Talks) -> None:
        """A message that nothing helped is not kept for the owner to look at."""
        lease, turn = await talks.turn("secret")
        await talks.finish(lease, turn, Outcome(text="sorry", buried="poison"))
        assert await rows_of(store, "dead") == []

    async def test_it_ends(self, store: Store, talks: Talks) -> None:
        """What is said afterwards is kept again."""
        lease, turn = await talks.turn("/private off")
        await store.choose(lease, is_off_record=False)
        await talks.finish(lease, turn, Outcome(text="off"))
        turn = await talks.tell("after")
        assert not turn.state.is_off_record
        assert await talks.remembered(CHAT) == ["before", "re: before", "after", "re: after"]


async def test_what_is_answered_anew_while_it_is_forgotten(store: Store, talks: Talks) -> None:
    """Bob's /retry of Ann's question ends after she had everything deleted: it stays deleted."""
    await talks.tell("Ann is here")
    asked = await talks.tell("Ann's secret", chat=GROUP)
    lease, retry = await talks.turn("/retry", chat=GROUP, person=BOB)
    await talks.forget()
    history = said("Ann's secret", name="Ann"), said("Indeed", role="assistant")
    outcome = Outcome(text="Indeed", history=history, replaces=asked.id)
    await talks.finish(lease, retry, outcome)
    assert "Ann" not in await dump(store)
    assert await talks.remembered(GROUP) == []
    await talks.tell("Bob goes on", chat=GROUP, person=BOB)
    assert await talks.remembered(GROUP) == ["Bob goes on", "re: Bob goes on"]
