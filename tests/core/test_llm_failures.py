"""The model client against a server that breaks in every documented way."""

import asyncio
import socket

import pytest

from core.errors import ContextLengthError, ModelSetupError
from core.llm import OpenAIChat
from core.types import Delta, Message, Usage
from tests.core.hearing import (
    BUSY,
    KEY,
    MODEL,
    NO_MODEL,
    OTHER,
    PROMPT,
    QUOTA,
    REPLY,
    TROUBLE,
    UNCLEAR,
    UNREACHABLE,
    MakeChat,
    hear,
)
from tests.servers.openai import (
    Break,
    Fault,
    OpenAIServer,
    Refuse,
    Shape,
    broken,
    html,
    out_of_quota,
    rate_limited,
    refused,
    wrong_key,
)


@pytest.mark.parametrize(
    "fault",
    [
        Break(how="reset"),
        Break(how="stall"),
        Break(how="reset", after=0),
        Break(how="stall", after=0),
        Break(how="eof", after=0),
        Break(how="malformed", after=0),
        Break(how="error", after=0),
        html(200),
        html(502),
        broken(500),
        broken(503),
        refused(409, "Conflict."),
        rate_limited(),
        rate_limited(retry_after=0.001),
        Refuse(status=429, body=b"slow down", headers={"Retry-After": "soon"}),
        Shape(is_empty=True),
    ],
    ids=str,
)
async def test_what_breaks_early_does_not_show(
    openai_server: OpenAIServer, chat: OpenAIChat, fault: Fault
) -> None:
    """A call that breaks before the reply began is made again, and nobody notices."""
    openai_server.fail(fault)
    heard = await hear(chat)
    assert (heard.text, heard.error) == (REPLY, None)
    assert len(openai_server.requests) == 2
    # Where it was paid all the same, that is told before another is, and before any word.
    kinds = [type(event) for event in heard.events]
    assert heard.restarts == len(heard.usage) - 1
    assert Delta not in kinds[: 2 * heard.restarts]


@pytest.mark.parametrize("how", ["reset", "stall", "eof", "malformed", "error"])
async def test_what_breaks_midway_starts_over(
    openai_server: OpenAIServer, chat: OpenAIChat, how: str
) -> None:
    """A reply that breaks off is voided, comes anew whole, and both calls are accounted for."""
    openai_server.chunk_delay = 0.01
    openai_server.fail(Break(how=how, after=3))  # type: ignore[arg-type]
    heard = await hear(chat)
    assert (heard.text, heard.restarts, heard.error) == (REPLY, 1, None)
    first, second = heard.usage
    assert first.is_estimated
    assert first.input == pytest.approx(second.input, abs=3)
    assert 0 < first.output < second.output
    assert not second.is_estimated
    assert isinstance(heard.events[-1], Usage)


@pytest.mark.parametrize("after", ["finish", "done"])
@pytest.mark.parametrize("how", ["reset", "stall", "eof"])
async def test_what_breaks_after_the_end_is_no_matter(
    openai_server: OpenAIServer, chat: OpenAIChat, how: str, after: str
) -> None:
    """Once the reply is finished, a connection that fails costs neither answer nor retry."""
    openai_server.fail(Break(how=how, after=after))  # type: ignore[arg-type]
    heard = await hear(chat)
    assert (heard.text, heard.restarts, heard.error) == (REPLY, 0, None)
    assert len(openai_server.requests) == 1
    (usage,) = heard.usage
    assert usage.is_estimated is (after == "finish")
    assert usage.output == 9


async def test_a_usage_that_never_comes_is_not_awaited(
    openai_server: OpenAIServer, make_chat: MakeChat
) -> None:
    """A server that goes silent after the finish_reason holds the answer up for a moment only."""
    chat = make_chat(first_seconds=60, read_seconds=60)
    openai_server.fail(Break(how="stall", after="finish"))
    heard = await asyncio.wait_for(hear(chat), timeout=20)
    assert heard.text == REPLY


@pytest.mark.parametrize(
    "body",
    [
        b'{"error": {"code": 400, "type": "exceed_context_size_error", "message": "too long"}}',
        b'data: {"error": {"code": "400", "message": "exceeds the available context size"}}\n\n',
        b'error: {"code": 400, "type": "exceed_context_size_error"}\n\n',
    ],
)
async def test_an_error_in_disguise(
    openai_server: OpenAIServer, chat: OpenAIChat, body: bytes
) -> None:
    """An error that comes with status 200 counts as what it says."""
    kind = "application/json" if body.startswith(b"{") else "text/event-stream"
    openai_server.fail(Refuse(status=200, body=body, content_type=kind))
    heard = await hear(chat)
    assert isinstance(heard.error, ContextLengthError)
    assert heard.events == []


@pytest.mark.parametrize(
    "body",
    [
        b"data: []\n\n",
        b'data: {"choices": [null]}\n\n',
        b'data: {"choices": "none"}\n\n',
        b'data: {"choices": [{"delta": {"content": 7}}]}\n\n',
        b"data: \xff\n\n",
    ],
)
async def test_odd_chunks(openai_server: OpenAIServer, chat: OpenAIChat, body: bytes) -> None:
    """A chunk that is JSON of some other shape is an unclear answer, not a crash."""
    fault = Refuse(status=200, body=body, content_type="text/event-stream")
    openai_server.fail(fault, times=None)
    heard = await hear(chat)
    assert UNCLEAR in str(heard.error)
    assert len(openai_server.requests) == 3


@pytest.mark.parametrize("text", ["\u200b", " \u2060\n", "\u2800", "\ufeff"])
async def test_what_nobody_sees_is_no_answer(
    openai_server: OpenAIServer, chat: OpenAIChat, text: str
) -> None:
    """A platform would refuse it, so a person is told."""
    openai_server.reply = lambda _: [text]
    heard = await hear(chat)
    assert "empty answer" in str(heard.error)


@pytest.mark.parametrize(
    ("fault", "sentence", "attempts", "is_setup"),
    [
        (rate_limited(), BUSY, 3, False),
        (rate_limited(retry_after=21), BUSY, 1, False),
        (broken(500), TROUBLE, 3, False),
        (Break(how="error", after=1), TROUBLE, 3, False),
        (Break(how="reset"), UNREACHABLE, 3, False),
        (Break(how="stall"), UNREACHABLE, 2, False),
        (Break(how="stall", after=0), UNREACHABLE, 2, False),
        (Break(how="stall", after=1), UNREACHABLE, 3, False),
        (Break(how="reset", after=1), UNREACHABLE, 3, False),
        (Break(how="eof", after=1), UNCLEAR, 3, False),
        (Break(how="malformed", after=1), UNCLEAR, 3, False),
        (html(200), UNCLEAR, 3, False),
        (out_of_quota(), QUOTA, 1, True),
        (refused(402, "Payment required."), QUOTA, 1, True),
        (wrong_key(), KEY, 1, True),
        (refused(403, "Country not supported."), KEY, 1, True),
        (html(404), "no model at the address", 1, True),
        (refused(404, "model 'x' not found, try pulling it"), NO_MODEL, 1, True),
        (refused(400, "max_tokens is too large.", code="invalid_value"), "not accept", 1, False),
        (refused(418, "I am a teapot."), "not accept", 1, False),
        (refused(400, "Filtered.", code="content_filter"), "blocked", 1, False),
        (Shape(is_empty=True), "empty answer", 2, False),
        (Shape(is_empty=True, finish="length"), "ran out of room", 1, False),
        (Shape(is_empty=True, finish="content_filter"), "blocked", 1, False),
    ],
    ids=str,
)
async def test_each_cause_has_its_sentence(
    openai_server: OpenAIServer,
    chat: OpenAIChat,
    fault: Fault,
    sentence: str,
    attempts: int,
    *,
    is_setup: bool,
) -> None:
    """What does not get better ends in one kind sentence that fits the cause."""
    openai_server.fail(fault, times=None)
    heard = await hear(chat)
    assert heard.error is not None
    assert sentence in str(heard.error)
    assert isinstance(heard.error, ModelSetupError) is is_setup
    assert len(openai_server.requests) == attempts
    assert heard.error.__cause__ is None
    assert openai_server.key not in str(heard.error)


@pytest.mark.parametrize(
    "fault", [rate_limited(), rate_limited(retry_after=60), broken(), out_of_quota()], ids=str
)
async def test_the_next_model_answers(
    openai_server: OpenAIServer, chat: OpenAIChat, fault: Fault
) -> None:
    """Where the preferred model fails, its fallback answers."""
    openai_server.fail(fault, times=None, model=MODEL)
    heard = await hear(chat, MODEL, OTHER)
    assert (heard.text, heard.error) == (REPLY, None)
    assert heard.usage[-1].model == OTHER


@pytest.mark.parametrize("names", [(MODEL, OTHER), (MODEL,)])
async def test_a_silent_model_is_left_for_the_next_one(
    openai_server: OpenAIServer, chat: OpenAIChat, names: tuple[str, ...]
) -> None:
    """Who waited for minutes does not wait as long again, unless no other model can answer."""
    openai_server.fail(Break(how="stall", after=0))
    heard = await hear(chat, *names)
    assert heard.text == REPLY
    assert [request.model for request in openai_server.requests] == [MODEL, names[-1]]


async def test_a_broken_reply_is_voided_for_the_next_model(
    openai_server: OpenAIServer, chat: OpenAIChat
) -> None:
    """What a model had said before it failed is voided when its fallback takes over."""
    openai_server.fail(Break(how="eof", after=2), times=None, model=MODEL)
    heard = await hear(chat, MODEL, OTHER)
    assert (heard.text, heard.restarts) == (REPLY, 3)
    assert [usage.model for usage in heard.usage] == [MODEL, MODEL, MODEL, OTHER]


async def test_a_last_reply_is_kept(openai_server: OpenAIServer, chat: OpenAIChat) -> None:
    """What the last attempt had said stays with the reader when the error comes."""
    openai_server.fail(Break(how="eof", after=2), times=None)
    heard = await hear(chat)
    assert heard.error
    assert (heard.text, heard.restarts) == ("You said", 2)


async def test_a_wrong_key_is_not_tried_on_other_models(
    openai_server: OpenAIServer, chat: OpenAIChat
) -> None:
    """Where no other model could fare better, none is asked."""
    openai_server.fail(wrong_key(), times=None)
    assert KEY in str((await hear(chat, MODEL, OTHER)).error)
    assert len(openai_server.requests) == 1


async def test_what_may_pass_is_told_first(openai_server: OpenAIServer, chat: OpenAIChat) -> None:
    """Of several failed models, the person hears of the one that may answer in a minute."""
    openai_server.fail(rate_limited(retry_after=60), times=None, model=MODEL)
    assert BUSY in str((await hear(chat, MODEL, "gpt-4")).error)
    assert BUSY in str((await hear(chat, "gpt-4", MODEL)).error)
    assert NO_MODEL in str((await hear(chat, "gpt-4", "gpt-3.5-turbo")).error)


async def test_an_unended_last_event_counts(openai_server: OpenAIServer, chat: OpenAIChat) -> None:
    """A server that forgets the last blank line is understood all the same."""
    body = b'data: {"choices": [{"delta": {"content": "Hi."}, "finish_reason": "stop"}]}'
    openai_server.fail(Refuse(status=200, body=body, content_type="text/event-stream"))
    assert (await hear(chat)).text == "Hi."


async def test_no_models(chat: OpenAIChat) -> None:
    """Without any model there is no answer, but a sentence."""
    events = chat.stream(PROMPT, models=(), limit=5)
    with pytest.raises(ModelSetupError, match=NO_MODEL):
        await anext(events)


async def test_a_fallback_is_told_to_the_owner_once(
    openai_server: OpenAIServer, chat: OpenAIChat, caplog: pytest.LogCaptureFixture
) -> None:
    """The owner learns once that a model does not answer, and again after it had recovered."""
    openai_server.fail(out_of_quota(), times=2, model=MODEL)
    for _ in range(3):
        await hear(chat, MODEL, OTHER)
    openai_server.fail(out_of_quota(), model=MODEL)
    await hear(chat, MODEL, OTHER)
    warnings = [entry.getMessage() for entry in caplog.records if entry.levelname == "WARNING"]
    assert warnings == [f"model {MODEL} does not answer, {OTHER} does"] * 2


async def test_a_prompt_too_long(openai_server: OpenAIServer, chat: OpenAIChat) -> None:
    """A prompt beyond the context window is reported at once, whatever fallbacks there are."""
    prompt = (Message(role="user", content="word " * 5_000),)
    heard = await hear(chat, "small-4k", MODEL, prompt=prompt)
    assert isinstance(heard.error, ContextLengthError)
    assert heard.events == []
    assert len(openai_server.requests) == 1


async def test_nobody_there() -> None:
    """A server that is not there is said to be unreachable."""
    with socket.socket() as place:
        place.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{place.getsockname()[1]}/v1"
        chat = OpenAIChat(base_url=url, backoff_seconds=0.001)
        await chat.open()
        assert UNREACHABLE in str((await hear(chat)).error)
        await chat.close()
