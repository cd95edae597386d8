"""What the DNS server counts, under the names that CoreDNS has made usual. Times are not measured: every clock reading
would cost more than an answer."""

from __future__ import annotations

from collections import Counter

from homeostat.network.dns import records

_KINDS = {getattr(records, name): name for name in ("A", "AAAA", "CNAME", "NS", "PTR", "SOA", "SRV", "TXT", "ANY")}
_RCODES = {getattr(records, name): name for name in ("NOERROR", "FORMERR", "SERVFAIL", "NXDOMAIN", "NOTIMP", "REFUSED")}

# (protocol, type, return code)
Label = tuple[str, int, int]


class Tally:
    """Counts answers; `text` is a Prometheus page."""

    def __init__(self) -> None:
        self.answers: Counter[Label] = Counter()

    def text(self, **gauges: tuple[str, int]) -> str:
        """The page; `gauges` are further figures, each with its type."""
        lines = ["# TYPE coredns_dns_responses_total counter"]
        for (protocol, kind, rcode), count in sorted(self.answers.items()):
            labels = f'proto="{protocol}",type="{_KINDS.get(kind, "other")}",rcode="{_RCODES.get(rcode, rcode)}"'
            lines.append(f"coredns_dns_responses_total{{{labels}}} {count}")
        for name, (type_, value) in gauges.items():
            lines += [f"# TYPE coredns_{name} {type_}", f"coredns_{name} {value}"]
        return "\n".join(lines) + "\n"
