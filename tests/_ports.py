"""Ports for what has to be told its port before it listens."""

import errno
import secrets
import socket
from typing import Final

_PORTS: Final = range(10_000, 32_000)
"""Below those that a system hands out to whoever asks for any, as most servers of tests do."""


def free_port() -> int:
    """Return a port of 127.0.0.1 that is free, and that no other test is given by chance."""
    while True:
        port = secrets.choice(_PORTS)  # tests of all workers share the seed of `random`
        try:
            socket.create_server(("127.0.0.1", port)).close()
        except OSError as error:
            if error.errno != errno.EADDRINUSE:
                raise
        else:
            return port
