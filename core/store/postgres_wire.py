"""Statements on a connection, as many at once as there are, prepared once each.

They are run by libpq itself, in its pipeline mode: psycopg's cursors do that with several times
the work of this process (`python -m tests.bench statements`), and a turn takes some twenty.
"""

import asyncio
import contextlib
import itertools
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple, cast

import psycopg
from psycopg import errors, pq
from psycopg.adapt import Transformer

from core.store.postgres_connection import Connection, sound

TEXT, BINARY = pq.Format.TEXT, pq.Format.BINARY
# What values are sent as; that of a text, or of nothing, is for the server to find out.
_OIDS = {int: 20, float: 701, bytes: 17, str: 0, type(None): 0}  # int8, float8, bytea
MOST_PREPARED = 300  # of them a handful of each length of a list
_DONE = {pq.ExecStatus.TUPLES_OK, pq.ExecStatus.COMMAND_OK}

# A newer process added a column to a table: what is prepared does not know it.
CHANGED = errors.FeatureNotSupported

_Key = tuple[str, tuple[type, ...]]


class Statement(NamedTuple):
    """A statement with `?` for its values: numbers, texts, bytes, or nothing."""

    sql: str
    values: Sequence[object] = ()


class Result(NamedTuple):
    """What a statement came to: its rows, and how many it returned or changed."""

    rows: Sequence[dict[str, Any]]
    size: int


_BEGIN, _COMMIT = Statement("BEGIN"), Statement("COMMIT")


class Wire:
    """A connection, of which one task at a time asks something.

    Attributes:
        connection: As psycopg knows it; nobody else may use it.
        is_begun: A transaction is open.
        is_committing: It was asked to be committed, and has not answered.
    """

    def __init__(self, connection: Connection) -> None:
        self.connection = connection
        self.is_begun = False
        self.is_committing = False
        self._pg = connection.pgconn
        self._pg.enter_pipeline_mode()
        self._transformer = Transformer(connection)
        self._names = itertools.count()
        self._plans: dict[_Key, _Plan] = {}

    async def execute(self, statements: Sequence[Statement]) -> list[Result]:
        """Run statements in their order, but none after one that fails.

        What no text can hold is replaced in their values. A transaction begins with the first that
        are more than queries: until then each sees what was committed before it, as all do at READ
        COMMITTED.

        Raises:
            psycopg.Error: What the server says of the first that fails.
        """
        if self.is_begun or all(map(_is_query, statements)):
            return await self._execute(statements)
        self.is_begun = True
        return (await self._execute([_BEGIN, *statements]))[1:]

    async def commit(self, statements: Sequence[Statement] = ()) -> None:
        """Run some last statements, and commit what was begun; nothing where nothing was.

        Raises:
            psycopg.Error: One failed; if the connection is closed, all may have been committed.
        """
        if self.is_begun or statements:
            before = () if self.is_begun else (_BEGIN,)
            self.is_begun = self.is_committing = True
            await self._execute([*before, *statements, _COMMIT])
            self.is_begun = self.is_committing = False

    async def rollback(self) -> None:
        """Undo what was begun; nothing where nothing was."""
        if self.is_begun:
            self.is_committing = False
            with self._in_step():
                self._pg.send_query_params(b"ROLLBACK", None)
                answers = await self._answers()
            self._check(answers)
            self.is_begun = False

    async def _execute(self, statements: Sequence[Statement]) -> list[Result]:
        keys = [(one.sql, tuple(map(type, one.values))) for one in statements]
        values = [[*map(_dumped, one.values)] for one in statements]
        plans, new = self._planned(keys)
        if len(self._plans) + len(new) > MOST_PREPARED:
            self._plans.clear()
            plans, new = self._planned(keys)
        is_anew = not self._plans
        with self._in_step():
            if is_anew:
                self._pg.send_query_params(b"DEALLOCATE ALL", None)
            for plan in new.values():
                self._pg.send_prepare(plan.name, plan.sql, plan.types)
            for plan, dumped in zip(plans, values, strict=True):
                self._pg.send_query_prepared(plan.name, dumped, plan.formats)
            answers = await self._answers()
        for key, answer in zip(new, answers[is_anew:], strict=False):
            if answer.status in _DONE:
                self._plans[key] = new[key]
        self._check(answers)
        return [*map(self._result, plans, answers[-len(plans) :])]

    def _check(self, answers: Sequence[pq.abc.PGresult]) -> None:
        """Do nothing if no answer is an error.

        Raises:
            psycopg.Error: One is.
        """
        for answer in answers:
            if answer.status not in _DONE:
                error = errors.error_from_result(answer)
                if isinstance(error, CHANGED):
                    self._plans.clear()
                raise error

    def _planned(self, keys: Sequence[_Key]) -> tuple[list["_Plan"], dict[_Key, "_Plan"]]:
        """Return statements as the server knows them, and those of them that it does not yet."""
        new: dict[_Key, _Plan] = {}
        for key in keys:
            if key not in self._plans and key not in new:
                new[key] = _Plan(f"causerie_{next(self._names)}".encode(), *key)
        return [self._plans.get(key) or new[key] for key in keys], new

    async def _answers(self) -> list[pq.abc.PGresult]:
        """Return what the server says to everything that was sent.

        Raises:
            psycopg.OperationalError: The connection is lost.
        """
        self._pg.pipeline_sync()
        while self._pg.flush():
            await self._ready(is_writing=True)
        found: list[pq.abc.PGresult] = []
        while (answer := await self._answer()).status != pq.ExecStatus.PIPELINE_SYNC:
            found.append(answer)
        return found

    @contextlib.contextmanager
    def _in_step(self) -> Iterator[None]:
        """Close the connection unless all that was sent is answered."""
        try:
            yield
        except BaseException:  # whatever it was, what the server says next would answer this
            self.connection.close()
            raise

    async def _answer(self) -> pq.abc.PGresult:
        while True:
            while self._pg.is_busy():
                await self._ready()
            answer = self._pg.get_result()
            if answer is not None:
                return answer
            # Behind each there is nothing; behind all, where the connection is lost.
            if self._pg.status == pq.ConnStatus.BAD:
                raise psycopg.OperationalError(self._pg.get_error_message())

    async def _ready(self, *, is_writing: bool = False) -> None:
        """Wait until the server has said something, or can be told more."""
        loop, line = asyncio.get_running_loop(), self._pg.socket
        is_ready = loop.create_future()
        loop.add_reader(line, _settle, is_ready)
        if is_writing:
            loop.add_writer(line, _settle, is_ready)
        try:
            await is_ready
        finally:
            loop.remove_reader(line)
            if is_writing:
                loop.remove_writer(line)
        self._pg.consume_input()

    def _result(self, plan: "_Plan", found: pq.abc.PGresult) -> Result:
        if not found.nfields:
            return Result((), found.command_tuples or 0)
        if not (names := plan.columns):
            raw = [found.fname(number) or b"" for number in range(found.nfields)]
            names = plan.columns = tuple(name.decode() for name in raw)
        self._transformer.set_pgresult(found)
        rows = self._transformer.load_rows(
            0, found.ntuples, lambda row: dict(zip(names, row, strict=True))
        )
        return Result(rows, found.ntuples)


class _Plan:
    """A statement as the server knows it, for values of certain types.

    Attributes:
        columns: Of its rows; empty until there is a result.
    """

    def __init__(self, name: bytes, sql: str, kinds: Sequence[type]) -> None:
        self.name = name
        self.sql = _numbered(sql)
        self.types = [_OIDS[kind] for kind in kinds]
        self.formats = [BINARY if kind is bytes else TEXT for kind in kinds]
        self.columns: tuple[str, ...] = ()


def _settle(is_ready: asyncio.Future[None]) -> None:
    if not is_ready.done():
        is_ready.set_result(None)


def _is_query(statement: Statement) -> bool:
    return statement.sql.startswith("SELECT") and "FOR UPDATE" not in statement.sql


def _dumped(value: Any) -> bytes | None:  # noqa: ANN401 - whatever a column takes
    kind = type(value)
    if kind is str:
        try:
            data: bytes = value.encode()
        except UnicodeEncodeError:
            data = b"\0"
        return data if 0 not in data else cast("str", sound(value)).encode()
    if kind is int:
        return b"%d" % value
    return value if value is None or kind is bytes else str(value).encode()


def _numbered(sql: str) -> bytes:
    first, *rest = sql.split("?")
    numbered = zip(itertools.count(1), rest)
    return (first + "".join(f"${number}{text}" for number, text in numbered)).encode()
