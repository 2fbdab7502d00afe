"""Answer a sound chat request: whole or as a stream, with the fault that was ordered."""

from __future__ import annotations

import asyncio
import json
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from aiohttp import web

from tests.servers.openai.faults import Break, Shape
from tests.servers.openai.wire import PLAIN, Wire, reset

if TYPE_CHECKING:
    from tests.servers.openai.records import Request
    from tests.servers.openai.server import OpenAIServer

CREATED = 1_772_000_000
HALF_A_CHUNK = b'{"id":"chatcmpl-loopback","object":"chat.completion.chunk","choices":[{"ind'
ERROR = {
    "error": {
        "message": "The server had an error while processing your request. Sorry about that!",
        "type": "server_error",
        "param": None,
        "code": None,
    }
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """A request being answered."""

    server: OpenAIServer
    request: web.Request
    record: Request
    fault: Shape | Break | None

    @property
    def shape(self) -> Shape:
        """The reply's shape."""
        return self.fault if isinstance(self.fault, Shape) else PLAIN


async def answer(call: Call, pieces: list[str], *, is_cut: bool) -> web.StreamResponse:
    """Answer a request.

    Args:
        call: What is asked.
        pieces: The reply, as it is to be streamed.
        is_cut: It was shortened to the limit asked for.
    """
    shape = call.shape
    if shape.is_empty or shape.refusal:
        pieces = []
    elif shape.is_whole:
        pieces = ["".join(pieces)]
    finish = "length" if is_cut else (call.fault or PLAIN).finish
    if call.record.body.get("stream"):
        return await _stream(call, pieces, finish)
    return await _whole(call, pieces, finish)


async def _whole(call: Call, pieces: list[str], finish: str) -> web.StreamResponse:
    if call.server.first_token_delay:
        await asyncio.sleep(call.server.first_token_delay)
    text = "".join(pieces)
    call.record.first_token_at = call.record.last_token_at = time.monotonic()
    call.record.sent.append(text)
    if isinstance(call.fault, Break):
        if call.fault.how == "stall":
            await call.server.closing.wait()
        reset(call.request)
        return web.Response()
    refusal = call.shape.refusal or None
    message = {"role": "assistant", "content": None if refusal else text, "refusal": refusal}
    body = {
        "id": "chatcmpl-loopback",
        "object": "chat.completion",
        "created": CREATED,
        "model": call.record.model,
        "choices": [{"index": 0, "message": message, "logprobs": None, "finish_reason": finish}],
        "usage": _usage(call),
        "service_tier": "default",
    }
    call.record.is_done = True
    return web.json_response(body, headers={"x-request-id": "req_loopback"})


async def _stream(call: Call, pieces: list[str], finish: str) -> web.StreamResponse:
    response = web.StreamResponse(
        headers={
            "Content-Type": "text/event-stream; charset=utf-8",
            "Cache-Control": "no-cache",
            "x-request-id": "req_loopback",
        }
    )
    await response.prepare(call.request)
    wire = Wire(response, call.shape)
    if call.shape.has_empty_choices:
        await wire.send(_chunk(call, []))
    await wire.send(_chunk(call, [_choice({"role": "assistant", "content": "", "refusal": None})]))
    if call.server.first_token_delay:
        await asyncio.sleep(call.server.first_token_delay)
    fault = call.fault if isinstance(call.fault, Break) else Break(how="eof", after="done")
    stop = fault.after if isinstance(fault.after, int) else len(pieces)
    await _send_pieces(call, wire, pieces[:stop])
    if isinstance(fault.after, int) and not await _break(call, wire, fault):
        return response
    await wire.send(_chunk(call, [_choice({}, finish)]))
    if fault.after == "finish" and not await _break(call, wire, fault):
        return response
    await _send_end(call, wire)
    call.record.is_done = True
    await _break(call, wire, fault)
    return response


async def _send_pieces(call: Call, wire: Wire, pieces: list[str]) -> None:
    record = call.record
    empty = _chunk(call, [_choice({"content": "\0"})])
    before, after = empty.split(b'"\\u0000"')
    for index, piece in enumerate(pieces):
        if index:
            await _wait(call.server, record)
        record.last_token_at = time.monotonic()
        record.first_token_at = record.first_token_at or record.last_token_at
        record.sent.append(piece)
        await wire.send(before + json.dumps(piece, ensure_ascii=False).encode() + after)
    if call.shape.refusal:
        await wire.send(_chunk(call, [_choice({"refusal": call.shape.refusal})]))


async def _wait(server: OpenAIServer, record: Request) -> None:
    if server.chunk_delay:
        await asyncio.sleep(server.chunk_delay)
    if server.gate:
        await server.gate.wait()
    await server.until(lambda: server.goes_on(record))


async def _break(call: Call, wire: Wire, fault: Break) -> bool:
    """Let the fault happen; return False when it ends the response."""
    if fault.how == "stall":
        await call.server.closing.wait()
    elif fault.how == "reset":
        reset(call.request)
    elif fault.how == "error":
        await wire.send(json.dumps(ERROR).encode())
    elif fault.how == "malformed":
        await wire.send(HALF_A_CHUNK)
        return True
    return False


async def _send_end(call: Call, wire: Wire) -> None:
    options = call.record.body.get("stream_options") or {}
    if options.get("include_usage") and call.shape.has_usage:
        await wire.send(_chunk(call, [], usage=_usage(call)))
    await wire.send(b"[DONE]")


def _chunk(call: Call, choices: list[dict[str, Any]], **more: object) -> bytes:
    body = {
        "id": "chatcmpl-loopback",
        "object": "chat.completion.chunk",
        "created": CREATED,
        "model": call.record.model,
        "service_tier": "default",
        "system_fingerprint": None,
        "choices": choices,
        **more,
    }
    return json.dumps(body, separators=(",", ":")).encode()


def _choice(delta: dict[str, Any], finish: str | None = None) -> dict[str, Any]:
    return {"index": 0, "delta": delta, "logprobs": None, "finish_reason": finish}


def _usage(call: Call) -> dict[str, Any]:
    prompt = call.record.prompt_tokens
    output = call.server.counter.text("".join(call.record.sent))
    return {
        "prompt_tokens": prompt,
        "completion_tokens": output,
        "total_tokens": prompt + output,
        "prompt_tokens_details": {
            "cached_tokens": call.record.cached_tokens,
            "audio_tokens": 0,
        },
        "completion_tokens_details": {
            "reasoning_tokens": 0,
            "audio_tokens": 0,
            "accepted_prediction_tokens": 0,
            "rejected_prediction_tokens": 0,
        },
    }
