"""Free ports on loopback, below the range that the kernel hands out to outgoing connections.

A child that dies must find its port free when it comes back; a port from the kernel's own range may by then be the near end of
somebody's connection.
"""

import random
import socket
from contextlib import suppress

LOWEST, HIGHEST = 20_000, 32_000


def is_free(port: int) -> bool:
    """Whether somebody could listen on this port now."""
    with socket.socket() as probe, suppress(OSError):
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        probe.bind(("127.0.0.1", port))
        return True
    return False


def free_ports(count: int, avoid: set[int] | None = None) -> list[int]:
    """That many different free ports, none of them in `avoid`."""
    found: list[int] = []
    for port in random.SystemRandom().sample(range(LOWEST, HIGHEST), HIGHEST - LOWEST):
        if len(found) == count:
            break
        if port not in (avoid or set()) and is_free(port):
            found.append(port)
    return found
