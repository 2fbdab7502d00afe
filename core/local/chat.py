"""The embedded chat model: a model server inside this process, for the one client we have."""

import asyncio
import os
import secrets
from collections import deque
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from core.errors import SettingsError
from core.local.weights import CHAT, Progress, find, quiet, read

MODEL = "smollm2-135m"
# Prompts are read at 250 tokens/s on 2 cores, so more room would only mean longer waits.
CONTEXT_TOKENS = 2_048
# It cannot keep to a thought for longer than that.
REPLY_TOKENS = 128
SLOTS = 2  # chats answered at the same time; further ones wait
# The likeliest words: with 0.1 or 0.2, two of five answers to "What is the capital of France?"
# were French verse, some of it in circles; none was with 0 (SmolLM2-135M, 2026-11).
TEMPERATURE = 0.0


@dataclass(slots=True, kw_only=True)
class LocalChat:
    """A running model server on this machine, to be reached like any other.

    Attributes:
        base_url: Root of its API.
        key: What it wants as a key, so that nothing else on this machine can use it.
        model: Name of its model.
        context_tokens: Most tokens of prompt and reply together.
        reply_tokens: Most tokens that a reply should be allowed.
        temperature: It uses where none is asked for.
    """

    base_url: str
    key: str = field(repr=False)
    model: str = MODEL
    context_tokens: int = CONTEXT_TOKENS
    reply_tokens: int = REPLY_TOKENS
    temperature: float = TEMPERATURE
    _server: Any = field(repr=False)

    async def close(self) -> None:
        """End the server; close its clients first, or it waits some seconds for them."""
        await asyncio.to_thread(self._end)

    def _end(self) -> None:
        self._server = None  # the server ends with its last reference


async def start_chat(progress: Progress = quiet) -> LocalChat:
    """Check the weights and serve them on a free port of 127.0.0.1.

    Args:
        progress: Told how far the check is; called in a thread.

    Raises:
        SettingsError: The extra `embedded` is not installed, or damaged, or does not run here.
    """
    return await asyncio.to_thread(_start, progress)


def _start(progress: Progress) -> LocalChat:
    path = find(*CHAT.files[0])
    deque(read(CHAT, progress), maxlen=0)
    key = secrets.token_urlsafe()
    server = serve(path, key)
    return LocalChat(base_url=f"{server.listening_address}/v1", key=key, _server=server)


def serve(path: Path, key: str) -> Any:  # noqa: ANN401 - the engine has no types
    """Serve a model file; the server ends with its last reference.

    Raises:
        SettingsError: The engine cannot load it.
    """
    # Else its threads spin while they wait, and take the processor from everything else.
    os.environ.setdefault("OMP_WAIT_POLICY", "passive")
    import xllamacpp  # noqa: PLC0415 - 100 MB, and not needed with a key

    params = xllamacpp.CommonParams()
    params.model.path = str(path)
    params.model_alias = {MODEL}
    params.api_keys = [key]
    params.verbosity = -1  # nothing on the terminal
    params.n_ctx = SLOTS * CONTEXT_TOKENS
    params.n_parallel = SLOTS
    params.sampling.temp = TEMPERATURE
    # Of so small a model one thread writes 75 tokens/s and two 42; prompts do gain by more.
    params.cpuparams.n_threads = 1
    params.cpuparams_batch.n_threads = os.cpu_count() or 1
    params.sse_ping_interval = 1  # seconds: how soon a stream notices that the server ends
    params.cache_ram_mib = 0
    params.fit_params = params.warmup = params.ui = params.endpoint_slots = False
    params.endpoint_metrics = True
    try:
        server = xllamacpp.Server(params)
    except RuntimeError as error:
        raise SettingsError("The embedded chat model does not start on this machine.") from error
    # Ended before its loop has begun, it would wait for that for ever, and nothing else would
    # run meanwhile (xllamacpp 2026.10). What only the loop can answer shows that it has.
    server.handle_metrics()
    return server
