"""What `causerie doctor` says of a webhook, going by what Telegram tells of it."""

import time
from collections.abc import Iterator, Mapping
from typing import Any

from bots.settings import BotSettings
from bots.telegram.registration import CONNECTIONS
from core.finding import Finding, fault, host, ok, warning

# What failed longer ago is over, unless something waits.
RECENT_SECONDS = 3600.0

_START = "start causerie, or see in its log why it does not run"
_SECRET = "start causerie anew: it tells Telegram the secret that it expects"  # noqa: S105
# Words in Telegram's own report of a failure (telegram-bot-api, WebhookActor.cpp, 2026-11), and
# what to do about each; {path}, {listen} and {host} are filled in.
_FIXES = (
    (("403",), _SECRET),
    (("404", "405"), "let the reverse proxy at {host} pass {path} on, unchanged, to {listen}"),
    (("413",), "let the reverse proxy at {host} take requests of 1 MB"),
    (("502", "504", "500"), "start causerie, and let the reverse proxy at {host} find {listen}"),
    (("503",), "look into causerie's log: its database does not take messages, or it is ending"),
    (("ssl", "certificate"), "give {host} a certificate that others trust, with its whole chain"),
    (("resolve", "ip address"), "let the name {host} lead to the reverse proxy, in public DNS"),
    (
        ("refused", "timed out", "timeout", "closed", "unreachable"),
        "let the reverse proxy at {host} run, and the firewall let Telegram reach it",
    ),
)
_ANY_FIX = "look into the log of the reverse proxy at {host}, and that it finds {listen}"


def about(webhook: Mapping[str, Any], chosen: BotSettings) -> Iterator[Finding]:
    """Say whether messages come in, or would.

    Args:
        webhook: Telegram's WebhookInfo.
        chosen: The owner's settings.
    """
    wanted, url = chosen.telegram_webhook_url, str(webhook.get("url") or "")
    name = host(url) or "an unknown address"
    if wanted is None and url:
        yield warning(
            f"a webhook hands the bot's messages to {name}, until causerie starts and removes it",
            fix=f"stop what serves {name}, or give it another bot's token",
        )
    elif wanted and not url:
        yield warning("no webhook is set yet, so messages wait at Telegram", fix=_START)
    elif wanted and url != wanted:
        yield _elsewhere(name, wanted)
    elif wanted:
        yield from _ours(webhook, chosen, host(wanted))


def _elsewhere(name: str, wanted: str) -> Finding:
    ours = host(wanted)
    where = f"another path of {name}" if name == ours else f"{name} instead of {ours}"
    return warning(
        f"a webhook hands the bot's messages to {where}, until causerie starts and sets its own",
        fix=f"stop what serves it, or check TELEGRAM_WEBHOOK_URL; then {_START}",
    )


def _ours(webhook: Mapping[str, Any], chosen: BotSettings, name: str) -> Iterator[Finding]:
    said = str(webhook.get("last_error_message") or "")
    seconds = _age(webhook)
    waits = bool(webhook.get("pending_update_count"))
    if not said or seconds is None or (seconds > RECENT_SECONDS and not waits):
        yield ok(f"Telegram hands messages to {name} (which secret it sends it does not tell)")
    else:
        text = f"Telegram could not hand a message to {name} {_ago(seconds)}: {said}"
        fix = _fix(said, chosen, name)
        yield fault(text, fix=fix) if waits else warning(f"{text}; nothing waits now", fix=fix)
    if webhook.get("max_connections") != CONNECTIONS:
        yield warning(
            f"Telegram uses {webhook.get('max_connections')} connections to {name} instead of "
            f"{CONNECTIONS}: causerie did not set this webhook",
            fix="start causerie anew: it sets the webhook as it needs it",
        )


def _age(webhook: Mapping[str, Any]) -> float | None:
    at = webhook.get("last_error_date")
    return max(time.time() - at, 0.0) if isinstance(at, int | float) else None


def _ago(seconds: float) -> str:
    for length, name in ((86_400, "days"), (3_600, "hours"), (60, "minutes")):
        if seconds >= 2 * length:
            return f"{seconds / length:.0f} {name} ago"
    return "just now"


def _fix(said: str, chosen: BotSettings, name: str) -> str:
    words = said.lower()
    found = (fix for signs, fix in _FIXES if any(sign in words for sign in signs))
    return next(found, _ANY_FIX).format(
        host=name, path="the path of TELEGRAM_WEBHOOK_URL", listen=chosen.telegram_webhook_listen
    )
