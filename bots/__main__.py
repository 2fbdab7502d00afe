"""The command `causerie`: its subcommands, its settings, its exit codes."""

import argparse
import asyncio
import importlib.metadata
import os
import signal
import sys
import time
from collections.abc import Sequence
from functools import partial
from pathlib import Path

from bots import logs, output, serving, upkeep
from bots.settings import BotSettings
from core import models, settings
from core.errors import CauserieError, GoneError, SettingsError

EXIT_FAILURE, EXIT_USAGE = 1, 2
EXIT_CLOSED = 128 + signal.SIGPIPE  # whoever read it has seen enough
EXIT_INTERRUPTED = 128 + signal.SIGINT  # as shells say it
ABOUT = """\
A language model in the chats people already use.

Without a command it serves every platform that has a token, in the
environment or in .env; with none, it opens a chat in this terminal. With
neither OPENAI_API_KEY nor OPENAI_BASE_URL, a small embedded model answers.
README.md and .env.example list all settings."""


def main() -> None:
    """Run the command `causerie` and exit with its code."""
    _open_streams()
    sys.exit(run(sys.argv[1:]))


def _open_streams() -> None:
    """Open what was closed before the start, lest a socket or a database gets its number."""
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        if getattr(sys, name) is None:
            stream = Path(os.devnull).open(mode, encoding="utf-8")  # noqa: SIM115 - never closed
            setattr(sys, name, stream)


def run(arguments: Sequence[str]) -> int:
    """Run the command and return its exit code.

    Returns:
        0; 1 after a failure; 2 when something is set wrong; 130 where a signal just breaks it off,
        and 141 where nobody reads what it prints.
    """
    secrets: tuple[str, ...] = ()
    try:
        with output.mapped():  # --help exits from within
            parsed = _parser().parse_args(arguments)
        chosen = settings.load(BotSettings)
        secrets = chosen.secrets
        _prepare(chosen)
        done: int = parsed.do(chosen, parsed)
    except (asyncio.CancelledError, KeyboardInterrupt):
        return EXIT_INTERRUPTED
    except GoneError:
        return EXIT_CLOSED
    except SettingsError as error:
        text = logs.masked(str(error), secrets)
        print(text, file=sys.stderr)  # noqa: T201 - before there is a log
        return EXIT_USAGE
    except CauserieError as error:
        text = logs.masked(f"causerie: {error}", secrets)
        print(text, file=sys.stderr)  # noqa: T201 - the log may be elsewhere
        return EXIT_FAILURE
    return done


def _prepare(chosen: BotSettings) -> None:
    if chosen.tz:
        os.environ["TZ"] = chosen.tz
        time.tzset()
    models.use(chosen.model_table, chat_url=chosen.openai_base_url, speech_url=chosen.speech_url)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="causerie", description=ABOUT, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    version = importlib.metadata.version("causerie")
    parser.add_argument("--version", action="version", version=f"causerie {version}")
    parser.set_defaults(do=partial(serving.serve, roles=serving.ALL))
    commands = parser.add_subparsers(title="commands", metavar="COMMAND")
    served: tuple[tuple[str, frozenset[serving.Role], str], ...] = (
        ("serve", serving.ALL, "listen and work in one process, as without a command"),
        ("listen", frozenset({"listen"}), "only take messages in, for workers to answer"),
        ("work", frozenset({"work"}), "only answer what listeners take in; any number of them"),
    )
    for name, roles, text in served:
        command = commands.add_parser(name, help=text, description=text)
        command.set_defaults(do=partial(serving.serve, roles=roles))
    upkeep.add_commands(commands)
    return parser


if __name__ == "__main__":
    main()
