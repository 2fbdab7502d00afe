"""Ports to listen on, for what has to be told one."""

import random
import socket

# Below what Linux gives to whoever connects (32768 to 60999 as a rule): such a port may be free
# now and taken before somebody listens there.
LOWEST, HIGHEST = 20_000, 32_000
_rng = random.SystemRandom()
_given: set[int] = set()


def free_port() -> int:
    """Return a port of 127.0.0.1 on which nobody listens, another one each time."""
    while True:
        port = _rng.randint(LOWEST, HIGHEST)
        with socket.socket() as found:
            try:
                found.bind(("127.0.0.1", port))
            except OSError:
                continue
        if port not in _given:
            _given.add(port)
            return port


def free_address() -> str:
    """Return where nobody listens, another place each time."""
    return f"127.0.0.1:{free_port()}"
