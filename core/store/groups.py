"""Jobs in groups: what is asked for while one is under way becomes the next."""

import asyncio
import contextvars
from collections.abc import Awaitable, Callable, Collection, Sequence
from typing import Any, NamedTuple

from core.store.tx import Key, T, Tx


class Job(NamedTuple):
    """What is to be done in a transaction, and where its result is waited for.

    Attributes:
        key: What it is about; no two of a group are about the same. Empty: it gets into no
            other's way.
        is_synced: It waits for the disk.
    """

    done: asyncio.Future[Any]
    do: Callable[[Tx], Any]
    key: Key = ()
    is_synced: bool = False

    def settle(self, result: Any) -> None:  # noqa: ANN401 - whatever the job came to
        """Hand over what it came to, or the exception that it raised, to who still waits."""
        if self.done.done():
            return
        if isinstance(result, StopIteration):  # which no future takes
            result = RuntimeError("a job raised StopIteration")
        if isinstance(result, BaseException):
            self.done.set_exception(result)
        else:
            self.done.set_result(result)


class Groups:
    """Jobs in groups.

    Args:
        work: Does what a group asks for; it returns what each job came to, or the exception that
            it raised.
        most: Jobs of a group, at most; None for all that wait.
        patience: Seconds after which the next group does not wait for the one before any longer;
            it is about other things.
    """

    def __init__(
        self,
        work: Callable[[Sequence[Job]], Awaitable[Sequence[Any]]],
        *,
        most: int | None = None,
        patience: float | None = None,
    ) -> None:
        self._work = work
        self._most = most
        self._patience = patience
        self._waiting: list[Job] = []
        self._working: asyncio.Task[None] | None = None
        self._under_way: set[asyncio.Task[None]] = set()
        self._busy: set[Key] = set()

    async def add(self, do: Callable[[Tx], T], *, key: Key = (), is_synced: bool = False) -> T:
        """Have a job done, and return what it comes to; one that is cancelled is done, too.

        Raises:
            StoreError: The database failed; nothing of the job was kept.
        """
        done: asyncio.Future[T] = asyncio.get_running_loop().create_future()
        self._waiting.append(Job(done, do, key, is_synced))
        if self._working is None:
            # It goes on for others than this caller, so that it is nobody's work in the log.
            self._working = asyncio.create_task(self._work_off(), context=contextvars.Context())
        return await done

    async def finish(self) -> None:
        """Wait until nothing waits."""
        while tasks := self._under_way | ({self._working} if self._working else set()):
            await asyncio.wait(tasks)

    async def _work_off(self) -> None:
        while self._waiting:
            jobs, self._waiting = _apart(self._waiting, self._busy, self._most)
            if self._patience is None:
                await self._do(jobs)
                continue
            if jobs:
                begun = self._begin(jobs)
                await asyncio.wait({begun}, timeout=self._patience)
            else:  # all that wait are about what is under way
                going = [group for group in self._under_way if not group.done()]
                await asyncio.wait(
                    going, timeout=self._patience, return_when=asyncio.FIRST_COMPLETED
                )
        self._working = None

    def _begin(self, jobs: Sequence[Job]) -> asyncio.Task[None]:
        self._busy.update(job.key for job in jobs if job.key)
        group = asyncio.create_task(self._do(jobs))
        self._under_way.add(group)
        group.add_done_callback(self._under_way.discard)
        return group

    async def _do(self, jobs: Sequence[Job]) -> None:
        try:
            results = await self._work(jobs)
        except BaseException as error:  # noqa: BLE001 - whoever asked for a job hears of it
            results = [error] * len(jobs)
        self._busy.difference_update(job.key for job in jobs)
        for job, result in zip(jobs, results, strict=True):
            job.settle(result)


def _apart(
    jobs: Sequence[Job], busy: Collection[Key], most: int | None
) -> tuple[list[Job], list[Job]]:
    """Return the first jobs of which no two are about the same, and what is left for later.

    They are in the order of what they are about: groups that lock the same rows, maybe of other
    processes, wait for one another's first, and not in a circle.
    """
    first: dict[object, Job] = {}
    later: list[Job] = []
    for place, job in enumerate(jobs):
        if len(first) == most:
            later += jobs[place:]
            break
        about = job.key or job.done
        if about in first or job.key in busy:
            later.append(job)
        else:
            first[about] = job
    return sorted(first.values(), key=lambda job: job.key), later
