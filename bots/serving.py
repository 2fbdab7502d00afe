"""The composition root: settings -> store -> intake and relay -> the bots that have a token."""

import argparse
import asyncio
import logging
import signal
import sys
from collections.abc import Callable, Collection, Coroutine, Iterable, Iterator, Mapping, Sequence
from contextlib import AsyncExitStack, contextmanager, suppress
from functools import partial
from itertools import chain
from pathlib import Path
from typing import Literal

from bots import heap, logs, permissions
from bots.health import Health
from bots.settings import BotSettings
from core import env_file, metrics, models, tokens
from core.access import Access
from core.brain import Brain, offers, open_brain
from core.commands import COMMANDS
from core.errors import SettingsError
from core.intake import Intake
from core.memory import Memory
from core.protocols import Bot, Inbox, Store
from core.relay import Relay
from core.retention import keep_tidy
from core.store import open_store
from core.tracing import open_tracing
from core.turns import Turns
from core.understand import Understanding
from core.usage import Spending

log = logging.getLogger("causerie")

Role = Literal["listen", "work"]
ALL: frozenset[Role] = frozenset({"listen", "work"})
SAME_SIGNAL_SECONDS = 1.0
# Of 5 that an end may take, 3 are for what is being answered, and so many for the store.
PATIENT_SECONDS = 4.0
_Task = Coroutine[None, None, None]
_SIGNALS = (signal.SIGINT, signal.SIGTERM)


def serve(chosen: BotSettings, _: argparse.Namespace, *, roles: Collection[Role]) -> int:
    """Serve until a signal ends it; return the exit code.

    Args:
        chosen: The owner's settings.
        roles: What this process does: `listen`, `work`, or both.

    Raises:
        SettingsError: It cannot be served like this.
    """
    if roles != ALL:
        _check_shared(chosen)
    heap.give_back()
    with suppress(asyncio.CancelledError):  # a signal ended it, in good order
        asyncio.run(_serve(chosen, roles))
    return 0


def _check_shared(chosen: BotSettings) -> None:
    if isinstance(chosen.database, Path):
        raise SettingsError(
            "DATABASE_URL: should be a PostgreSQL database, which listeners and workers share; a "
            "SQLite file belongs to one process, `causerie serve`"
        )
    if not chosen.has_platform:
        raise SettingsError("TELEGRAM_BOT_TOKEN, DISCORD_BOT_TOKEN: at least one should be set")


async def _serve(chosen: BotSettings, roles: Collection[Role]) -> None:
    log_to_stderr(chosen, is_quiet=not chosen.has_platform)
    async with AsyncExitStack() as stack:
        stack.enter_context(ending_at_signals())
        await open_tracing(stack)
        store = await open_store(chosen.database)
        stack.push_async_callback(store.close)
        health = await _open_health(chosen, store, stack)
        # With the terminal goes the machine, so whoever sits at it is an owner.
        owners = chosen.owners if chosen.has_platform else (*chosen.owners, "console:0")
        access = Access(
            store,
            mode=chosen.access,
            owners=owners,
            allowed=chosen.allowed,
            per_minute=chosen.user_per_minute,
        )
        brain = await _open_brain(chosen, stack) if "work" in roles else None
        notice = brain.notice if brain else ""
        bots = {bot.name: bot for bot in _open_bots(chosen, stack, notice)}
        metrics.expect(bots)
        listening, working = [], []
        if "listen" in roles:
            intake = Intake(store, access)
            listening = [_listen(bot, intake, store, health) for bot in bots.values()]
        if brain:
            relay = await _open_relay(chosen, store=store, access=access, brain=brain, bots=bots)
            health.checks["worker"] = lambda: "" if relay.is_leasing else "takes no work"
            tidy = partial(keep_tidy, store, chosen.retention_days)
            working = [relay.run(), _while_leading(store, "tidy", tidy)]
            _advise(chosen, brain)
        models = ",".join(brain.models) if brain else "-"
        log.info(
            "serving roles=%s bots=%s models=%s", ",".join(sorted(roles)), ",".join(bots), models
        )
        heap.settle()
        await _run(listening, working, health=health, hang_up=store.hang_up)


async def _open_health(chosen: BotSettings, store: Store, stack: AsyncExitStack) -> Health:
    """Let monitors ask how this process runs, unless it is somebody's terminal."""
    health = Health(store)
    if chosen.has_platform and chosen.health_listen != "off":
        is_default = "health_listen" not in chosen.model_fields_set
        served = health.served(chosen.health_listen, is_default=is_default)
        await stack.enter_async_context(served)
    return health


async def _open_brain(chosen: BotSettings, stack: AsyncExitStack) -> Brain:
    # One after the other: what loading the vocabulary leaves free, the SDKs fill (9 MB).
    await asyncio.to_thread(tokens.vocabulary)
    return await open_brain(chosen, stack, _Progress())


async def _listen(bot: Bot, inbox: Inbox, store: Store, health: Health) -> None:
    """Let a bot listen, while no other process does in its place if only one may."""

    async def listen() -> None:
        health.checks[bot.name] = lambda: "" if bot.is_listening else "hears nothing"
        log.info("listening bot=%s", bot.name)
        try:
            await bot.listen(inbox)
        finally:
            health.checks[bot.name] = _stand_by

    if not bot.claim:
        return await listen()
    health.checks[bot.name] = _stand_by
    return await _while_leading(store, f"listen {bot.claim}", listen)


def _stand_by() -> str:
    """Say what is wrong with a bot that is only ready to follow: nothing."""
    return ""


async def _while_leading(
    store: Store, name: str, work: Callable[[], Coroutine[None, None, None]]
) -> None:
    """Do what only one process may do, whenever this one leads; return once it is done."""
    while True:
        async with store.lead(name) as lost:
            working = asyncio.create_task(work())
            losing = asyncio.create_task(lost.wait())
            try:
                await asyncio.wait({working, losing}, return_when=asyncio.FIRST_COMPLETED)
                if working.done():
                    return await working
            finally:
                losing.cancel()
                for error in await _ended([working]):
                    raise error
        log.warning("another process may lead now name=%s", name)


def _open_bots(chosen: BotSettings, stack: AsyncExitStack, notice: str) -> Iterator[Bot]:
    """Open a bot for every platform that has a token, or else the terminal."""
    if chosen.telegram_bot_token:
        from bots.telegram import Hook, TelegramBot  # noqa: PLC0415 - the SDK takes its time

        hook = chosen.telegram_webhook_url and Hook(
            url=chosen.telegram_webhook_url,
            secret=chosen.webhook_secret,
            listen=chosen.telegram_webhook_listen,
        )
        telegram = TelegramBot(
            token=chosen.telegram_bot_token.get_secret_value(),
            api_url=chosen.telegram_api_url,
            proxy=chosen.http_proxy_telegram,
            hook=hook or None,
            commands=COMMANDS,
            owners=chosen.owners,
        )
        stack.push_async_callback(telegram.close)
        yield telegram
    if chosen.discord_bot_token:
        from bots.discord import DiscordBot  # noqa: PLC0415 - the SDK takes its time

        discord = DiscordBot(
            token=chosen.discord_bot_token.get_secret_value(),
            api_url=chosen.discord_api_url,
            proxy=chosen.http_proxy_discord,
            commands=COMMANDS,
            offers=offers(chosen),
            shards=chosen.discord_shards,
        )
        stack.push_async_callback(discord.close)
        yield discord
    if not chosen.has_platform:
        from bots.console import ConsoleBot  # noqa: PLC0415 - not needed by a server

        yield ConsoleBot(commands=COMMANDS, notice=notice)


async def _open_relay(
    chosen: BotSettings, *, store: Store, access: Access, brain: Brain, bots: Mapping[str, Bot]
) -> Relay:
    memory = Memory(
        store,
        context_tokens=brain.context_tokens,
        reply_tokens=brain.reply_tokens,
        factors=await store.calibrations(),
    )
    spending = Spending(
        store, caps=chosen.caps, savings=chosen.near_limit, has_footer=chosen.footer
    )
    turns = Turns(
        store=store,
        spending=spending,
        model=brain.model,
        understanding=Understanding(store, transcriber=brain.transcriber, bots=bots),
        access=access,
        memory=memory,
        models=brain.models,
        prompts=brain.prompts,
        tells_date=not brain.notice,
    )
    return Relay(store=store, turns=turns, bots=bots)


def _advise(chosen: BotSettings, brain: Brain) -> None:
    for path in filter(permissions.is_exposed, permissions.private_files(chosen)):
        log.warning("others on this machine can read %s: %s", path, permissions.fix(path))
    for name, meant in env_file.misnamed(type(chosen).model_fields, chosen.model_fields_set):
        log.warning("%s is no setting, so it does not count; was %s meant?", name, meant)
    if chosen.has_platform and chosen.access == "pairing" and not chosen.owners:
        log.warning("OWNERS is empty, so nobody can let people in; send /id to the bot to fill it")
    if chosen.has_model_server:
        _advise_of_ends(chosen.chat_model, "CHAT_MODEL")
    if chosen.has_speech_server and all(map(models.ends_soon, chosen.speech_model)):
        _advise_of_ends(chosen.speech_model, "SPEECH_MODEL")
    for name in brain.models:
        if not models.describe(name).is_known and not brain.context_tokens:
            log.warning(
                "the context window of %s is unknown, %d tokens are assumed; CONTEXT_TOKENS says "
                "better",
                name,
                models.UNKNOWN_CONTEXT,
            )


def _advise_of_ends(names: Sequence[str], setting: str) -> None:
    asked = models.serving(names)
    for name in names:
        end = models.ends_soon(name)
        if end and name in asked:
            log.warning("%s is shut down on %s; set %s to another one", name, end, setting)
        elif end:
            log.warning(
                "%s was shut down on %s, so it is not asked; where it still serves, a file named "
                "in MODEL_TABLE can say so",
                name,
                end,
            )


async def _run(
    listening: Iterable[_Task],
    working: Iterable[_Task],
    *,
    health: Health,
    hang_up: Callable[[], None],
) -> None:
    """Serve until cancelled, or until a bot has nothing more to hear; end in good order."""
    groups = [[asyncio.create_task(task) for task in tasks] for tasks in (listening, working)]
    try:
        with health.started():
            await asyncio.wait(chain(*groups), return_when=asyncio.FIRST_COMPLETED)
    finally:
        log.info("ending")
        hanging_up = asyncio.get_running_loop().call_later(PATIENT_SECONDS, hang_up)
        # Bots first, so that nothing more comes in.
        errors = [error for tasks in groups for error in await _ended(tasks)]
        hanging_up.cancel()
        for error in errors:
            raise error


async def _ended(tasks: Sequence[asyncio.Task[None]]) -> list[Exception]:
    """End tasks; return what they failed with."""
    for task in tasks:
        task.cancel()
    results = await asyncio.gather(*tasks, return_exceptions=True)
    return [result for result in results if isinstance(result, Exception)]


@contextmanager
def ending_at_signals() -> Iterator[None]:
    """Let a first SIGINT or SIGTERM cancel the task that enters this.

    What follows within a second belongs to it: `timeout` sends two. Any later one, or one that
    comes once this is left, ends the process at once: nothing suffers from it, as from no crash.
    """
    loop, ending = asyncio.get_running_loop(), asyncio.current_task()

    def end() -> None:
        _treat_signals(loop, signal.SIG_IGN)
        loop.call_later(SAME_SIGNAL_SECONDS, _treat_signals, loop, signal.SIG_DFL)
        if ending:
            ending.cancel()

    for number in _SIGNALS:
        loop.add_signal_handler(number, end)
    try:
        yield
    finally:
        _treat_signals(loop, signal.SIG_DFL)


def _treat_signals(loop: asyncio.AbstractEventLoop, how: signal.Handlers) -> None:
    for number in _SIGNALS:
        loop.remove_signal_handler(number)
        signal.signal(number, how)


def log_to_stderr(chosen: BotSettings, *, is_quiet: bool) -> None:
    """Log as the settings say; only warnings where a person sees it, unless they ask for more."""
    is_watched = sys.stderr.isatty()
    logs.configure(
        level="WARNING" if is_quiet and chosen.log_level == "INFO" else chosen.log_level,
        as_json=chosen.log_format == "json" or (chosen.log_format is None and not is_watched),
        secrets=chosen.secrets,
    )


class _Progress:
    """Shows on the terminal what is unpacked or checked before the first answer."""

    def __init__(self) -> None:
        self._shown = -1

    def __call__(self, label: str, done: int, total: int) -> None:
        """Show that `done` of `total` is through."""
        percent = 100 * done // max(total, 1)
        if percent == self._shown or not sys.stderr.isatty():
            return
        self._shown = percent
        end = "\n" if done >= total else ""
        sys.stderr.write(f"\r{label}: {percent} %{end}")
        sys.stderr.flush()
