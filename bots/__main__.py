"""The composition root: settings -> store -> relay -> the bots that have a token."""

import argparse
import asyncio
import csv
import importlib.metadata
import logging
import os
import signal
import sys
import time
from collections.abc import Coroutine, Iterable, Iterator, Mapping, Sequence
from contextlib import AsyncExitStack

from bots import logs, permissions
from bots.settings import BotSettings
from core import models, settings, tokens
from core.access import Access
from core.brain import Brain, open_brain
from core.commands import COMMANDS
from core.errors import CauserieError, SettingsError
from core.memory import Memory
from core.protocols import Bot, Store
from core.relay import Relay
from core.retention import keep_tidy
from core.store import ledger, open_store
from core.turns import Turns
from core.understand import Understanding
from core.usage import Spending

log = logging.getLogger("causerie")

EXIT_FAILURE, EXIT_USAGE = 1, 2
ABOUT = """\
A language model in the chats people already use.

Serves every platform that has a token, in the environment or in .env; with none, it opens a
chat in this terminal. With neither OPENAI_API_KEY nor OPENAI_BASE_URL, a small embedded model
answers. README.md and .env.example list all settings."""


def main() -> None:
    """Run the command `causerie` and exit with its code."""
    sys.exit(run(sys.argv[1:]))


def run(arguments: Sequence[str]) -> int:
    """Run the command; return 0, 1 after a failure, or 2 when something is set wrong."""
    command = _parser().parse_args(arguments).command
    secrets: tuple[str, ...] = ()
    try:
        chosen = settings.load(BotSettings)
        secrets = chosen.secrets
        return _carry_out(command, chosen)
    except asyncio.CancelledError:
        return 0  # a signal ended it, in good order
    except SettingsError as error:
        text = logs.masked(str(error), secrets)
        print(text, file=sys.stderr)  # noqa: T201 - before there is a log
        return EXIT_USAGE
    except CauserieError as error:
        text = logs.masked(f"causerie: {error}", secrets)
        print(text, file=sys.stderr)  # noqa: T201 - the log may be elsewhere
        return EXIT_FAILURE


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="causerie", description=ABOUT, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    version = importlib.metadata.version("causerie")
    parser.add_argument("--version", action="version", version=f"causerie {version}")
    parser.add_argument(
        "command",
        nargs="?",
        choices=["doctor", "usage"],
        help="doctor: check settings, tokens and servers, and say how to mend each fault; "
        "usage: write every paid call to standard output, as CSV",
    )
    parser.add_argument("--csv", action="store_true", help="what `usage` does anyway")
    return parser


def _carry_out(command: str | None, chosen: BotSettings) -> int:
    if chosen.tz:
        os.environ["TZ"] = chosen.tz
        time.tzset()
    models.use(chosen.model_table, chat_url=chosen.openai_base_url, speech_url=chosen.speech_url)
    if command == "usage":
        _write_usage(chosen)
        return 0
    if command == "doctor":
        return asyncio.run(_examine(chosen))
    asyncio.run(_serve(chosen))
    return 0


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


async def _serve(chosen: BotSettings) -> None:
    _end_at_signals()
    is_terminal = not (chosen.telegram_bot_token or chosen.discord_bot_token)
    _log_to_stderr(chosen, is_terminal=is_terminal)
    async with AsyncExitStack() as stack:
        store = await open_store(chosen.database_path)
        stack.push_async_callback(store.close)
        brain, _ = await asyncio.gather(
            open_brain(chosen, stack, _Progress()), asyncio.to_thread(tokens.vocabulary)
        )
        bots = {bot.name: bot for bot in _open_bots(chosen, stack, brain)}
        relay = await _open_relay(chosen, store=store, brain=brain, bots=bots)
        _advise(chosen, brain)
        log.info("serving bots=%s models=%s", ",".join(bots), ",".join(brain.models))
        await _run(relay, bots.values(), keep_tidy(store, chosen.retention_days))


def _write_usage(chosen: BotSettings) -> None:
    writer = csv.writer(sys.stdout)
    writer.writerow(ledger.COLUMNS)
    writer.writerows(ledger.rows(chosen.database_path))


async def _examine(chosen: BotSettings) -> int:
    """Check all that is set up; return the exit code."""
    from bots import checkup, doctor  # noqa: PLC0415 - only for this
    from core.checkup import check_chat, check_speech  # noqa: PLC0415 - only for this

    _end_at_signals()
    _log_to_stderr(chosen, is_terminal=True)
    checks: dict[str, doctor.Check] = {
        "platforms": checkup.check_platforms,
        "access": checkup.check_access,
        "files": checkup.check_files,
    }
    if chosen.telegram_bot_token:
        from bots.telegram.checkup import check_telegram  # noqa: PLC0415 - the SDK takes its time

        checks["telegram"] = check_telegram
    if chosen.discord_bot_token:
        from bots.discord.checkup import check_discord  # noqa: PLC0415 - the SDK takes its time

        checks["discord"] = check_discord
    checks |= {"chat": check_chat, "speech": check_speech}
    return await doctor.examine(chosen, checks)


def _open_bots(chosen: BotSettings, stack: AsyncExitStack, brain: Brain) -> Iterator[Bot]:
    """Open a bot for every platform that has a token, or else the terminal."""
    if chosen.telegram_bot_token:
        from bots.telegram import TelegramBot  # noqa: PLC0415 - the SDK takes its time

        telegram = TelegramBot(
            token=chosen.telegram_bot_token.get_secret_value(),
            api_url=chosen.telegram_api_url,
            proxy=chosen.http_proxy_telegram,
            commands=COMMANDS,
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
            offers={"models": brain.models, "personas": tuple(brain.prompts)},
        )
        stack.push_async_callback(discord.close)
        yield discord
    if not (chosen.telegram_bot_token or chosen.discord_bot_token):
        from bots.console import ConsoleBot  # noqa: PLC0415 - not needed by a server

        yield ConsoleBot(commands=COMMANDS, notice=brain.notice)


async def _open_relay(
    chosen: BotSettings, *, store: Store, brain: Brain, bots: Mapping[str, Bot]
) -> Relay:
    # With the terminal goes the machine, so whoever sits at it is an owner.
    access = Access(
        store,
        mode=chosen.access,
        owners=(*chosen.owners, "console:0"),
        allowed=chosen.allowed,
    )
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
    is_served = chosen.telegram_bot_token or chosen.discord_bot_token
    if is_served and chosen.access == "pairing" and not chosen.owners:
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


async def _run(relay: Relay, bots: Iterable[Bot], tidying: Coroutine[None, None, None]) -> None:
    """Serve until cancelled, or until a bot has nothing more to hear; end in good order."""
    listening = [asyncio.create_task(bot.listen(relay)) for bot in bots]
    working = [asyncio.create_task(relay.run()), asyncio.create_task(tidying)]
    try:
        await asyncio.wait({*listening, *working}, return_when=asyncio.FIRST_COMPLETED)
    finally:
        log.info("ending")
        await _end(listening)
        await _end(working)


def _end_at_signals() -> None:
    serving = asyncio.current_task()
    for number in (signal.SIGINT, signal.SIGTERM):
        if serving:
            asyncio.get_running_loop().add_signal_handler(number, serving.cancel)


async def _end(tasks: Sequence[asyncio.Task[None]]) -> None:
    for task in tasks:
        task.cancel()
    for result in await asyncio.gather(*tasks, return_exceptions=True):
        if isinstance(result, Exception):
            raise result


def _log_to_stderr(chosen: BotSettings, *, is_terminal: bool) -> None:
    is_watched = sys.stderr.isatty()
    logs.configure(
        level="WARNING" if is_terminal and chosen.log_level == "INFO" else chosen.log_level,
        as_json=chosen.log_format == "json" or (chosen.log_format is None and not is_watched),
        secrets=chosen.secrets,
    )


if __name__ == "__main__":
    main()
