"""Label and field selectors: the grammar that kubectl sends, matching, and the server's words for mistakes."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from homeostat.api import kinds
from homeostat.api.catalogue import Catalogue
from homeostat.api.selecting import label_selectors
from homeostat.api.selecting.label_selectors import SelectorError

of = Catalogue.builtin().resource

LABELS = {"app": "web", "tier": "front", "rank": "7"}


@pytest.mark.parametrize(
    ("text", "matches"),
    [
        ("", True),
        ("  ", True),
        ("app=web", True),
        ("app==web", True),
        ("app = web , tier=front", True),
        ("app!=web", False),
        ("missing!=web", True),
        ("app in (web, db)", True),
        ("app in (db)", False),
        ("app notin (db,cache)", True),
        ("missing notin (db)", True),
        ("app", True),
        ("missing", False),
        ("!missing", True),
        ("!app", False),
        ("! app", False),
        ("rank>6", True),
        ("rank>7", False),
        ("rank<8", True),
        ("tier>1", False),
        ("app=", False),
        ("empty in (,x)", False),
        ("app=web,app=db", False),
        ("app=web,!missing,rank>1,tier notin (back)", True),
    ],
)
def test_label_selectors_match(text, matches):
    assert label_selectors.parse(text).matches(LABELS) is matches


def test_no_labels_at_all_meet_only_negative_terms():
    assert label_selectors.parse("a!=b").matches(None)
    assert not label_selectors.parse("a=b").matches(None)
    assert label_selectors.EVERYTHING.matches(None)
    assert not label_selectors.NOTHING.matches({})


def test_an_empty_value_is_a_value():
    assert label_selectors.parse("a=").matches({"a": ""})
    assert label_selectors.parse("a in (,x)").matches({"a": ""})


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a b", "unable to parse requirement: found 'b', expected: in, notin, =, ==, !=, gt, lt"),
        ("=b", "found '=', expected: !, identifier, or 'end of string'"),
        ("a,", "found '', expected: identifier after ','"),
        ("a,=", "found '=', expected: identifier after ','"),
        ("a=b c", "found 'c', expected: ',' or 'end of string'"),
        ("a in x", "unable to parse requirement: found 'x' expected: '('"),
        ("a in (x", "unable to parse requirement: found '', expected: ',' or ')'"),
        ("a in (x(", "unable to parse requirement: found '(', expected: ',' or ')'"),
        ("!", "unable to parse requirement: found '', expected: identifier"),
        ("a=(", "unable to parse requirement: found '(', expected: identifier"),
    ],
)
def test_a_selector_that_cannot_be_parsed_is_a_bad_request(text, message):
    with pytest.raises(SelectorError) as problem:
        label_selectors.parse(text)
    assert problem.value.code == 400
    assert problem.value.message == message


def test_bad_keys_and_values_are_named():
    with pytest.raises(SelectorError, match='unable to parse requirement: <nil>: Invalid value: "-a": name part must'):
        label_selectors.parse("-a=b")
    with pytest.raises(SelectorError, match=r'values\[1\]\[a\]: Invalid value: "-c": a valid label must be'):
        label_selectors.parse("a in (b,-c)")
    with pytest.raises(SelectorError, match="the value must be an integer"):
        label_selectors.parse("a>b")


def test_ten_thousand_terms_are_one_pass_and_megabytes_are_refused():
    many = ",".join(f"key-{i}=value-{i}" for i in range(10_000))
    selector = label_selectors.parse(many)
    assert len(selector.equal) == 10_000
    assert not selector.matches({"key-0": "value-0"})
    assert selector.matches({f"key-{i}": f"value-{i}" for i in range(10_000)})
    values = ",".join(f"v{i}" for i in range(10_000))
    assert label_selectors.parse(f"a in ({values})").matches({"a": "v9999"})
    with pytest.raises(SelectorError, match="too long"):
        label_selectors.parse("a=" + "b" * label_selectors.TEXT_BYTES_MAX)


def test_label_selectors_of_the_api():
    expressions = [
        {"key": "tier", "operator": "In", "values": ["front", "back"]},
        {"key": "old", "operator": "DoesNotExist"},
        {"key": "app", "operator": "Exists"},
        {"key": "app", "operator": "NotIn", "values": ["db"]},
    ]
    selector = label_selectors.of_label_selector({"matchLabels": {"app": "web"}, "matchExpressions": expressions})
    assert selector.matches(LABELS)
    assert not selector.matches(LABELS | {"old": "1"})
    assert str(selector) == "app=web,app,app notin (db),!old,tier in (back,front)"
    assert label_selectors.of_label_selector({}).matches({})
    assert label_selectors.of_label_selector({}).everything
    assert not label_selectors.of_label_selector(None).matches({})
    with pytest.raises(SelectorError, match='"Like" is not a valid label selector operator'):
        label_selectors.of_label_selector({"matchExpressions": [{"key": "a", "operator": "Like"}]})


def test_a_service_without_a_selector_selects_nothing():
    assert label_selectors.of_labels({"app": "web"}).matches(LABELS)
    assert not label_selectors.of_labels({}).matches(LABELS)
    assert not label_selectors.of_labels(None).matches({})


NAME = st.from_regex(r"[a-z]([a-z0-9]{0,5}[a-z0-9])?", fullmatch=True).filter(lambda text: text not in ("in", "notin"))
TERM = st.one_of(
    st.builds(lambda key, value: f"{key}={value}", NAME, NAME),
    st.builds(lambda key, value: f"{key}!={value}", NAME, NAME),
    st.builds(lambda key, values: f"{key} in ({','.join(values)})", NAME, st.lists(NAME, min_size=2, max_size=3)),
    st.builds(lambda key, values: f"{key} notin ({','.join(values)})", NAME, st.lists(NAME, min_size=1, max_size=3)),
    st.builds(lambda key: f"!{key}", NAME),
    NAME,
)


@given(st.lists(TERM, max_size=5), st.dictionaries(NAME, NAME, max_size=4))
def test_a_printed_selector_means_the_same(terms, labels):
    selector = label_selectors.parse(",".join(terms))
    again = label_selectors.parse(str(selector))
    assert again.matches(labels) is selector.matches(labels)
    assert selector.matches(labels) is all(label_selectors.parse(term).matches(labels) for term in terms)


POD = {
    "metadata": {"name": "web-1", "namespace": "default"},
    "spec": {"nodeName": "worker-1", "hostNetwork": True},
    "status": {"phase": "Running"},
}


@pytest.mark.parametrize(
    ("text", "matches"),
    [
        ("", True),
        ("metadata.name=web-1", True),
        ("metadata.name==web-1,status.phase=Running", True),
        ("metadata.namespace!=default", False),
        ("spec.nodeName=", False),
        ("spec.nodeName!=", True),
        ("spec.host=worker-1", True),
        ("status.nominatedNodeName=", True),
        ("spec.hostNetwork=true", True),
        ("status.phase!=Succeeded,status.phase!=Failed", True),
    ],
)
def test_field_selectors_of_pods(text, matches):
    assert of(kinds.POD).selectable.parse(text).matches(POD) is matches


def test_absent_booleans_and_numbers_are_gos_zero_values():
    assert of(kinds.NODE).selectable.parse("spec.unschedulable=false").matches({"spec": {}})
    assert of(kinds.NODE).selectable.parse("spec.unschedulable=true").matches({"spec": {"unschedulable": True}})
    assert of(kinds.REPLICASET).selectable.parse("status.replicas=0").matches({})
    assert of(kinds.JOB).selectable.parse("status.successful=1").matches({"status": {"succeeded": 1}})


def test_events_are_found_by_what_they_are_about():
    event = {"involvedObject": {"kind": "Pod", "name": "web-1", "uid": "u"}, "type": "Warning", "reason": "BackOff"}
    wanted = "involvedObject.name=web-1,involvedObject.kind=Pod,type=Warning,involvedObject.uid=u"
    assert of(kinds.EVENT).selectable.parse(wanted).matches(event)
    assert not of(kinds.EVENT).selectable.parse("reason=Killing").matches(event)


@pytest.mark.parametrize(
    ("kind", "text", "message"),
    [
        (kinds.POD, "foo=bar", "field label not supported: foo"),
        (kinds.EVENT, "spec.nodeName=x", "field label not supported: spec.nodeName"),
        (
            kinds.CONFIGMAP,
            "data.x=y",
            '"data.x" is not a known field selector: only "metadata.name", "metadata.namespace"',
        ),
        (kinds.POD, "status.phase", "invalid selector: 'status.phase'; can't understand 'status.phase'"),
        (kinds.POD, "metadata.name=a\\b", "invalid field selector: invalid escape sequence: \\b"),
        (kinds.POD, "metadata.name=a=b", "invalid field selector: unescaped character in value: ="),
    ],
)
def test_unknown_fields_are_refused_in_the_servers_words(kind, text, message):
    with pytest.raises(SelectorError) as problem:
        of(kind).selectable.parse(text)
    assert (problem.value.code, problem.value.message) == (400, message)


def test_escaped_commas_belong_to_the_value():
    selector = of(kinds.CONFIGMAP).selectable.parse(r"metadata.name=a\,b\=c\\,metadata.namespace=n")
    assert selector.equal == {"metadata.name": "a,b=c\\", "metadata.namespace": "n"}


def test_an_index_learns_which_values_are_fixed():
    selector = of(kinds.POD).selectable.parse("spec.nodeName=n1,status.phase!=Failed")
    assert selector.equal == {"spec.nodeName": "n1"}
    assert label_selectors.parse("a=b,c in (d),e!=f").equal == (("a", "b"), ("c", "d"))
