"""`causerie doctor`: every check at once, a line for what it finds, the one fix for each fault.

A check is an asynchronous generator: settings in, findings out. To add one, write it (in the
`checkup` of the room that it is about) and name it in `bots.__main__`. It may fail or hang: that
is a line of its own and disturbs no other. What it says is cleaned of secrets once more here.
"""

import asyncio
import contextlib
import logging
import os
import shutil
import sys
import textwrap
from collections.abc import AsyncGenerator, Callable, Mapping, Sequence

from bots import output
from bots.logs import masked
from bots.settings import BotSettings
from core.finding import Finding, Level, fault

log = logging.getLogger(__name__)

# Longer than any server that works takes, and what a person is willing to wait.
SECONDS = 10.0
NARROWEST, WIDEST = 60, 110

_COLOURS: dict[Level, str] = {"ok": "32", "warning": "33", "fault": "31"}

Check = Callable[[BotSettings], AsyncGenerator[Finding]]


async def examine(
    chosen: BotSettings, checks: Mapping[str, Check], *, seconds: float = SECONDS
) -> int:
    """Run all checks and print what they find, in their order; return the exit code.

    Args:
        chosen: The owner's settings.
        checks: By subject, the word behind the level in each line.
        seconds: Patience with each check.

    Returns:
        1 if there are faults; 0 otherwise, warnings or not.
    """
    page = _Page(width=max(map(len, checks)), secrets=chosen.secrets)
    found: dict[str, list[Finding]] = {subject: [] for subject in checks}
    tasks = {
        subject: asyncio.create_task(_run(check(chosen), found[subject], seconds))
        for subject, check in checks.items()
    }
    try:
        for subject, task in tasks.items():
            await asyncio.wait({task})
            if error := task.exception():
                log.error("the check of %s broke off", subject, exc_info=error)
                found[subject].append(_broken(error))
            for finding in found[subject]:
                page.show(subject, finding)
    finally:
        for task in tasks.values():
            task.cancel()
        await asyncio.wait(tasks.values())
    levels = [finding.level for findings in found.values() for finding in findings]
    page.conclude(faults=levels.count("fault"), warnings=levels.count("warning"))
    return 1 if "fault" in levels else 0


async def _run(findings: AsyncGenerator[Finding], found: list[Finding], seconds: float) -> None:
    """Collect findings; those before a failure count."""
    try:
        async with asyncio.timeout(seconds), contextlib.aclosing(findings):
            async for finding in findings:
                found.append(finding)  # noqa: PERF401 - what was found before a failure counts
    except TimeoutError:
        fix = "see whether this machine's network or its proxy holds things up, and run it again"
        found.append(fault(f"this was not answered within {seconds:g} s", fix=fix))


def _broken(error: BaseException) -> Finding:
    return fault(
        f"the check itself broke off ({type(error).__name__})",
        fix="this is a mistake in causerie: please report it, with the lines above",
    )


class _Page:
    """What a person sees: coloured and wrapped on a terminal, plain lines in a pipe.

    Args:
        width: Of the longest subject.
        secrets: What is never shown.
    """

    def __init__(self, *, width: int, secrets: Sequence[str]) -> None:
        self._width = width
        self._secrets = secrets
        self._is_watched = sys.stdout.isatty()
        self._is_coloured = self._is_watched and not os.environ.get("NO_COLOR")

    def show(self, subject: str, finding: Finding) -> None:
        """Write a line for what was found, and one for its fix."""
        level = self._coloured(f"{finding.level:7}", finding.level)
        indent = " " * (7 + 2 + self._width + 2)
        first, *more = self._wrapped(finding.text, indent)
        output.write(f"{level}  {subject:{self._width}}  {first}", *more)
        if finding.fix:
            first, *more = self._wrapped(f"fix: {finding.fix}", indent + " " * 5)
            output.write(f"{indent}{first}", *more)

    def conclude(self, *, faults: int, warnings: int) -> None:
        """Write the verdict."""
        level: Level
        counted = f"{_count(faults, 'fault')}, {_count(warnings, 'warning')}"
        if faults:
            verdict, level = "mend what is at fault, and run this again.", "fault"
        elif warnings:
            verdict, level = "it works, but not in every way.", "warning"
        else:
            verdict, level = "all is well.", "ok"
        output.write("", self._coloured(f"{counted.capitalize()}: {verdict}", level))

    def _wrapped(self, text: str, indent: str) -> list[str]:
        """Return a text as lines, of which all but the first are indented."""
        text = masked(text, self._secrets)
        # Names come from servers; nobody shall write to this terminal through them.
        text = "".join(sign if sign.isprintable() else " " for sign in text)
        if not self._is_watched:
            return [text]
        columns = min(max(shutil.get_terminal_size().columns, NARROWEST), WIDEST)
        first, *more = textwrap.wrap(
            text, columns - len(indent), break_long_words=False, break_on_hyphens=False
        )
        return [first, *(indent + line for line in more)]

    def _coloured(self, text: str, level: Level) -> str:
        return f"\x1b[{_COLOURS[level]}m{text}\x1b[0m" if self._is_coloured else text


def _count(number: int, noun: str) -> str:
    return f"{number or 'no'} {noun}{'' if number == 1 else 's'}"
