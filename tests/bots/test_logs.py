"""The log of a turn: every line of it says which chat and turn it is about."""

import contextlib
import json
import logging
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import pytest

from bots import logs
from core.errors import DeliveryError, StoreError
from core.llm import OpenAIChat
from core.models import Price
from core.protocols import Store
from core.store import open_store
from core.tracing import open_tracing
from tests.core.house import House
from tests.core.stand_ins import CHAT, GROUP
from tests.servers.openai import OpenAIServer, rate_limited

MODEL = "gpt-5.4-mini"
PRICE = Price(input=10_000_000, cached=1_000_000, written=10_000_000, output=30_000_000)


@pytest.fixture(autouse=True)
def _log() -> Iterator[None]:
    """Let the log be as it was, afterwards."""
    handlers, level = logging.root.handlers[:], logging.root.level
    yield
    logging.root.handlers[:] = handlers
    logging.root.setLevel(level)


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[Store]:
    """A store in which time passes."""
    opened = await open_store(tmp_path / "causerie.db")
    yield opened
    await opened.close()


@contextlib.asynccontextmanager
async def talking(store: Store, server: OpenAIServer) -> AsyncIterator[House]:
    """Run a house whose model is a server."""
    model = OpenAIChat(key=server.key, base_url=server.url, backoff_seconds=0.001)
    house = House(store=store, model=model, models=(MODEL,), prices={MODEL: PRICE})  # type: ignore[arg-type]
    async with house.running():
        yield house
    await model.close()


def _lines(written: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in written.splitlines()]


async def test_every_line_of_a_turn_says_which_it_is(
    store: Store, openai_server: OpenAIServer, capsys: pytest.CaptureFixture[str]
) -> None:
    """Whoever logs it: the relay, the model's client, whoever delivers, what comes afterwards."""
    logs.configure(level="DEBUG", as_json=True, secrets=[openai_server.key])
    async with talking(store, openai_server) as house:
        await house.ask("/id", chat=GROUP)  # so that chat and turn differ
        openai_server.fail(rate_limited(retry_after=0.01))
        house.bot.failures[CHAT.ref] = [DeliveryError("not now")]
        await house.ask("hi")
    lines = _lines(capsys.readouterr().err)
    events = [
        "turn begins",
        "model call failed",
        "reply delayed",
        "turn chat=2",
    ]
    for words in events:
        [line] = [li for li in lines if li["event"].startswith(words) and li.get("chat") == 2]
        assert line["turn"] == 2
    received = [line for line in lines if line["event"].startswith("received")]
    assert [line["event"] for line in received] == [
        "received event=bot:-7:1 kind=command",
        "received event=bot:1:2 kind=message",
    ]
    [begun] = [line for line in lines if line["event"] == "turn begins events=['bot:1:2']"]
    assert (begun["chat"], begun["turn"]) == (2, 2)
    assert not any("trace" in line for line in lines)


async def test_the_line_of_a_turn_has_numbers(
    store: Store, openai_server: OpenAIServer, capsys: pytest.CaptureFixture[str]
) -> None:
    """As fields of their own, to be counted without parsing words."""
    logs.configure(level="INFO", as_json=True, secrets=[])
    async with talking(store, openai_server) as house:
        await house.ask("hi")
    [line] = [li for li in _lines(capsys.readouterr().err) if li["event"].startswith("turn chat")]
    assert {name: line[name] for name in ("chat", "turn", "kind", "person", "outcome")} == {
        "chat": 1,
        "turn": 1,
        "kind": "message",
        "person": "desk:1",
        "outcome": "answered",
    }
    assert line["model"] == MODEL
    assert line["usd"] == pytest.approx((10 * line["in"] + 30 * line["out"]) / 1e6)
    assert isinstance(line["seconds"], float)
    assert f"model={MODEL}" in line["event"]


async def test_what_is_not_about_a_turn_says_none(
    store: Store, openai_server: OpenAIServer, capsys: pytest.CaptureFixture[str]
) -> None:
    """Such as the database: it writes for many at a time."""
    logs.configure(level="INFO", as_json=True, secrets=[])
    async with talking(store, openai_server) as house:
        await house.ask("hi")
        await store.close()
        with pytest.raises(StoreError):
            await house.say("hi")
    failed = [li for li in _lines(capsys.readouterr().err) if "database failed" in li["event"]]
    assert failed
    assert not any("turn" in line for line in failed)


@pytest.mark.parametrize("name", ["faster_whisper", "markdown_it", "psycopg", "telegram.Bot"])
def test_others_only_warn(capsys: pytest.CaptureFixture[str], name: str) -> None:
    """However much our own loggers say; what SDKs send and where to is for no log."""
    logs.configure(level="DEBUG", as_json=True, secrets=[])
    logging.getLogger(name).info("https://api.example/bot7:token/sendMessage")
    logging.getLogger(name).warning("it is slow")
    logging.getLogger("core.relay").debug("turn begins")
    events = [line["event"] for line in _lines(capsys.readouterr().err)]
    assert events == ["it is slow", "turn begins"]


async def test_text_is_as_it_was(
    store: Store, openai_server: OpenAIServer, capsys: pytest.CaptureFixture[str]
) -> None:
    """For people, the line says all in words."""
    logs.configure(level="INFO", as_json=False, secrets=[])
    async with talking(store, openai_server) as house:
        await house.ask("hi")
    [line] = [li for li in capsys.readouterr().err.splitlines() if " turn chat=" in li]
    assert "turn=1 kind=message person=desk:1 outcome=answered model=gpt-5.4-mini" in line
    assert "usd=0.00" in line


async def test_the_log_names_the_trace(
    store: Store,
    openai_server: OpenAIServer,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """If there is one, so that one leads to the other."""
    monkeypatch.setenv("OTEL_TRACES_SAMPLER", "always_off")
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:9")
    logs.configure(level="INFO", as_json=True, secrets=[])
    async with AsyncExitStack() as stack:
        await open_tracing(stack)
        async with talking(store, openai_server) as house:
            await house.ask("hi")
    [line] = [li for li in _lines(capsys.readouterr().err) if li["event"].startswith("turn chat")]
    assert len(line["trace"]) == 32


def test_what_is_said_again_and_again_is_said_once(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A warning that was logged a moment ago is counted; other lines and tracebacks all stand."""
    logs.configure(level="INFO", as_json=True, secrets=())
    log = logging.getLogger("core.relay")
    for number in range(3):
        log.warning("cannot lease: %s", "away")
        log.warning("work failed chat=%d", number)
        log.info("turn ends")
        log.error("failed", exc_info=LookupError())
    monkeypatch.setattr(logs, "SELDOM_SECONDS", 0.0)
    log.warning("cannot lease: %s", "away")
    events = [line["event"] for line in _lines(capsys.readouterr().err)]
    assert [events.count(event) for event in ("cannot lease: away", "turn ends", "failed")] == [
        *(1, 3, 3)
    ]
    assert [event for event in events if event.startswith("work")] == [
        f"work failed chat={number}" for number in range(3)
    ]
    assert events[-1] == "cannot lease: away (2 more of these were left out)"
