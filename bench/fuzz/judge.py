"""What is wrong with an answer."""

from __future__ import annotations

import re

import orjson

from bench.fuzz.cases import Case
from bench.fuzz.target import SECONDS_MAX, Answer

# Answers of 5xx that Kubernetes gives too: status, a pattern of the message, and when.
ALLOWED = (
    (500, "resourceVersion should not be set on objects to be created", "a create that names a version"),
    (500, "This pod has more than one PodDisruptionBudget", "an eviction with two budgets"),
    (500, "range is full", "a Service when no address or port is left"),
    (501, "", "a Transfer-Encoding that HTTP/1.1 servers need not know"),
    (504, "Too large resource version", "a read of a revision from the future"),
    (505, "", "a version of HTTP that is not spoken"),
)
# 5xx of what another server answers, or does not: nodes and endpoints do not exist here.
_PROXIED = re.compile(r"/(proxy|exec|attach|portforward|log)(/|\?|$)")
_PLAIN = re.compile(r"^/+(healthz|livez|readyz|metrics|openapi)")


def problem(case: Case, answer: Answer) -> str:
    """What is wrong in a few words; empty for nothing. The same mistake reads the same in each case."""
    status = answer.status
    if status == -1:
        return f"no answer within {SECONDS_MAX:g} s"
    if status == 0:
        return "the connection was closed without an answer"
    message = _message(answer)
    if status >= 500 and not _allowed(case, status, message):
        return f"{status} {re.sub(r'[0-9]+', 'N', message)[:120]}"
    if status >= 400 and case.method not in ("HEAD", "?", "CONNECT") and not _PLAIN.match(case.target):
        return _no_status(case, answer)
    return ""


def _allowed(case: Case, status: int, message: str) -> bool:
    if status == 503 and _PROXIED.search(case.target):
        return True
    # The answer to a HEAD has no message.
    return any(status == code and (case.method == "HEAD" or part in message) for code, part, _ in ALLOWED)


def _no_status(case: Case, answer: Answer) -> str:
    try:
        found = orjson.loads(answer.body)
    except orjson.JSONDecodeError:
        return "" if case.ends else f"{answer.status} without a Status"
    if not isinstance(found, dict) or found.get("kind") != "Status" or found.get("code") != answer.status:
        return f"{answer.status} without a Status of that code"
    return "" if found.get("message") else f"{answer.status} without a message"


def _message(answer: Answer) -> str:
    try:
        found = orjson.loads(answer.body)
    except orjson.JSONDecodeError:
        return answer.body[:200].decode("latin-1")
    return str(found.get("message", "")) if isinstance(found, dict) else ""
