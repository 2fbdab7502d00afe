"""The real SDK, connected to the loopback Telegram."""

import re
from typing import Any

import pytest
import telegram
from telegram.error import BadRequest
from telegram.request import HTTPXRequest

from tests.servers.telegram import TelegramServer


def connect(server: TelegramServer, token: str = "") -> telegram.Bot:
    """Return a bot that talks to the server."""
    return telegram.Bot(
        token or server.token,
        base_url=f"{server.url}/bot",
        base_file_url=f"{server.url}/file/bot",
        request=_plain(),
        get_updates_request=_plain(),
    )


def _plain() -> HTTPXRequest:
    # Loading certificates takes longer than most tests.
    return HTTPXRequest(httpx_kwargs={"verify": False})


def refused(text: str) -> Any:
    """Expect a BadRequest that says `text`; the SDK changes upper and lower case."""
    return pytest.raises(BadRequest, match=re.compile(re.escape(text), re.IGNORECASE))
