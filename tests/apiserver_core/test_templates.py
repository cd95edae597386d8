"""A Pod whose spec was seen before is stored, warned about and refused as one whose spec is new."""

from __future__ import annotations

import orjson
import pytest

from homeostat.api.catalogue import Catalogue
from homeostat.api.kinds import POD
from homeostat.apiserver.write.seen_pod_specs import Templates

SHAPE = Catalogue.builtin().resource(POD)
PODS = "/api/v1/namespaces/default/pods"
SPEC = b'{"containers":[{"name":"main","image":"app:1","resources":{"limits":{"cpu":"0.5"}},"env":[]}]}'
PLAIN = b'{"apiVersion":"v1","kind":"Pod","metadata":{"name":"a","labels":{"app":"x"}},"spec":%b}' % SPEC

BODIES = {
    "plain": PLAIN,
    "as Go writes it": b'{"kind":"Pod","apiVersion":"v1","metadata":{"name":"a","creationTimestamp":null},'
    b'"spec":%b,"status":{}}' % SPEC,
    "spaces": PLAIN.replace(b',"spec"', b', "spec"'),
    "spec first": b'{"spec":%b,"metadata":{"name":"a"},"apiVersion":"v1","kind":"Pod"}' % SPEC,
    "no kind": b'{"metadata":{"name":"a"},"spec":%b}' % SPEC,
    "another kind": PLAIN.replace(b'"Pod"', b'"Node"'),
    "spec twice": PLAIN[:-1] + b',"spec":%b}' % SPEC,
    "another spec before": PLAIN.replace(b'"spec":', b'"spec":{"containers":[]},"spec":'),
    "metadata twice": PLAIN.replace(b',"spec"', b',"metadata":{"name":"b"},"spec"'),
    "a label twice": PLAIN.replace(b'"app":"x"', b'"app":"y","app":"x"'),
    "spec in the metadata": PLAIN.replace(b'"name":"a"', b'"name":"a","spec":%b' % SPEC),
    "unknown in metadata": PLAIN.replace(b'"name":"a"', b'"name":"a","colour":"red"'),
    "unknown beside": PLAIN[:-1] + b',"colour":"red"}',
    "status": PLAIN[:-1] + b',"status":{"phase":"Running"}}',
    "bad label": PLAIN.replace(b'"x"', b'"-"'),
    "bad name": PLAIN.replace(b'"a"', b'"A_"'),
    "no name": PLAIN.replace(b'"name":"a",', b""),
    "name is a number": PLAIN.replace(b'"a"', b"7"),
    "metadata null": PLAIN.replace(b'{"name":"a","labels":{"app":"x"}}', b"null"),
    "a label is null": PLAIN.replace(b'"x"', b"null"),
    "a label is a number": PLAIN.replace(b'"x"', b"7"),
    "labels are empty": PLAIN.replace(b'{"app":"x"}', b"{}"),
    "labels are null": PLAIN.replace(b'{"app":"x"}', b"null"),
    "labels are a list": PLAIN.replace(b'{"app":"x"}', b'["app"]'),
    "name is empty": PLAIN.replace(b'"a"', b'""'),
    "an owner": PLAIN.replace(b'"name":"a"', b'"name":"a","ownerReferences":[{"kind":"X","name":"y","uid":"z"}]'),
    "metadata is text": PLAIN.replace(b'{"name":"a","labels":{"app":"x"}}', b'"a"'),
    "cut off": PLAIN[:-1],
    "more behind": PLAIN + b"}",
    "not UTF-8": PLAIN.replace(b'"x"', b'"\xff"'),
    "escapes": PLAIN.replace(b'"x"', b'"\\u0078"'),
    "bad time": PLAIN.replace(b'"name":"a"', b'"name":"a","creationTimestamp":"noon"'),
}


@pytest.mark.parametrize("validation", ["Ignore", "Warn", "Strict"])
@pytest.mark.parametrize("body", BODIES.values(), ids=BODIES)
def test_a_known_spec_changes_no_answer(story, body, validation):
    def answer(response):
        obj = orjson.loads(response.body)
        for drawn in ("uid", "creationTimestamp"):
            obj.get("metadata", {}).pop(drawn, None)
        return response.status, response.headers, obj

    async def scenario(fresh, knowing):
        learned = await knowing.send("POST", PODS, PLAIN, fieldValidation="Strict", dryRun="All")
        assert learned.status == 201
        first, second = [
            answer(await api.send("POST", PODS, body, fieldValidation=validation, dryRun="All"))
            for api in (fresh, knowing)
        ]
        assert first == second

    story(scenario, servers=2)


def test_a_known_spec_comes_out_of_the_memory_and_is_nobody_elses():
    templates = Templates()
    parts = templates.parts(PLAIN)
    assert parts is not None and templates.read(parts, SHAPE) is None
    templates.learn(parts, {"spec": {"containers": [{"name": "main"}], "restartPolicy": "Always"}})
    one, other = templates.read(parts, SHAPE), templates.read(parts, SHAPE)
    assert one is not None and one == other
    one["spec"]["containers"].clear()
    assert templates.read(parts, SHAPE) == other


def test_only_so_many_specs_are_kept_and_none_that_is_long():
    templates = Templates()

    def body(image):
        return PLAIN.replace(b"app:1", image)

    for number in range(300):
        templates.learn(templates.parts(body(b"app:%d" % number)), {"spec": {}})
    assert templates.read(templates.parts(body(b"app:0")), SHAPE) is None
    assert templates.read(templates.parts(body(b"app:299")), SHAPE) is not None
    long = templates.parts(body(b"i" * 20_000))
    templates.learn(long, {"spec": {}})
    assert templates.read(long, SHAPE) is None


def test_duplicates_that_were_not_checked_are_reported_later(story):
    doubled = PLAIN.replace(b'"name":"main"', b'"name":"other","name":"main"')

    async def scenario(api):
        await api.send("POST", PODS, doubled, fieldValidation="Ignore", dryRun="All")
        response = await api.send("POST", PODS, doubled, fieldValidation="Warn", dryRun="All")
        assert 'duplicate field \\"spec.containers[0].name\\"' in response.headers["warning"]

    story(scenario)
