"""The loopback model server: keys, faults, records; what is asked is answered elsewhere."""

import asyncio
import json
import time
from collections.abc import Awaitable, Callable
from typing import Any, Self

from aiohttp import web

from tests import leaks
from tests.servers.openai import audio, chat, checks, limits
from tests.servers.openai.counting import Counter
from tests.servers.openai.errors import Refuse, bad_key, no_key, refusal, unknown_model
from tests.servers.openai.faults import Break, Fault, Shape
from tests.servers.openai.records import Request, text_of
from tests.servers.openai.wire import reset

CREATED = 1_772_000_000
Reply = Callable[[Request], str | list[str]]
Transcribe = Callable[[bytes, dict[str, Any]], str]
Respond = Callable[[web.Request, Request, Shape | Break | None], Awaitable[web.StreamResponse]]


class OpenAIServer:
    """Serve /v1 on a free port of 127.0.0.1 while the context is open.

    Args:
        key: The only key accepted; empty: anybody may ask.
        is_exact: Count tokens with o200k_base and simulate the prefix cache; False estimates
            them and is what benchmarks want.

    Attributes:
        models: Chat models and what they take; add or replace some for a test.
        speech_models: Transcription models likewise.
        reply: Returns the reply to a request, whole or in pieces.
        transcript: What every recording says, or what finds it out from its bytes and form.
        chunk_length: Characters per piece of a reply that `reply` gives whole.
        first_token_delay: Seconds before the first piece.
        chunk_delay: Seconds before each further one.
        gate: Once set, pieces after the first wait until it is open.
        goes_on: The same for a single request: says whether its further pieces may go out.
        requests: Every request, in order of arrival.
        peak: Most requests answered at once.
    """

    def __init__(self, *, key: str = "sk-loopback-0123456789", is_exact: bool = True) -> None:
        self.key = key
        leaks.note_secret(key)
        self.url = ""
        self.models = limits.chat_models()
        self.speech_models = limits.speech_models()
        self.reply: Reply = echo
        self.transcript: str | Transcribe = "This is what was said."
        self.chunk_length = 4
        self.first_token_delay = 0.0
        self.chunk_delay = 0.0
        self.gate: asyncio.Event | None = None
        self.goes_on: Callable[[Request], bool] = lambda _: True
        self.requests: list[Request] = []
        self.peak = 0
        self.counter = Counter(is_exact=is_exact)
        self.closing = asyncio.Event()
        self._active = 0
        self._faults: list[tuple[Fault, list[int | None], str | None, str]] = []
        self._runner: web.AppRunner | None = None

    async def __aenter__(self) -> Self:
        app = web.Application(client_max_size=64 * 2**20)
        app.router.add_get("/v1/models", self._list)
        app.router.add_get("/v1/models/{name}", self._describe)
        app.router.add_post("/v1/chat/completions", self._chat)
        app.router.add_post("/v1/audio/transcriptions", self._audio)
        app.router.add_post("/v1/audio/translations", self._audio)
        app.router.add_route("*", "/{path:.*}", self._lost)
        runner = web.AppRunner(
            app, access_log=None, handler_cancellation=True, shutdown_timeout=0.2
        )
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0, backlog=1024)
        await site.start()
        self._runner = runner
        self.url = f"http://127.0.0.1:{runner.addresses[0][1]}/v1"
        return self

    async def __aexit__(self, *_: object) -> None:
        self.closing.set()
        if self._runner:
            await self._runner.cleanup()

    def fail(
        self, fault: Fault, *, times: int | None = 1, model: str | None = None, about: str = ""
    ) -> None:
        """Let the next requests meet a fault; faults ordered earlier come first.

        Args:
            fault: What happens.
            times: To how many requests; None for all.
            model: Only to requests for this model.
            about: Only to requests that hold this word.
        """
        self._faults.append((fault, [times], model, about))

    def heal(self) -> None:
        """Forget all faults."""
        self._faults.clear()

    async def until(self, condition: Callable[[], object], *, seconds: float = 30.0) -> None:
        """Wait until a condition on this server's records holds.

        Raises:
            TimeoutError: It did not within `seconds`.
        """
        async with asyncio.timeout(seconds):
            while not condition():  # noqa: ASYNC110 - any condition, so nothing to wake us
                await asyncio.sleep(0.002)

    async def _chat(self, request: web.Request) -> web.StreamResponse:
        raw = await request.read()
        try:
            body = json.loads(raw)
        except ValueError:
            body = None
        if not isinstance(body, dict):
            text = "We could not parse the JSON body of your request."
            return refusal(400, text).response()
        return await self._serve(request, self._record(request, body), self._answer_chat)

    async def _audio(self, request: web.Request) -> web.StreamResponse:
        form = await request.post()
        record = self._record(request, audio.read_form(form))
        audio.read_file(form, record)
        return await self._serve(request, record, self._answer_audio)

    async def _list(self, request: web.Request) -> web.Response:
        if problem := self._find_key_problem(request):
            return problem.response()
        serving = [name for name, model in self.models.items() if not model.is_retired]
        data = [_model(name) for name in (*serving, *self.speech_models)]
        return web.json_response({"object": "list", "data": data})

    async def _describe(self, request: web.Request) -> web.Response:
        if problem := self._find_key_problem(request):
            return problem.response()
        name = request.match_info["name"]
        known = self.models.get(name)
        if name in self.speech_models or (known and not known.is_retired):
            return web.json_response(_model(name))
        return unknown_model(name).response()

    async def _lost(self, request: web.Request) -> web.Response:
        text = f"Invalid URL ({request.method} {request.path})"
        return refusal(404, text).response()

    async def _serve(
        self, request: web.Request, record: Request, respond: Respond
    ) -> web.StreamResponse:
        self._active += 1
        self.peak = max(self.peak, self._active)
        try:
            if problem := self._find_key_problem(request):
                return self._refuse(record, problem)
            fault = self._take_fault(record)
            if isinstance(fault, Refuse):
                return self._refuse(record, fault)
            if isinstance(fault, Break) and fault.after is None:
                return await self._break(request, fault)
            response = await respond(request, record, fault)
        except (asyncio.CancelledError, ConnectionError):
            record.is_cut = not self.closing.is_set()
            raise
        finally:
            self._active -= 1
        record.status = response.status
        return response

    async def _answer_chat(
        self, request: web.Request, record: Request, fault: Shape | Break | None
    ) -> web.StreamResponse:
        if problem := checks.find_model_problem(record.body, self.models):
            return problem.response()
        model = self.models[record.model]
        if problem := checks.find_problem(record.body, model):
            return problem.response()
        messages = record.body["messages"]
        record.prompt_tokens, record.cached_tokens = self.counter.prompt(messages)
        if problem := checks.find_length_problem(record.body, model, record.prompt_tokens):
            return problem.response()
        pieces, is_cut = self._pieces(record)
        return await chat.answer(
            chat.Call(server=self, request=request, record=record, fault=fault),
            pieces,
            is_cut=is_cut,
        )

    async def _answer_audio(
        self, _request: web.Request, record: Request, _fault: Shape | Break | None
    ) -> web.StreamResponse:
        if problem := audio.find_problem(record, self.speech_models):
            return problem.response()
        said = self.transcript
        text = said if isinstance(said, str) else said(record.audio, record.body)
        if self.first_token_delay:
            await asyncio.sleep(self.first_token_delay)
        record.first_token_at = record.last_token_at = time.monotonic()
        leaks.note(text)
        record.sent.append(text)
        record.is_done = True
        return audio.answer(record, self.speech_models[record.model], self.counter.text(text))

    def _pieces(self, record: Request) -> tuple[list[str], bool]:
        leaks.note(*(text for role, text in record.texts if role == "user"))
        reply = self.reply(record)
        leaks.note(reply if isinstance(reply, str) else "".join(reply))
        size = self.chunk_length
        if isinstance(reply, str):
            pieces = [reply[start : start + size] for start in range(0, len(reply), size)]
        else:
            pieces = list(reply)
        limit = record.body.get("max_completion_tokens", record.body.get("max_tokens"))
        if limit is None:
            return pieces, False
        text = "".join(pieces)
        room = len(self.counter.cut(text, limit))
        if room == len(text):
            return pieces, False
        kept = []
        for piece in pieces:
            kept.append(piece[:room])
            room -= len(kept[-1])
            if not room:
                break
        return kept, True

    async def _break(self, request: web.Request, fault: Break) -> web.StreamResponse:
        if fault.how == "stall":
            await self.closing.wait()
        reset(request)
        return web.Response()

    def _refuse(self, record: Request, refuse: Refuse) -> web.Response:
        record.status = refuse.status
        return refuse.response()

    def _record(self, request: web.Request, body: dict[str, Any]) -> Request:
        hidden = ("authorization", "api-key")
        headers = {
            name.lower(): value
            for name, value in request.headers.items()
            if name.lower() not in hidden
        }
        path = request.path.removeprefix("/v1")
        peer = request.transport.get_extra_info("peername") if request.transport else None
        record = Request(
            path=path,
            body=body,
            headers=headers,
            port=peer[1] if peer else 0,
            at=time.monotonic(),
        )
        self.requests.append(record)
        return record

    def _find_key_problem(self, request: web.Request) -> Refuse | None:
        if not self.key:
            return None
        scheme, _, key = request.headers.get("Authorization", "").partition(" ")
        if scheme != "Bearer" or not key:
            return no_key()
        return None if key == self.key else bad_key(key)

    def _take_fault(self, record: Request) -> Fault | None:
        for fault, left, model, about in self._faults:
            if model not in {None, record.model} or left[0] == 0:
                continue
            if about and not any(about in text for _, text in record.texts):
                continue
            if left[0] is not None:
                left[0] -= 1
            return fault
        return None


def echo(request: Request) -> str:
    """Return a reply that shows which message was answered."""
    said = [message for message in request.body["messages"] if message["role"] == "user"]
    return f"You said: {text_of(said[-1]['content'])}" if said else "You said nothing."


def _model(name: str) -> dict[str, object]:
    return {"id": name, "object": "model", "created": CREATED, "owned_by": "loopback"}
