"""What a check finds: something in order, something worth knowing, or a fault with its fix."""

from dataclasses import dataclass
from typing import Literal
from urllib.parse import urlsplit

Level = Literal["ok", "warning", "fault"]

# Kinds of error: of aiohttp, through which all servers are reached (3.14, client_exceptions.py).
_UNTRUSTED = {
    "ClientConnectorCertificateError": "its certificate is not trusted",
    "FileNotFoundError": "SSL_CERT_FILE names no file",
}
_REASONS = _UNTRUSTED | {
    "ClientConnectorDNSError": "its name is not known",
    "ClientConnectorError": "no connection",
    "ClientConnectorSSLError": "it speaks no TLS",
    "ClientHttpProxyError": "the proxy refuses",
    "ClientProxyConnectionError": "no connection to the proxy",
    "ClientResponseError": "it speaks no HTTP",
    "ConnectionTimeoutError": "no answer in time",
    "ServerDisconnectedError": "it hangs up",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One thing that was looked at.

    Attributes:
        level: `fault`: something does not work; `warning`: it works, but not as one expects.
        text: What was found, in half a sentence for the owner, without secrets.
        fix: The one thing to do about it; empty if all is well.
    """

    level: Level
    text: str
    fix: str = ""


def ok(text: str) -> Finding:
    """Say what is in order."""
    return Finding(level="ok", text=text)


def warning(text: str, *, fix: str) -> Finding:
    """Say what could be better, and how."""
    return Finding(level="warning", text=text, fix=fix)


def fault(text: str, *, fix: str) -> Finding:
    """Say what does not work, and how to mend it."""
    return Finding(level="fault", text=text, fix=fix)


@dataclass(frozen=True, slots=True, kw_only=True)
class Way:
    """How a server is reached, and which settings say so.

    Attributes:
        url: Root of its API.
        setting: Name of the setting that holds the URL.
        is_default: The URL is the provider's own, not one that the owner has set.
        proxy: What stands between, as the owner has set it; None for nothing.
        proxy_setting: Name of the setting for that.
    """

    url: str
    setting: str
    is_default: bool
    proxy: str | None
    proxy_setting: str

    @property
    def host(self) -> str:
        """Host and port: all of a URL that is sure to hold no secret."""
        return host(self.url) or f"the address in {self.setting}"

    def unreachable(self, reason: str = "") -> Finding:
        """Say that nothing answers there.

        Args:
            reason: The kind of error, or what is wrong; empty if there is nothing to tell.
        """
        said = f" ({_REASONS.get(reason, reason)})" if reason else ""
        fix = self._fix("see that a server runs there and that this machine may talk to it")
        if reason in _UNTRUSTED:
            fix = (
                "if this machine's clock is right (see below), name a file with the certificate "
                "of who signed it in SSL_CERT_FILE, in the environment"
            )
        return fault(f"{self.host} cannot be reached{said}", fix=fix)

    def ailing(self, answer: str = "") -> Finding:
        """Say that the server is there but does not serve.

        Args:
            answer: What came, such as `HTTP 502`; empty if there is nothing to tell.
        """
        said = f" ({answer})" if answer else ""
        return fault(
            f"{self.host} is in trouble{said}",
            fix="run this again in some minutes"
            if self.is_default
            else f"look into the log of the server at {self.setting}",
        )

    def strange(self, answer: str) -> Finding:
        """Say that what answers there is not the server we want.

        Args:
            answer: What came, such as `HTTP 404`.
        """
        return fault(
            f"what answers at {self.host} is not the right server ({answer})",
            fix=self._fix("it should be the root of the API, as its documentation names it"),
        )

    def _fix(self, demand: str) -> str:
        if self.proxy:
            return (
                f"check {self.proxy_setting}: it should be an HTTP proxy that runs and lets us in"
            )
        if not self.is_default:
            return f"check {self.setting}: {demand}"
        return (
            "check this machine's network and its proxy, if there is one; where this server is "
            f"blocked, set {self.proxy_setting} to a proxy that reaches it"
        )


def host(url: str) -> str:
    """Return host and port of a URL; empty if it has none."""
    try:
        parts = urlsplit(url)
        port = f":{parts.port}" if parts.port else ""
    except ValueError:
        return ""
    return f"{parts.hostname}{port}" if parts.hostname else ""
