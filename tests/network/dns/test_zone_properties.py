"""Whatever Services and EndpointSlices there are: names lead where they should, and nowhere else."""

from __future__ import annotations

from ipaddress import ip_address
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from homeostat.network.dns import dns_message, records
from homeostat.network.dns.entry import Entry, entry_of
from homeostat.network.dns.records import Answer, Service
from homeostat.network.dns.zone import Zone
from tests.network.dns.building import DNS_ADDRESS, endpoint, piece, question, service

Obj = dict[str, Any]
NAMESPACES, NAMES, PORTS = ("one", "two"), ("web", "pets", "svc"), ("http", "raw/UDP", "")

endpoints = st.builds(
    lambda number, name, ready: endpoint(f"10.244.0.{number}", name, ready=ready),
    st.integers(1, 6), st.sampled_from(["", "cat", "dog"]), st.booleans(),
)  # fmt: skip
ports = st.lists(st.tuples(st.sampled_from(PORTS), st.integers(80, 82)), max_size=2, unique_by=lambda port: port[0])


@st.composite
def entries(draw: st.DrawFn) -> Entry:
    key = f"{draw(st.sampled_from(NAMESPACES))}/{draw(st.sampled_from(NAMES))}"
    if draw(st.integers(0, 3)) == 0:
        target = f"{draw(st.sampled_from(NAMES))}.{draw(st.sampled_from(NAMESPACES))}.svc.cluster.local"
        return entry_of(service(key, "", type="ExternalName", externalName=target), [])
    address = draw(st.sampled_from(["None", "10.96.0.1", "10.96.0.2"]))
    wanted = draw(ports)
    some = draw(st.lists(endpoints, max_size=4))
    listed = [(label.partition("/")[0], number) for label, number in wanted]
    early = draw(st.booleans())
    return entry_of(service(key, address, *wanted, publishNotReadyAddresses=early), [piece(key, *some, ports=listed)])


worlds = st.lists(entries(), max_size=6, unique_by=lambda entry: (entry.namespace, entry.name))
labels = st.sampled_from(
    [*NAMES, *NAMESPACES, "svc", "pod", "_http", "_raw", "_tcp", "_udp", "cat", "dog", "10-244-0-1", "nobody"]
)
names = st.lists(labels, max_size=5).map(lambda found: (*found, "cluster", "local"))
kinds = st.sampled_from([records.A, records.AAAA, records.SRV, records.CNAME, records.TXT, records.PTR])


def zone_of(world: list[Entry]) -> Zone:
    zone = Zone("cluster.local", DNS_ADDRESS)
    for namespace in NAMESPACES:
        zone.put_namespace(namespace)
    for entry in world:
        zone.put(entry)
    return zone


def known(answer: Answer | None) -> Answer:
    assert answer is not None
    return answer


def without_serial(answer: Answer) -> Answer:
    return Answer(answer.rcode, answer.records, (), answer.additional, answer.onward)


@given(worlds, names, kinds)
def test_a_name_says_nothing_of_another_namespace(world: list[Entry], name: records.Labels, kind: int) -> None:
    """What `name` means follows from its own namespace alone, aliases apart: those lead where their owner said."""
    whole = known(zone_of(world).answer(name, kind))
    for namespace in NAMESPACES:
        if len(name) > 3 and name[-4:-2] == (namespace, "svc") and not any(entry.alias for entry in world):
            alone = zone_of([entry for entry in world if entry.namespace == namespace])
            assert without_serial(known(alone.answer(name, kind))) == without_serial(whole)


@given(worlds, names, kinds)
def test_every_answer_is_of_the_kind_and_the_name_asked_for(
    world: list[Entry], name: records.Labels, kind: int
) -> None:
    answer = known(zone_of(world).answer(name, kind))
    at = ".".join(name)
    for record in answer.records:
        assert record.name == at
        if record.kind == records.CNAME:
            at = str(record.data)
        else:
            assert record.kind == kind
    assert bool(answer.authority) == (answer.rcode != records.SERVFAIL and all(r.kind != kind for r in answer.records))


@given(worlds)
def test_what_srv_and_ptr_records_name_can_be_looked_up(world: list[Entry]) -> None:
    zone = zone_of(world)
    for entry in world:
        own = f"{entry.name}.{entry.namespace}.svc.cluster.local"
        for port, protocol in entry.ports:
            for record in known(zone.answer(records.labels_of(f"{port}.{protocol}.{own}"), records.SRV)).records:
                assert isinstance(record.data, Service)
                assert known(zone.answer(records.labels_of(record.data.target), records.A)).records
        for address in entry.reverse:
            pointer = ip_address(address).reverse_pointer
            for record in known(zone.answer(records.labels_of(pointer), records.PTR)).records:
                found = known(zone.answer(records.labels_of(str(record.data)), records.A)).records
                assert address in {each.data for each in found}


@given(st.lists(entries(), max_size=10), st.data())
def test_a_zone_does_not_remember_what_it_was(history: list[Entry], data: st.DataObject) -> None:
    """Level, not edge: whatever came and went, answers follow from what is there now."""
    zone, now = zone_of([]), dict[tuple[str, str], Entry]()
    for entry in history:
        key = (entry.namespace, entry.name)
        if data.draw(st.booleans()):
            zone.remove(*key)
            now.pop(key, None)
        zone.put(entry)
        now[key] = entry
    fresh = zone_of(list(now.values()))
    for _ in range(5):
        name, kind = data.draw(names), data.draw(kinds)
        assert without_serial(known(zone.answer(name, kind))) == without_serial(known(fresh.answer(name, kind)))
    assert zone._reverse == fresh._reverse


@given(worlds, st.lists(labels, max_size=5), st.sampled_from(["A", "SRV", "PTR"]), st.randoms(use_true_random=False))
def test_case_changes_no_answer(world: list[Entry], found: list[str], kind: str, random: Any) -> None:
    """Specification 2.1: all comparisons are case-insensitive."""
    name = ".".join([*found, "cluster", "local"])
    mixed = "".join(random.choice((letter.upper(), letter)) for letter in name)
    zone = zone_of(world)
    plain, spelt = (dns_message.read(question(each, kind)) for each in (name, mixed))
    assert zone.answer(plain.labels, plain.kind) == zone.answer(spelt.labels, spelt.kind)
