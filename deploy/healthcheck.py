"""Say by the exit code whether the causerie on this machine is well.

`healthcheck.py` asks whether it is alive, `healthcheck.py readyz` whether it can do its work. This
is no command of causerie itself, since that takes five times as long to start, twice a minute.
"""

import http.client
import os
import sys

DEFAULT = "127.0.0.1:9464"  # of HEALTH_LISTEN, see bots/settings.py
SECONDS = 4.0


def main() -> int:
    """Ask; return 0 if all is well."""
    asked = sys.argv[1] if sys.argv[1:] else "healthz"
    address = (os.environ.get("HEALTH_LISTEN") or DEFAULT).strip().lower()
    if address == "off":
        if asked == "healthz":
            return 0
        print(f"HEALTH_LISTEN is off: no /{asked} is served", file=sys.stderr)  # noqa: T201 - so it says it
        return 1
    host, _, port = address.rpartition(":")
    # Where all addresses are listened on, this machine's own is one of them.
    host = {"0.0.0.0": "127.0.0.1", "[::]": "::1"}.get(host, host.strip("[]"))  # noqa: S104
    connection = http.client.HTTPConnection(host, int(port), timeout=SECONDS)
    try:
        connection.request("GET", f"/{asked}")
        answer = connection.getresponse()
        print(answer.read().decode())  # noqa: T201 - this is what it is for
    except (OSError, http.client.HTTPException) as error:
        print(f"no answer from {address}: {error}", file=sys.stderr)  # noqa: T201 - the same
        return 1
    return 0 if answer.status == http.client.OK else 1


if __name__ == "__main__":
    sys.exit(main())
