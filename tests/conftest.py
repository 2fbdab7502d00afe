"""Fixtures that every room's tests share."""

import logging
import os
import shutil
import tempfile
from collections.abc import AsyncIterator, Iterator
from datetime import date
from pathlib import Path

import pytest

from core import models
from tests import leaks
from tests.servers.discord import DiscordServer
from tests.servers.openai import OpenAIServer
from tests.servers.postgres import PostgresServer
from tests.servers.telegram import TelegramServer

TODAY = date(2026, 11, 21)
MEMORY, ENOUGH_BYTES = Path("/dev/shm"), 4 * 2**30  # noqa: S108 - tests of one user


@pytest.fixture(autouse=True)
def table() -> None:
    """Describe models by the table that ships, and on the day it was made."""
    models.use(clock=lambda: TODAY)


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[PostgresServer]:
    """A PostgreSQL server, for databases of each test's own."""
    with PostgresServer() as server:
        yield server


@pytest.fixture
async def openai_server() -> AsyncIterator[OpenAIServer]:
    """A loopback model server."""
    async with OpenAIServer() as server:
        yield server


@pytest.fixture
async def telegram_server() -> AsyncIterator[TelegramServer]:
    """A loopback Bot API server."""
    async with TelegramServer() as server:
        yield server


@pytest.fixture
async def discord_server() -> AsyncIterator[DiscordServer]:
    """A loopback Discord."""
    async with DiscordServer() as server:
        yield server


def pytest_configure() -> None:
    """Keep temporary files in memory where there is much.

    A database waits for the disk at every commit.
    """
    is_free = "TMPDIR" not in os.environ and MEMORY.is_dir()
    if is_free and shutil.disk_usage(MEMORY).free > ENOUGH_BYTES:
        tempfile.tempdir = str(MEMORY)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol() -> Iterator[None]:
    """Search all that is logged while a test runs, its fixtures included, for what may not be."""
    leaks.begin()
    for name in leaks.OURS:  # a test before may have set what the program is to log
        logging.getLogger(name).setLevel(logging.DEBUG)
    watch = leaks.Watch()
    logging.root.addHandler(watch)
    try:
        return (yield)
    finally:
        logging.root.removeHandler(watch)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_teardown() -> Iterator[None]:
    """Fail a test in which somebody's words, or a secret, were logged."""
    result = yield
    found = leaks.leaks()
    if found:
        pytest.fail("logged:\n" + "\n".join(found), pytrace=False)
    return result
