"""Chat completions of any OpenAI-compatible server, as a stream that heals itself."""

import asyncio
import contextlib
import hashlib
import logging
import re
import time
from collections.abc import AsyncGenerator, AsyncIterator, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from core import metrics, tokens
from core.breaker import Breaker
from core.completion import Completion
from core.errors import ModelError
from core.prompt import sent, worded
from core.provider import (
    OPENAI_URL,
    Connection,
    Failure,
    call_errors,
    failure_of,
    limit_names,
    reported_tokens,
)
from core.retry import BACKOFF_SECONDS, is_given_up, pause
from core.sse import EventReader
from core.types import Cut, Delta, Message, ModelEvent, Restart, Usage

if TYPE_CHECKING:
    import httpx2

log = logging.getLogger(__name__)

# Itself, and in a region of its own (eu.api.openai.com). Other servers refuse calls with a
# parameter that they do not know, such as prompt_cache_key; 2026-11.
_OPENAI = re.compile(r"^(?:[a-z]+\.)?api\.openai\.com$")
# After the finish_reason only the usage is to come, after [DONE] only the end of the response,
# which must be read if the connection is to serve again. An answer waits no longer for them.
_USAGE_SECONDS = 2.0
_END_SECONDS = 0.5
# Until a model that is down begins to answer, where no other one could in its place.
_QUICK_SECONDS = 10.0
# White space and the bytes of a byte-order mark.
_BEFORE_OBJECT = b" \t\r\n\xef\xbb\xbf"
# Models that think first, and long prompts on a CPU, take minutes until the first word; whoever
# asked a server that hangs waits as long, twice where no other model can answer.
_FIRST_SECONDS = 180.0
# So many times longer, a server may keep the connection alive and say nothing, as OpenRouter does
# while a model thinks. One that does so for ever held its chat, and a place in line, for ever.
_PATIENCE = 3


class OpenAIChat:
    """Asks models for replies; implements `core.protocols.ChatModel`.

    Args:
        key: Of the server; None where it wants none.
        base_url: Root of the API; None for OpenAI's own.
        proxy: URL of an HTTP proxy; None: as the environment says.
        first_seconds: Longest silence of the server before the first word of a reply; three times
            as long where it keeps the connection alive meanwhile.
        read_seconds: Longest silence after it.
        backoff_seconds: Longest wait before the second attempt; see `core.retry`.
        temperature: Sent if given; a model that refuses it is asked without.
        breaker: Knows which models are down.
    """

    def __init__(
        self,
        *,
        key: str | None = None,
        base_url: str | None = None,
        proxy: str | None = None,
        first_seconds: float = _FIRST_SECONDS,
        read_seconds: float = 60.0,
        backoff_seconds: float = BACKOFF_SECONDS,
        temperature: float | None = None,
        breaker: Breaker | None = None,
    ) -> None:
        self._connection = Connection(
            key=key, base_url=base_url, proxy=proxy, read_seconds=first_seconds
        )
        self._read_seconds = read_seconds
        self._alive_seconds = _PATIENCE * first_seconds
        self._is_openai = (
            _OPENAI.search(urlsplit(base_url or OPENAI_URL).hostname or "") is not None
        )
        self._backoff_seconds = backoff_seconds
        self._temperature = temperature
        self._breaker = breaker or Breaker()
        self._refused: dict[str, set[str]] = {}
        self._failing: set[str] = set()

    async def open(self) -> None:
        """Load the SDK now rather than with the first message; contacts nobody."""
        await self._connection.open()

    async def close(self) -> None:
        """Let go of connections; streams that still run break."""
        await self._connection.close()

    async def stream(
        self, prompt: Sequence[Message], *, models: Sequence[str], limit: int
    ) -> AsyncGenerator[ModelEvent]:
        """Yield the reply; see `core.protocols.ChatModel`, and `core.retry` for what is retried.

        A call that broke after its first chunk is reported like any other, its usage
        estimated; one that was refused or broke earlier counts as free. Closing the stream
        early (`aclose`, or cancelling the task in it) drops the connection at once, and yields
        no Usage any more: who does that has to estimate it.

        Raises:
            ContextLengthError: The prompt was too long.
            ModelSetupError: The key, the quota, the address or the models' names are wrong.
            ModelError: No model answered.
        """
        failures: dict[str, Failure] = {}
        is_paid = False
        for model, is_quick in self._breaker.worth_asking(models):
            attempt = 1
            while model not in failures:
                if is_paid:
                    yield Restart()
                reply = Completion()
                request = self._request(model, prompt, limit)
                # Closed here rather than by the garbage collector: a reader that leaves must not
                # leave the connection behind.
                async with contextlib.aclosing(
                    self._ask(request, prompt, reply, is_quick=is_quick)
                ) as events:
                    async for event in events:
                        yield event
                failure = reply.failure
                self._breaker.note(model, failure.cause if failure else None)
                if failure is None:
                    self._note_fallback(failures, model)
                    return
                is_paid = is_paid or reply.has_begun
                is_last = model == models[-1]
                seconds, attempt = self._next_try(model, failure, attempt, is_last=is_last)
                if seconds is None:
                    failures[model] = failure
                else:
                    await asyncio.sleep(seconds)
            if is_given_up(failures[model]):
                break
        raise _final_error([*failures.values()])

    async def _ask(
        self,
        request: Mapping[str, Any],
        prompt: Sequence[Message],
        reply: Completion,
        *,
        is_quick: bool,
    ) -> AsyncGenerator[Delta | Cut | Usage]:
        """Make one call; how it went is in `reply` afterwards."""
        try:
            async with asyncio.timeout(_QUICK_SECONDS if is_quick else None):
                response = await self._send(request)
            async with (
                contextlib.aclosing(response),
                contextlib.aclosing(
                    _deltas(response, reply, self._read_seconds, self._alive_seconds)
                ) as deltas,
            ):
                async for delta in deltas:
                    yield delta
        except call_errors() as error:
            # Once the answer stands, a connection that breaks costs nothing.
            if not reply.has_ended:
                failure = failure_of(error)
                is_silent = failure.is_silent and not reply.has_words
                reply.failure = replace(failure, is_silent=is_silent)
        if rest := reply.end():
            yield rest
        if cut := reply.cut:
            yield cut
        if reply.has_begun:
            yield await _usage(request["model"], prompt, reply)

    async def _send(self, body: Mapping[str, object]) -> "httpx2.Response":
        """Send a request; return the response, its body yet to come.

        Not by the SDK's `completions.create`, which examines every parameter and message: that
        costs half as much again for each call (0.41 instead of 0.28 ms of CPU), and 70 ms more
        for 400 messages (openai 3.54, measured 2026-11).
        """
        import openai  # noqa: PLC0415 - `open` has loaded it

        client = await self._connection.open()
        stream = await client.post(
            "/chat/completions",
            cast_to=object,
            body=body,
            stream=True,
            stream_cls=openai.AsyncStream[object],
        )
        return stream.response

    def _request(self, model: str, prompt: Sequence[Message], limit: int) -> dict[str, Any]:
        refused = self._refused.get(model, set())
        body: dict[str, Any] = {
            "model": model,
            "stream": True,
            "messages": sent(prompt, takes_system="system" not in refused),
            "stream_options": {"include_usage": True},
        }
        for name in [name for name in limit_names(model) if name not in refused][:1]:
            body[name] = limit
        if self._is_openai:
            body["prompt_cache_key"] = _cache_key(prompt)
        if self._temperature is not None:
            body["temperature"] = self._temperature
        return {name: value for name, value in body.items() if name not in refused}

    def _next_try(
        self, model: str, failure: Failure, attempt: int, *, is_last: bool
    ) -> tuple[float | None, int]:
        """Return the seconds until the next attempt, and its number.

        None seconds: no more attempts; the number is that of the next model's first.
        """
        refused = self._refused.setdefault(model, set())
        if failure.parameter and failure.parameter not in refused:
            refused.add(failure.parameter)
            log.info("parameter refused model=%s parameter=%s", model, failure.parameter)
            return 0.0, attempt
        seconds = pause(failure, attempt, backoff_seconds=self._backoff_seconds, is_last=is_last)
        if self._breaker.is_down(model):
            seconds = None
        metrics.count(metrics.MODEL_FAILURES, model, failure.cause)
        if seconds is not None:
            metrics.retried("model")
        log.info(
            "model call failed model=%s cause=%s status=%s code=%s attempt=%d again=%s",
            model,
            failure.cause,
            failure.status,
            failure.code,
            attempt,
            "no" if seconds is None else f"in {seconds:.1f} s",
        )
        return seconds, 1 if seconds is None else attempt + 1

    def _note_fallback(self, failed: Iterable[str], model: str) -> None:
        """Tell the owner once that a model does not answer; again when it had done so since."""
        self._failing.discard(model)
        for name in failed:
            if name not in self._failing:
                log.warning("model %s does not answer, %s does", name, model)
                self._failing.add(name)


def _cache_key(prompt: Sequence[Message]) -> str:
    """Name what all prompts of a chat begin with, as long as a cache of them is of use.

    OpenAI sends prompts to where others of the same first 256 tokens and the same key went, up to
    some 15 a minute: without a key, chats with a long persona would push each other away.
    """
    start = "\0".join(worded(message) for message in prompt[:2])
    return hashlib.sha256(start.encode("utf-8", "replace")).hexdigest()[:32]


async def _deltas(
    response: "httpx2.Response", reply: Completion, read_seconds: float, alive_seconds: float
) -> AsyncGenerator[Delta]:
    """Yield what is said, at most once per piece of the connection.

    Raises:
        TimeoutError: The server fell silent, or sent no event for much longer.
    """
    if "json" in response.headers.get("content-type", ""):
        if delta := _whole(await response.aread(), reply):
            yield delta
        return
    reader = EventReader()
    pieces = response.aiter_bytes()
    heard_at = time.monotonic()
    while not reply.failure and (piece := await _next(pieces, reply, read_seconds)) is not None:
        events = reader.feed(piece)
        if events:
            heard_at = time.monotonic()
        elif time.monotonic() - heard_at > alive_seconds:
            raise TimeoutError
        if delta := reply.take(events):
            yield delta
    if delta := reply.take(reader.end()):
        yield delta


def _whole(body: bytes, reply: Completion) -> Delta | None:
    """Take in a body that came as JSON, which some servers call their events, too."""
    if body.lstrip(_BEFORE_OBJECT).startswith(b"{"):
        delta = reply.take([body])
        reply.is_done = True
        return delta
    reader = EventReader()
    return reply.take([*reader.feed(body), *reader.end()])


async def _next(
    pieces: AsyncIterator[bytes], reply: Completion, read_seconds: float
) -> bytes | None:
    """Return the next piece; None at the end, or when waiting for more is no use.

    Raises:
        TimeoutError: The server fell silent within the reply.
    """
    if not (reply.has_words or reply.has_ended):
        return await anext(pieces, None)
    seconds = _USAGE_SECONDS if reply.has_ended else read_seconds
    try:
        async with asyncio.timeout(_END_SECONDS if reply.is_done else seconds):
            return await anext(pieces, None)
    except TimeoutError:
        if not reply.has_ended:
            raise
        return None


async def _usage(model: str, prompt: Sequence[Message], reply: Completion) -> Usage:
    found = reply.usage or {}
    prompt_tokens = reported_tokens(found.get("prompt_tokens"))
    if not prompt_tokens:
        return Usage(
            purpose="chat",
            model=model,
            input=await asyncio.to_thread(tokens.prompt_tokens, prompt),
            output=await tokens.counted(reply.text),
            is_estimated=True,
        )
    details = found.get("prompt_tokens_details")
    details = details if isinstance(details, dict) else {}
    return Usage(
        purpose="chat",
        model=model,
        input=prompt_tokens,
        cached=reported_tokens(details.get("cached_tokens")),
        written=reported_tokens(details.get("cache_write_tokens")),
        # Gemini and xAI do not count what a model thinks among the former, but bill it.
        output=max(
            reported_tokens(found.get("completion_tokens")),
            reported_tokens(found.get("total_tokens")) - prompt_tokens,
        ),
    )


def _final_error(failures: Sequence[Failure]) -> ModelError:
    """Return what to tell a person: what may pass by itself counts before what will not."""
    if not failures:
        return Failure(cause="model").error
    transient = [failure for failure in failures if failure.is_transient]
    if is_given_up(failures[-1]) or not transient:
        return failures[-1].error
    return transient[0].error
