"""Two thousand random requests of several identities: every answer is Kubernetes' own, and the server stays well.

The same program with more of them: `python -m bench.fuzz --requests 20000 --seed N`.
"""

from __future__ import annotations

from bench.fuzz import cases
from bench.fuzz.run import run


def test_two_thousand_random_requests_find_nothing():
    """No 5xx but those that Kubernetes gives, no hang, no error without a Status, no growth of memory."""
    report = run(seed=2026, requests=2000)
    assert not report.findings, "\n".join(report.lines())
    # It did reach the server's inside: objects were made, changed, deleted, refused for their values and their types.
    assert {200, 201, 400, 401, 403, 404, 405, 406, 409, 415, 422} <= report.statuses.keys()


def test_a_request_is_made_from_its_seed_and_number_alone():
    first = [cases.make(7, number) for number in range(300)]
    assert first == [cases.make(7, number) for number in reversed(range(300))][::-1]
    assert len({case.raw for case in first}) > 250
    assert first != [cases.make(8, number) for number in range(300)]
