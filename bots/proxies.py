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
    if host in _OWN_MACHINE or proxy_bypass(host):
        return None
    proxy = getproxies().get(parts.scheme, "")
    return proxy if proxy.startswith("http") else None
