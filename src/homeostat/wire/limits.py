"""What one HTTP server allows; every limit of the edge is here."""

from __future__ import annotations

import resource
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Limits:
    """Bytes, seconds and counts. The body limit is Kubernetes' (3 MiB)."""

    header_bytes_max: int = 64 * 1024
    body_bytes_max: int = 3 * 1024 * 1024
    # Of all bodies that come in several parts together, until their requests are answered.
    bodies_bytes_max: int = 64 * 1024 * 1024
    # Fewer where the process may not open so many files (`connections_allowed`).
    connections_max: int = 20_000
    # Requests that a client has sent ahead on one connection before the server stops reading from it.
    pipelined_max: int = 8
    # From the connection's start, or a request's first byte, to the end of its headers: kube-apiserver's, so that what
    # a busy or frozen machine delays is not taken for a client that does not send.
    header_seconds: float = 32.0
    body_seconds: float = 60.0
    # Between two requests on one connection.
    idle_seconds: float = 180.0
    # How long a client may leave what was sent to it unread before it is dropped.
    stalled_seconds: float = 30.0
    # How long the rest of a refused request is read and thrown away, so that the client gets to see the refusal.
    linger_seconds: float = 1.0
    # Above this many bytes unsent, a stream is not pulled any further.
    write_buffer_bytes: int = 256 * 1024

    @property
    def connections_allowed(self) -> int:
        """How many connections are served: a fifth of the files that the process may open is left to all else, such as
        connections still shaking hands and those that are turned away with a 503."""
        files, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
        return self.connections_max if files < 0 else min(self.connections_max, files * 4 // 5)

    @property
    def sweep_seconds(self) -> float:
        """How often deadlines are looked at; they are late by at most this."""
        shortest = min(
            self.header_seconds, self.body_seconds, self.idle_seconds, self.stalled_seconds, self.linger_seconds
        )
        return min(1.0, max(0.01, shortest / 2))
