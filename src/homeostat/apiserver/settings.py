"""The API server's settings, named after kube-apiserver's flags, with Kubernetes' defaults. Units are in the names."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Settings:
    """The settings of the request path; every limit of it is here."""

    max_requests_inflight: int = 400
    max_mutating_requests_inflight: int = 200
    request_timeout_seconds: float = 60.0
    # A watch without timeoutSeconds lives between this and twice this (--min-request-timeout).
    min_request_timeout_seconds: float = 1800.0
    max_request_body_bytes: int = 3 * 1024 * 1024
    event_ttl_seconds: float = 3600.0
    compaction_interval_seconds: float = 300.0
    bookmark_period_seconds: float = 60.0
    # How long a read waits for this server to catch up with a resourceVersion that it has not reached.
    catch_up_seconds: float = 3.0
    # How long a linearizable read waits in all, for the store to say how far it is and for this server to get there.
    linearizable_seconds: float = 2.0
    # Per resource: recent events kept for watches that resume, and the bytes they may hold.
    window_events: int = 8192
    window_bytes: int = 16 * 1024 * 1024
    # Per watcher: what may wait for a slow reader before it is dropped with 410.
    watcher_events: int = 10_000
    watcher_bytes: int = 24 * 1024 * 1024
    # The journal: its entries, and the bytes of objects kept until their change has been summed up.
    journal_entries: int = 20_000
    journal_bytes: int = 8 * 1024 * 1024
