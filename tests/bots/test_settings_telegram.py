"""What an owner can set about Telegram's webhook: refused in a line, or taken as Telegram does."""

import hashlib
import hmac

import pytest

from bots import logs
from bots.settings import BotSettings
from core import settings
from core.errors import SettingsError
from tests import leaks

TOKEN = "7000000001:AA-settings-settings-settings-settings"
URL = "https://bot.example.org/telegram"


def chosen(**fields: object) -> BotSettings:
    """Return settings, without those of this machine."""
    return settings.load(BotSettings, _env_file=None, **fields)


@pytest.mark.parametrize(
    ("fields", "name", "problem"),
    [
        ({"telegram_webhook_url": "bot.example.org/x"}, "URL", "should look like https://"),
        ({"telegram_webhook_url": "https:///x"}, "URL", "should look like https://"),
        ({"telegram_webhook_url": "https://h.example:x/"}, "URL", "should look like https://"),
        ({"telegram_webhook_url": "https://[::1/x"}, "URL", "should look like https://"),
        ({"telegram_webhook_url": f"{URL}?a=b"}, "URL", "should look like https://"),
        ({"telegram_webhook_url": f"{URL}#a"}, "URL", "should look like https://"),
        ({"telegram_webhook_url": "https://me:s3cret@h/x"}, "URL", "should look like https://"),
        ({"telegram_webhook_url": "https://h.example/{x}"}, "URL", "a path of letters"),
        ({"telegram_webhook_url": "https://h.example//x"}, "URL", "a path of letters"),
        ({"telegram_webhook_url": "http://h.example/x"}, "URL", "should start with https://"),
        ({"telegram_webhook_url": "https://h.example:8444/x"}, "URL", "443, 80, 88, 8443"),
        ({"telegram_webhook_secret": "s3cret not"}, "SECRET", "should be 1-256 of"),
        ({"telegram_webhook_secret": "s3cret" * 43}, "SECRET", "should be 1-256 of"),
        ({"telegram_webhook_listen": "8443"}, "LISTEN", "should look like 127.0.0.1:8443"),
        ({"telegram_webhook_listen": "host:0"}, "LISTEN", "should look like 127.0.0.1:8443"),
        ({"telegram_webhook_listen": "host:65536"}, "LISTEN", "should look like"),
        ({"telegram_webhook_listen": "http://h:1"}, "LISTEN", "should look like"),
        ({"telegram_webhook_listen": "[::1:1"}, "LISTEN", "should look like"),
    ],
)
def test_what_is_wrong_is_named_in_a_line(
    fields: dict[str, object], name: str, problem: str
) -> None:
    """Which setting, and what would be right; the value is not repeated."""
    with pytest.raises(SettingsError) as caught:
        chosen(**{"telegram_webhook_url": URL} | fields)
    (line,) = str(caught.value).splitlines()
    assert line.startswith(f"TELEGRAM_WEBHOOK_{name}: ")
    assert problem in line
    assert "s3cret" not in line


def test_what_is_for_a_webhook_needs_one() -> None:
    """A secret or an address without a URL would be of no effect, so it is refused."""
    with pytest.raises(SettingsError) as caught:
        chosen(telegram_webhook_secret="s3cret-s3cret", telegram_webhook_listen="0.0.0.0:1")
    assert str(caught.value).splitlines() == [
        "TELEGRAM_WEBHOOK_SECRET: should be empty unless TELEGRAM_WEBHOOK_URL is set",
        "TELEGRAM_WEBHOOK_LISTEN: should be empty unless TELEGRAM_WEBHOOK_URL is set",
    ]
    with pytest.raises(SettingsError) as caught:
        chosen(telegram_webhook_url="nonsense", telegram_webhook_secret="s3cret-s3cret")
    assert len(str(caught.value).splitlines()) == 1


@pytest.mark.parametrize(
    ("url", "taken"),
    [
        ("https://Bot.Example.org", "https://bot.example.org/"),
        (" https://bot.example.org:8443/Tg/ ", "https://bot.example.org:8443/Tg/"),
        ("https://bot.example.org/a/~b-c_d.e", "https://bot.example.org/a/~b-c_d.e"),
    ],
)
def test_the_url_is_taken_as_telegram_repeats_it(url: str, taken: str) -> None:
    """So that what stands there can be compared with it."""
    assert chosen(telegram_webhook_url=url).telegram_webhook_url == taken


def test_a_local_server_calls_any_url() -> None:
    """Its own Bot API server may be on the same machine, without TLS."""
    found = chosen(
        telegram_api_url="http://127.0.0.1:8081", telegram_webhook_url="http://127.0.0.1:9000/tg"
    )
    assert found.telegram_webhook_url == "http://127.0.0.1:9000/tg"
    with pytest.raises(SettingsError, match="should start with https://"):
        chosen(telegram_api_url="http://127.0.0.1:8081", telegram_webhook_url="ftp://127.0.0.1/tg")


@pytest.mark.parametrize("address", ["0.0.0.0:80", "[::]:8443", "localhost:65535", " h:1 "])
def test_addresses(address: str) -> None:
    """Names, and numbers of both kinds."""
    found = chosen(telegram_webhook_url=URL, telegram_webhook_listen=address)
    assert found.telegram_webhook_listen == address.strip()


def test_the_secret_is_made_of_the_token() -> None:
    """The same in every process, of no use to find the token, and never shown."""
    found = chosen(telegram_bot_token=TOKEN, telegram_webhook_url=URL)
    made = hmac.new(TOKEN.encode(), b"telegram webhook secret", hashlib.sha256).hexdigest()
    leaks.note_secret(made)
    assert found.webhook_secret == made
    assert logs.masked(f"{made}!", found.secrets) == "***!"
    assert chosen().webhook_secret == ""


def test_a_secret_of_ones_own_is_masked_everywhere() -> None:
    """In logs, and wherever settings are printed."""
    secret = "my-own_Secret-1"
    leaks.note_secret(secret)
    found = chosen(
        telegram_bot_token=TOKEN, telegram_webhook_url=URL, telegram_webhook_secret=secret
    )
    assert found.webhook_secret == secret
    assert secret in found.secrets
    assert secret not in repr(found)
