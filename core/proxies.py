"""The proxy that the system names: one rule for all servers that are talked to."""

import ipaddress
from contextlib import suppress
from urllib.parse import urlsplit
from urllib.request import getproxies, proxy_bypass

_PORTS = {"http": 80, "https": 443}


def system_proxy(url: str) -> str | None:
    """Return the URL of the HTTP proxy for `url`; None for none, or what is no HTTP proxy.

    To be asked once: aiohttp's trust_env asks at each request, and for passwords as well.
    """
    name = variable(url)
    if not name or is_own_machine(url) or is_exempt(url):
        return None
    named = getproxies()[name.removesuffix("_PROXY").lower()]
    proxy = named if "://" in named else f"http://{named}"
    with suppress(ValueError):
        parts = urlsplit(proxy)
        if parts.scheme in {"http", "https"} and parts.hostname and parts.port != 0:
            return proxy
    return None


def variable(url: str) -> str:
    """Return which variable of the environment names a proxy for `url`; empty for none."""
    named = getproxies()
    found = (kind for kind in (urlsplit(url).scheme, "all") if named.get(kind))
    return next((f"{kind}_proxy".upper() for kind in found), "")


def is_own_machine(url: str) -> bool:
    """Return whether a server runs on this machine, so that no proxy stands between."""
    host = urlsplit(url).hostname or ""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def is_exempt(url: str) -> bool:
    """Return whether NO_PROXY names a server: its name, an end of it, or a range of addresses."""
    parts = urlsplit(url)
    host, port = parts.hostname or "", parts.port or _PORTS.get(parts.scheme)
    return bool(proxy_bypass(host) or proxy_bypass(f"{host}:{port}")) or _is_within(host)


def _is_within(host: str) -> bool:
    for name in getproxies().get("no", "").split(","):
        with suppress(ValueError):  # of a name, here or there
            network = ipaddress.ip_network(name.strip().strip("[]"), strict=False)
            if ipaddress.ip_address(host) in network:
                return True
    return False
