"""Which proxy the environment names for a server; the same for all that are talked to."""

import pytest

from core.provider import open_client
from core.proxies import system_proxy

SERVER = "https://models.example/v1"
PROXY = "http://127.0.0.1:3128"


@pytest.fixture(autouse=True)
def _no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("http_proxy", "https_proxy", "all_proxy", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)


@pytest.mark.parametrize(
    ("name", "value", "proxy"),
    [
        ("HTTPS_PROXY", PROXY, PROXY),
        ("https_proxy", "https://me:pw@proxy.example", "https://me:pw@proxy.example"),
        ("ALL_PROXY", PROXY, PROXY),
        ("HTTPS_PROXY", "proxy.example:3128", "http://proxy.example:3128"),
        ("HTTPS_PROXY", "HTTP://proxy.example", "HTTP://proxy.example"),
        ("HTTP_PROXY", PROXY, None),
        ("ALL_PROXY", "socks5://127.0.0.1:1080", None),
        ("HTTPS_PROXY", "http://", None),
        ("HTTPS_PROXY", "http://proxy.example:port", None),
        ("HTTPS_PROXY", "http://[proxy", None),
    ],
)
async def test_a_proxy(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str, proxy: str | None
) -> None:
    """As curl reads it; what is no HTTP proxy is left out, and hinders nobody."""
    monkeypatch.setenv(name, value)
    assert system_proxy(SERVER) == proxy
    await open_client(key=None, base_url=SERVER, proxy=None).close()


@pytest.mark.parametrize(
    ("named", "server"),
    [
        ("*", SERVER),
        ("a.example, .example", SERVER),
        ("models.example:443", SERVER),
        ("10.0.0.0/8", "http://10.1.2.3:11434/v1"),
        ("a.example,fd00::/8", "http://[fd00::2]/v1"),
        ("[fd00::2]", "http://[fd00::2]:80/v1"),
        ("fd00::2", "http://[fd00::2]:80/v1"),
        ("", "http://localhost:11434/v1"),
        ("", "http://127.0.0.2:11434/v1"),
    ],
)
def test_no_proxy(monkeypatch: pytest.MonkeyPatch, named: str, server: str) -> None:
    """Names, ends of names and ranges of addresses; this machine is never behind one."""
    monkeypatch.setenv("ALL_PROXY", PROXY)
    monkeypatch.setenv("NO_PROXY", named)
    assert system_proxy(server) is None


@pytest.mark.parametrize("named", ["other.example", "10.0.0.0/8", "models.example:80", "%&,//"])
def test_others_are_exempt(monkeypatch: pytest.MonkeyPatch, named: str) -> None:
    """Which is nothing to us."""
    monkeypatch.setenv("ALL_PROXY", PROXY)
    monkeypatch.setenv("NO_PROXY", named)
    assert system_proxy(SERVER) == PROXY
