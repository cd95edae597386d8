"""What names mean: the tables of the Kubernetes DNS specification 1.1.0 (kubernetes/dns, docs/specification.md)."""

from __future__ import annotations

import pytest

from homeostat.network.dns import records
from homeostat.network.dns.records import Answer, Authority
from homeostat.network.dns.zone import TTL_SECONDS, Zone
from tests.network.dns.building import endpoint, piece, service, zone_of

KINDS = {name: getattr(records, name) for name in ("A", "AAAA", "CNAME", "NS", "PTR", "SOA", "SRV", "TXT")}
NOTHING, MISSING = "NODATA", "NXDOMAIN"

ZONE = zone_of(
    service("default/kubernetes", "10.96.0.1", ("https", 443)),
    piece("default/kubernetes", endpoint("172.30.0.11"), ports=[("https", 443)]),
    service("default/web", "10.96.0.5", ("", 80)),
    service("default/dual", "10.96.0.6", ("http", 80), clusterIPs=["10.96.0.6", "fd00::6"]),
    service("default/mail", "10.96.0.7", ("smtp", 25), ("smtp/UDP", 26)),
    service("default/pets", "None", ("web", 80), ("raw/UDP", 9)),
    piece("default/pets", endpoint("10.244.1.1", "cat"), endpoint("10.244.1.2"), ports=[("web", 8080)]),
    piece("default/pets", endpoint("10.244.2.1", "cat"), ports=[("web", 8081)], number=1),
    piece("default/pets", endpoint("10.244.2.9", "sick", ready=False), ports=[("web", 8080)], number=2),
    piece("default/pets", endpoint("fd01::5", "dog"), ports=[("web", 8080)], number=3),
    service("default/empty", "None", ("web", 80)),
    piece("default/empty", endpoint("10.244.1.7", ready=False), ports=[("web", 80)]),
    service("default/early", "None", ("web", 80), publishNotReadyAddresses=True),
    piece("default/early", endpoint("10.244.1.8", "baby", ready=False), ports=[("web", 80)]),
    service("default/out", "", type="ExternalName", externalName="www.example.com."),
    service("default/in", "", type="ExternalName", externalName="kubernetes.default.svc.cluster.local"),
    service("default/in-twice", "", type="ExternalName", externalName="in.default.svc.cluster.local"),
    service("default/astray", "", type="ExternalName", externalName="nobody.default.svc.cluster.local"),
    service("default/ring", "", type="ExternalName", externalName="ring.default.svc.cluster.local"),
)


def ask(name: str, kind: str, zone: Zone = ZONE) -> Answer | None:
    return zone.answer(records.labels_of(name), KINDS[kind])


def seen(answer: Answer | None) -> str | list[str]:
    """The answer, in one word where it is empty."""
    if answer is None:
        return "elsewhere"
    if answer.rcode == records.NXDOMAIN:
        return MISSING
    if answer.rcode == records.SERVFAIL:
        return "SERVFAIL"
    return [_text(record.data) for record in answer.records] or NOTHING


def _text(data: object) -> str:
    return data if isinstance(data, str) else " ".join(map(str, data))  # type: ignore[call-overload]


@pytest.mark.parametrize(
    ("name", "kind", "expected"),
    [
        # 2.2: the schema's version.
        ("dns-version.cluster.local", "TXT", ["1.1.0"]),
        ("dns-version.cluster.local", "A", NOTHING),
        # 2.3.1: a Service with a cluster IP.
        ("kubernetes.default.svc.cluster.local", "A", ["10.96.0.1"]),
        ("kubernetes.default.svc.cluster.local", "AAAA", NOTHING),
        ("KUBERNETES.Default.svc.CLUSTER.local", "A", ["10.96.0.1"]),
        ("dual.default.svc.cluster.local", "A", ["10.96.0.6"]),
        ("dual.default.svc.cluster.local", "AAAA", ["fd00::6"]),
        ("nobody.default.svc.cluster.local", "A", MISSING),
        ("kubernetes.kube-system.svc.cluster.local", "A", MISSING),
        # 2.3.2: its named ports.
        ("_https._tcp.kubernetes.default.svc.cluster.local", "SRV", ["0 100 443 kubernetes.default.svc.cluster.local"]),
        ("_smtp._tcp.mail.default.svc.cluster.local", "SRV", ["0 100 25 mail.default.svc.cluster.local"]),
        ("_smtp._udp.mail.default.svc.cluster.local", "SRV", ["0 100 26 mail.default.svc.cluster.local"]),
        ("_https._udp.kubernetes.default.svc.cluster.local", "SRV", MISSING),
        ("_https._tcp.kubernetes.default.svc.cluster.local", "A", NOTHING),
        ("_._tcp.web.default.svc.cluster.local", "SRV", MISSING),
        ("_tcp.kubernetes.default.svc.cluster.local", "SRV", NOTHING),
        ("_udp.kubernetes.default.svc.cluster.local", "SRV", MISSING),
        # 2.3.3: its reverse name.
        ("1.0.96.10.in-addr.arpa", "PTR", ["kubernetes.default.svc.cluster.local"]),
        ("1.0.96.10.in-addr.arpa", "A", NOTHING),
        ("6.0.0.0." + "0." * 24 + "0.0.d.f.ip6.arpa", "PTR", ["dual.default.svc.cluster.local"]),
        # 2.4.1: a headless Service: ready endpoints, of all slices.
        ("pets.default.svc.cluster.local", "A", ["10.244.1.1", "10.244.1.2", "10.244.2.1"]),
        ("pets.default.svc.cluster.local", "AAAA", ["fd01::5"]),
        ("cat.pets.default.svc.cluster.local", "A", ["10.244.1.1", "10.244.2.1"]),
        ("10-244-1-2.pets.default.svc.cluster.local", "A", ["10.244.1.2"]),
        ("10-244-1-1.pets.default.svc.cluster.local", "A", MISSING),
        ("sick.pets.default.svc.cluster.local", "A", MISSING),
        ("empty.default.svc.cluster.local", "A", MISSING),
        ("early.default.svc.cluster.local", "A", ["10.244.1.8"]),
        ("baby.early.default.svc.cluster.local", "A", ["10.244.1.8"]),
        # 2.4.2: its named ports, for each endpoint that has them.
        (
            "_web._tcp.pets.default.svc.cluster.local",
            "SRV",
            [
                "0 25 8080 cat.pets.default.svc.cluster.local",
                "0 25 8080 10-244-1-2.pets.default.svc.cluster.local",
                "0 25 8081 cat.pets.default.svc.cluster.local",
                "0 25 8080 dog.pets.default.svc.cluster.local",
            ],
        ),
        ("_raw._udp.pets.default.svc.cluster.local", "SRV", MISSING),
        # 2.4.3: endpoints' reverse names.
        ("1.1.244.10.in-addr.arpa", "PTR", ["cat.pets.default.svc.cluster.local"]),
        ("2.1.244.10.in-addr.arpa", "PTR", ["10-244-1-2.pets.default.svc.cluster.local"]),
        ("9.2.244.10.in-addr.arpa", "PTR", "elsewhere"),
        ("11.0.30.172.in-addr.arpa", "PTR", "elsewhere"),
        ("244.10.in-addr.arpa", "PTR", "elsewhere"),
        ("x.1.244.10.in-addr.arpa", "PTR", "elsewhere"),
        # 2.5: an ExternalName, followed as far as it stays in the cluster.
        ("out.default.svc.cluster.local", "CNAME", ["www.example.com"]),
        ("out.default.svc.cluster.local", "A", ["www.example.com"]),
        ("in.default.svc.cluster.local", "A", ["kubernetes.default.svc.cluster.local", "10.96.0.1"]),
        (
            "in-twice.default.svc.cluster.local",
            "A",
            ["in.default.svc.cluster.local", "kubernetes.default.svc.cluster.local", "10.96.0.1"],
        ),
        ("astray.default.svc.cluster.local", "A", MISSING),
        ("ring.default.svc.cluster.local", "A", "SERVFAIL"),
        ("x.out.default.svc.cluster.local", "A", MISSING),
        # 2.6: Pods, by their address.
        ("10-244-1-1.default.pod.cluster.local", "A", ["10.244.1.1"]),
        ("192-0-2-1.kube-system.pod.cluster.local", "A", ["192.0.2.1"]),
        ("10-244-1-1.nowhere.pod.cluster.local", "A", MISSING),
        ("10-244-1-256.default.pod.cluster.local", "A", MISSING),
        ("010-244-1-1.default.pod.cluster.local", "A", MISSING),
        ("fd00--1.default.pod.cluster.local", "AAAA", ["fd00::1"]),
        ("x.default.pod.cluster.local", "A", MISSING),
        ("x.10-244-1-1.default.pod.cluster.local", "A", MISSING),
        # The zone itself, and names that only lead to others (RFC 8020: they exist).
        ("cluster.local", "NS", ["ns.dns.cluster.local"]),
        ("cluster.local", "A", NOTHING),
        ("ns.dns.cluster.local", "A", ["10.96.0.10"]),
        ("dns.cluster.local", "A", NOTHING),
        ("svc.cluster.local", "A", NOTHING),
        ("default.svc.cluster.local", "A", NOTHING),
        ("nowhere.svc.cluster.local", "A", MISSING),
        ("default.pod.cluster.local", "A", NOTHING),
        ("other.cluster.local", "A", MISSING),
        ("too.many.labels.kubernetes.default.svc.cluster.local", "A", MISSING),
        # What resolvers try with their search lists: not there, at once.
        ("www.example.com.default.svc.cluster.local", "A", MISSING),
        ("www.example.com.svc.cluster.local", "A", MISSING),
        ("www.example.com.cluster.local", "A", MISSING),
        # Everything else is somebody else's.
        ("www.example.com", "A", "elsewhere"),
        ("local", "A", "elsewhere"),
        ("mycluster.local", "A", "elsewhere"),
        (".", "NS", "elsewhere"),
    ],
)
def test_the_specification(name: str, kind: str, expected: str | list[str]) -> None:
    assert seen(ask(name, kind)) == expected


def test_what_is_not_there_comes_with_the_zones_authority() -> None:
    """RFC 2308: its last number says for how long others may remember that; CoreDNS' is 5 s."""
    for name in ("nobody.default.svc.cluster.local", "default.svc.cluster.local", "astray.default.svc.cluster.local"):
        answer = ask(name, "A")
        assert answer is not None
        (authority,) = answer.authority
        assert authority.name == "cluster.local"
        assert isinstance(authority.data, Authority)
        assert authority.data.negative == authority.ttl == TTL_SECONDS == 5


def test_all_records_live_for_five_seconds() -> None:
    """CoreDNS' default, which applications expect when endpoints move."""
    answer = ask("pets.default.svc.cluster.local", "A")
    assert answer is not None
    assert {record.ttl for record in answer.records} == {5}


def test_the_addresses_of_named_ports_come_along() -> None:
    """Specification 2.3.2: the additional section may have them; it saves clients a question."""
    answer = ask("_web._tcp.pets.default.svc.cluster.local", "SRV")
    assert answer is not None
    assert [(record.name.partition(".")[0], record.data) for record in answer.additional] == [
        ("cat", "10.244.1.1"),
        ("cat", "10.244.2.1"),
        ("10-244-1-2", "10.244.1.2"),
        ("dog", "fd01::5"),
    ]


def test_an_alias_that_leads_out_says_where_to_go_on() -> None:
    answer = ask("out.default.svc.cluster.local", "A")
    assert answer is not None
    assert answer.onward == "www.example.com"
    asked_for_itself = ask("out.default.svc.cluster.local", "CNAME")
    assert asked_for_itself is not None
    assert not asked_for_itself.onward


def test_verified_pods_have_names_only_while_they_have_the_address() -> None:
    """CoreDNS, plugin kubernetes, `pods verified`."""
    zone = zone_of(verify_pods=True)
    name = "10-244-1-1.default.pod.cluster.local"
    assert seen(ask(name, "A", zone)) == MISSING
    zone.put_pod("default", "10.244.1.1")
    zone.put_pod("default", "10.244.1.1")
    assert seen(ask(name, "A", zone)) == ["10.244.1.1"]
    assert seen(ask("10-244-1-1.kube-system.pod.cluster.local", "A", zone)) == MISSING
    zone.remove_pod("default", "10.244.1.1")
    assert seen(ask(name, "A", zone)) == ["10.244.1.1"], "another Pod in the node's network has it too"
    zone.remove_pod("default", "10.244.1.1")
    assert seen(ask(name, "A", zone)) == MISSING


def test_a_service_that_changes_leaves_nothing_behind() -> None:
    zone = zone_of(service("default/web", "10.96.0.5", ("http", 80)))
    before = zone.version
    changed = zone_of(service("default/web", "10.96.0.8"))
    for entry in changed._entries.values():
        zone.put(entry)
    assert zone.version > before
    assert seen(ask("5.0.96.10.in-addr.arpa", "PTR", zone)) == "elsewhere"
    assert seen(ask("8.0.96.10.in-addr.arpa", "PTR", zone)) == ["web.default.svc.cluster.local"]
    assert seen(ask("_http._tcp.web.default.svc.cluster.local", "SRV", zone)) == MISSING
    zone.remove("default", "web")
    assert seen(ask("8.0.96.10.in-addr.arpa", "PTR", zone)) == "elsewhere"
    assert seen(ask("web.default.svc.cluster.local", "A", zone)) == MISSING


def test_a_service_that_stays_as_it_is_changes_no_version() -> None:
    """Answers are kept until the version changes: an endpoint's new condition must not throw them all away."""
    zone = zone_of(service("default/web", "10.96.0.5", ("http", 80)))
    before = zone.version
    for entry in zone_of(service("default/web", "10.96.0.5", ("http", 80)))._entries.values():
        zone.put(entry)
    assert zone.version == before


def test_an_address_of_two_services_has_both_names() -> None:
    zone = zone_of(
        service("default/a"), piece("default/a", endpoint("10.244.1.1")),
        service("kube-system/b"), piece("kube-system/b", endpoint("10.244.1.1", "x")),
    )  # fmt: skip
    assert seen(ask("1.1.244.10.in-addr.arpa", "PTR", zone)) == [
        "10-244-1-1.a.default.svc.cluster.local",
        "x.b.kube-system.svc.cluster.local",
    ]


def test_the_clusters_identity_is_answered_once_it_is_known() -> None:
    zone = zone_of()
    assert seen(ask("cluster-id.dns.cluster.local", "TXT", zone)) == MISSING
    zone.identify("6f1c")
    assert seen(ask("cluster-id.dns.cluster.local", "TXT", zone)) == ["6f1c"]
