"""What an owner runs beside the bot: `doctor`, `usage`, `dead`, `backup` and its kin."""

import argparse
import asyncio
import csv
import sys
from typing import TYPE_CHECKING

from bots import copies, dead, output, serving
from bots.settings import BotSettings
from core.store import ledger

if TYPE_CHECKING:
    from bots import doctor

    # argparse gives it no other name.
    Commands = argparse._SubParsersAction[argparse.ArgumentParser]  # noqa: SLF001


def add_commands(commands: "Commands") -> None:
    """Add these commands to the command line."""
    text = "check settings, tokens and servers, and say how to mend each fault"
    command = commands.add_parser("doctor", help=text, description=text)
    command.set_defaults(do=examine)
    text = "write every paid call to standard output, as CSV"
    command = commands.add_parser("usage", help=text, description=text)
    command.add_argument("--csv", action="store_true", help="what it does anyway")
    command.set_defaults(do=write_usage)
    dead.add_command(commands)
    copies.add_commands(commands)


def examine(chosen: BotSettings, _: argparse.Namespace) -> int:
    """Check all that is set up; return the exit code."""
    return asyncio.run(_examine(chosen))


async def _examine(chosen: BotSettings) -> int:
    from bots import doctor  # noqa: PLC0415 - only for this

    serving.log_to_stderr(chosen, is_quiet=True)
    with serving.ending_at_signals():
        return await doctor.examine(chosen, _checks(chosen))


def _checks(chosen: BotSettings) -> "dict[str, doctor.Check]":
    from bots import checkup, network_checkup  # noqa: PLC0415 - only for this
    from core.checkup import (  # noqa: PLC0415 - only for this
        check_chat,
        check_prices,
        check_speech,
    )
    from core.store.checkup import check_database  # noqa: PLC0415 - only for this
    from core.surroundings import check_disk, check_fonts  # noqa: PLC0415 - only for this

    checks: dict[str, doctor.Check] = {
        "settings": checkup.check_names,
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
    return checks | {
        "chat": check_chat,
        "speech": check_speech,
        "prices": check_prices,
        "database": check_database,
        "disk": check_disk,
        "clock": network_checkup.check_clock,
        "proxies": network_checkup.check_proxies,
        "fonts": check_fonts,
    }


def write_usage(chosen: BotSettings, _: argparse.Namespace) -> int:
    """Write the ledger to standard output; return the exit code."""
    with output.mapped():
        writer = csv.writer(sys.stdout)
        writer.writerow(ledger.COLUMNS)
        writer.writerows(ledger.rows(chosen.database))
    return 0
