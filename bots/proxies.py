"""The proxy that the system names."""

from urllib.parse import urlsplit
from urllib.request import getproxies, proxy_bypass

_OWN_MACHINE = ("localhost", "127.0.0.1", "::1")


def system_proxy(url: str) -> str | None:
    """Return the URL of the HTTP proxy for `url`; None for none.

    To be asked once: aiohttp's trust_env asks at each request, and for passwords as well.
    """
    parts = urlsplit(url)
    host = parts.hostname or ""
    if is_own_machine(url) or proxy_bypass(host):
        return None
    proxy = getproxies().get(parts.scheme, "")
    return proxy if proxy.startswith("http") else None


def is_own_machine(url: str) -> bool:
    """Return whether a server runs on this machine, so that no proxy stands between."""
    return urlsplit(url).hostname in _OWN_MACHINE
