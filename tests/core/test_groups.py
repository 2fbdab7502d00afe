"""Jobs in groups: what each came to reaches who asked for it."""

import asyncio
from collections.abc import Sequence
from typing import Any

from core.store.groups import Groups, Job


async def test_whatever_a_job_raises_the_others_have_their_results() -> None:
    """No future takes a StopIteration; as out of a coroutine, another comes in its place."""

    async def work(jobs: Sequence[Job]) -> Sequence[object]:
        return [StopIteration() if number == 1 else number for number, _ in enumerate(jobs)]

    groups = Groups(work)
    asked = [asyncio.create_task(groups.add(lambda _: None)) for _ in range(3)]
    await asyncio.wait(asked, timeout=5)
    assert [task.exception() and type(task.exception()) for task in asked] == [
        None,
        RuntimeError,
        None,
    ]
    await asyncio.wait_for(groups.finish(), 5)


async def test_about_the_same_nothing_overtakes() -> None:
    """While a group takes long, others go on, but for what is about the same things."""
    is_free = asyncio.Event()
    begun: list[str] = []

    async def work(jobs: Sequence[Job]) -> Sequence[object]:
        begun.extend(f"{job.do}" for job in jobs)
        if "slow" in begun[-len(jobs) :]:
            await is_free.wait()
        return [None] * len(jobs)

    groups = Groups(work, patience=0.01)

    def ask(name: str, about: str) -> asyncio.Task[object]:
        job: Any = name
        return asyncio.create_task(groups.add(job, key=(about,)))

    slow = ask("slow", "a")
    await asyncio.sleep(0.05)
    later = [ask("second", "a"), ask("other", "b"), ask("third", "a")]
    await asyncio.wait_for(later[1], 5)
    later.append(ask("fourth", "b"))
    await asyncio.wait_for(later[-1], 5)
    assert begun == ["slow", "other", "fourth"]
    is_free.set()
    await asyncio.wait_for(asyncio.gather(slow, *later), 5)
    assert begun == ["slow", "other", "fourth", "second", "third"]
    await asyncio.wait_for(groups.finish(), 5)
