"""Create, update and what both keep to: names, identity, revisions, dry runs, field validation, bad bodies."""

from __future__ import annotations

import asyncio

import orjson
import pytest

from homeostat.apiserver.settings import Settings

PODS = "/api/v1/namespaces/default/pods"
MAPS = "/api/v1/namespaces/default/configmaps"
DEPLOYMENTS = "/apis/apps/v1/namespaces/default/deployments"


LAUGHS = b"a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n" + b"".join(
    b"a%d: &a%d [%b]\n" % (n, n, b", ".join([b"*a%d" % (n - 1)] * 10)) for n in range(1, 12)
)


def deployment(name="web", replicas=1, image="app:1"):
    labels = {"app": name}
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": name, "labels": labels},
        "spec": {
            "replicas": replicas,
            "selector": {"matchLabels": labels},
            "template": {"metadata": {"labels": labels}, "spec": {"containers": [{"name": "main", "image": image}]}},
        },
    }


def test_a_new_object_gets_its_identity_from_the_server(story):
    async def scenario(api):
        lies = {"name": "a", "uid": "mine", "creationTimestamp": "2001-01-01T00:00:00Z", "resourceVersion": ""}
        metadata = (await api.create(MAPS, {"metadata": {**lies, "deletionTimestamp": "2001-01-01T00:00:00Z"}}))[
            "metadata"
        ]
        assert metadata["uid"] != "mine"
        assert metadata["creationTimestamp"].startswith("2027-")
        assert metadata["namespace"] == "default"
        assert "deletionTimestamp" not in metadata

    story(scenario)


def test_a_name_is_taken_once(story):
    async def scenario(api):
        await api.create(MAPS, {"metadata": {"name": "a"}})
        status, error = await api.ask("POST", MAPS, {"metadata": {"name": "a"}})
        assert (status, error["reason"], error["message"]) == (409, "AlreadyExists", 'configmaps "a" already exists')

    story(scenario)


def test_of_many_that_create_one_name_at_once_one_succeeds(story):
    async def scenario(one, other):
        answers = await asyncio.gather(
            *((one, other)[number % 2].ask("POST", MAPS, {"metadata": {"name": "a"}}) for number in range(10))
        )
        assert sorted(status for status, _ in answers) == [201] + [409] * 9

    story(scenario, servers=2)


def test_generated_names_are_drawn_again_when_they_are_taken(story, monkeypatch):
    drawn = iter(["aaaaa", "aaaaa", "aaaaa", "bbbbb"])
    monkeypatch.setattr("homeostat.kit.chance.name_suffix", lambda length=5: next(drawn))

    async def scenario(api):
        first = await api.create(MAPS, {"metadata": {"generateName": "x-"}})
        second = await api.create(MAPS, {"metadata": {"generateName": "x-"}})
        assert (first["metadata"]["name"], second["metadata"]["name"]) == ("x-aaaaa", "x-bbbbb")
        assert second["metadata"]["generateName"] == "x-"

    story(scenario)


def test_a_generated_name_that_is_always_taken_is_already_exists(story, monkeypatch):
    monkeypatch.setattr("homeostat.kit.chance.name_suffix", lambda length=5: "aaaaa")

    async def scenario(api):
        await api.create(MAPS, {"metadata": {"generateName": "x-"}})
        status, error = await api.ask("POST", MAPS, {"metadata": {"generateName": "x-"}})
        assert (status, error["reason"]) == (409, "AlreadyExists")

    story(scenario)


@pytest.mark.parametrize(
    ("path", "metadata", "message"),
    [
        (MAPS, {"name": "a", "namespace": "other"}, "the namespace of the provided object does not match"),
        ("/api/v1/nodes", {"name": "n", "namespace": "other"}, "namespace"),
    ],
)
def test_the_body_and_the_url_must_agree(story, path, metadata, message):
    async def scenario(api):
        status, error = await api.ask("POST", path, {"metadata": metadata})
        assert status == 400
        assert message in error["message"]

    story(scenario)


def test_an_update_under_another_name_is_refused(story):
    async def scenario(api):
        created = await api.create(MAPS, {"metadata": {"name": "a"}})
        status, error = await api.ask("PUT", f"{MAPS}/b", created)
        assert status == 400
        assert error["message"] == "the name of the object (a) does not match the name on the URL (b)"

    story(scenario)


def test_a_missing_name_is_invalid(story):
    async def scenario(api):
        status, error = await api.ask("POST", MAPS, {"metadata": {}})
        assert (status, error["reason"]) == (422, "Invalid")
        assert "name or generateName is required" in error["message"]

    story(scenario)


def test_creating_in_no_namespace_is_not_allowed(story):
    async def scenario(api):
        status, error = await api.ask("POST", "/api/v1/configmaps", {"metadata": {"name": "a"}})
        assert (status, error["reason"]) == (405, "MethodNotAllowed")

    story(scenario)


# Update


def test_a_stale_revision_is_a_conflict_and_no_revision_is_none(story):
    async def scenario(api):
        first = await api.create(MAPS, {"metadata": {"name": "a"}})
        await api.merge(f"{MAPS}/a", {"data": {"x": "1"}})
        status, error = await api.ask("PUT", f"{MAPS}/a", {**first, "data": {"x": "2"}})
        assert (status, error["reason"]) == (409, "Conflict")
        assert error["message"].endswith("please apply your changes to the latest version and try again")
        unconditional = {"metadata": {"name": "a"}, "data": {"x": "3"}}
        status, stored = await api.ask("PUT", f"{MAPS}/a", unconditional)
        assert (status, stored["data"]) == (200, {"x": "3"})
        assert stored["metadata"]["uid"] == first["metadata"]["uid"]

    story(scenario)


def test_an_update_of_another_incarnation_is_a_conflict(story):
    async def scenario(api):
        first = await api.create(MAPS, {"metadata": {"name": "a"}})
        await api.ask("DELETE", f"{MAPS}/a")
        await api.create(MAPS, {"metadata": {"name": "a"}})
        del first["metadata"]["resourceVersion"]
        status, error = await api.ask("PUT", f"{MAPS}/a", first)
        assert status == 409
        assert "UID in precondition" in error["message"]

    story(scenario)


def test_an_update_of_what_is_not_there_is_404(story):
    async def scenario(api):
        status, _ = await api.ask("PUT", f"{MAPS}/a", {"metadata": {"name": "a"}})
        assert status == 404

    story(scenario)


def test_an_update_that_changes_nothing_makes_no_revision(story):
    async def scenario(api):
        created = await api.create(DEPLOYMENTS, deployment())
        before = await api.store.revision()
        status, same = await api.ask("PUT", f"{DEPLOYMENTS}/web", created)
        assert (status, same) == (200, created)
        assert (await api.merge(f"{DEPLOYMENTS}/web", {"metadata": {"labels": {"app": "web"}}})) == created
        assert await api.store.revision() == before

    story(scenario)


def test_generation_counts_changes_of_the_spec_only(story):
    async def scenario(api):
        await api.create(DEPLOYMENTS, deployment())
        labelled = await api.merge(f"{DEPLOYMENTS}/web", {"metadata": {"labels": {"x": "1"}}})
        scaled = await api.merge(f"{DEPLOYMENTS}/web", {"spec": {"replicas": 3}})
        reply = await api.merge(f"{DEPLOYMENTS}/web/status", {"status": {"observedGeneration": 2, "replicas": 3}})
        assert [obj["metadata"]["generation"] for obj in (labelled, scaled, reply)] == [1, 2, 2]

    story(scenario)


def test_status_and_the_rest_are_written_apart(story):
    async def scenario(api):
        created = await api.create(DEPLOYMENTS, deployment())
        created["spec"]["replicas"], created["status"] = 5, {"replicas": 1}
        status, reply = await api.ask("PUT", f"{DEPLOYMENTS}/web/status", created)
        assert (status, reply["spec"]["replicas"], reply["status"]["replicas"]) == (200, 1, 1)
        reply["spec"]["replicas"], reply["status"] = 7, {"replicas": 9}
        status, changed = await api.ask("PUT", f"{DEPLOYMENTS}/web", reply)
        assert (status, changed["spec"]["replicas"], changed["status"]["replicas"]) == (200, 7, 1)

    story(scenario)


def test_a_server_that_is_behind_asks_the_store_before_it_refuses(story, monkeypatch):
    """The other server's hub is held back; a write that names the newest revision must still succeed there."""

    async def scenario(one, other):
        await one.create(MAPS, {"metadata": {"name": "a"}})
        await other.settle()
        monkeypatch.setattr(other.server._feed, "_apply", lambda event: None)
        newest = await one.merge(f"{MAPS}/a", {"data": {"x": "1"}})
        status, stored = await other.ask("PUT", f"{MAPS}/a", {**newest, "data": {"x": "2"}})
        assert (status, stored["data"]) == (200, {"x": "2"})

    story(scenario, servers=2)


def test_wrong_values_are_422_with_a_cause_for_each(story):
    async def scenario(api):
        broken = deployment(replicas=-1)
        broken["spec"]["template"]["spec"]["containers"] = []
        status, error = await api.ask("POST", DEPLOYMENTS, broken)
        assert (status, error["reason"], error["details"]["kind"]) == (422, "Invalid", "Deployment")
        fields = [cause["field"] for cause in error["details"]["causes"]]
        assert "spec.replicas" in fields
        assert "spec.template.spec.containers" in fields
        assert error["message"].startswith('Deployment.apps "web" is invalid: [')

    story(scenario)


# Dry runs


def test_a_dry_run_answers_as_the_real_thing_and_keeps_nothing(story):
    async def scenario(api):
        dry = await api.create(MAPS, {"metadata": {"name": "a"}}, dryRun="All")
        assert dry["metadata"]["uid"]
        assert dry["metadata"]["resourceVersion"] == ""
        assert (await api.ask("GET", f"{MAPS}/a"))[0] == 404
        created = await api.create(MAPS, {"metadata": {"name": "a"}})
        before = await api.store.revision()
        assert (await api.ask("POST", MAPS, {"metadata": {"name": "a"}}, dryRun="All"))[0] == 409
        assert (await api.merge(f"{MAPS}/a", {"data": {"x": "1"}}, dryRun="All"))["data"] == {"x": "1"}
        assert (await api.ask("DELETE", f"{MAPS}/a", dryRun="All"))[0] == 200
        assert await api.get(f"{MAPS}/a") == created
        assert await api.store.revision() == before

    story(scenario)


def test_an_unknown_dry_run_is_refused(story):
    async def scenario(api):
        status, error = await api.ask("POST", MAPS, {"metadata": {"name": "a"}}, dryRun="Some")
        assert status == 422
        assert 'supported values: "All"' in error["message"]

    story(scenario)


# Bodies


@pytest.mark.parametrize(
    ("validation", "status", "warned"), [("Strict", 400, False), ("Warn", 201, True), ("Ignore", 201, False)]
)
def test_unknown_fields_by_field_validation(story, validation, status, warned):
    async def scenario(api):
        body = {"metadata": {"name": "a"}, "datum": {"x": "1"}}
        response = await api.send("POST", MAPS, body, fieldValidation=validation)
        assert response.status == status
        assert ("datum" in response.headers.get("warning", "")) is warned
        if status == 400:
            assert 'strict decoding error: unknown field "datum"' in orjson.loads(response.body)["message"]
        else:
            assert "datum" not in orjson.loads(response.body)

    story(scenario)


def test_duplicate_fields_are_reported(story):
    async def scenario(api):
        body = b'{"metadata":{"name":"a"},"data":{"x":"1"},"data":{"x":"2"}}'
        response = await api.send("POST", MAPS, body)
        assert response.headers["warning"] == '299 - "duplicate field \\"data\\""'

    story(scenario)


def test_yaml_is_read_as_json_is(story):
    async def scenario(api):
        text = b"apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: a\ndata:\n  x: 'yes'\n  1: 2026-01-02\n"
        status, created = await api.ask("POST", MAPS, text, media="application/yaml")
        assert (status, created["data"]) == (201, {"x": "yes", "1": "2026-01-02"})

    story(scenario)


@pytest.mark.parametrize(
    ("body", "media", "status", "reason"),
    [
        (b"{", "application/json", 400, "BadRequest"),
        (b"\xff\xfe", "application/json", 400, "BadRequest"),
        (b"[" * 100_000, "application/json", 400, "BadRequest"),
        (b"[]", "application/json", 400, "BadRequest"),
        (b"null", "application/json", 400, "BadRequest"),
        (b'{"kind":"Pod","apiVersion":"v1"}', "application/json", 400, "BadRequest"),
        (b'{"kind":"ConfigMap","apiVersion":"v2"}', "application/json", 400, "BadRequest"),
        (b'{"metadata":[]}', "application/json", 400, "BadRequest"),
        (b'{"metadata":{"name":7}}', "application/json", 400, "BadRequest"),
        (b'{"metadata":{"name":"a"},"data":{"x":1}}', "application/json", 400, "BadRequest"),
        (b"a: [", "application/yaml", 400, "BadRequest"),
        (b"a: &x [*x]", "application/yaml", 400, "BadRequest"),
        (b"- 1", "application/yaml", 400, "BadRequest"),
        (LAUGHS, "application/yaml", 400, "BadRequest"),
        (b"nothing", "application/vnd.kubernetes.protobuf", 400, "BadRequest"),
        (b"{}", "application/cbor", 415, "UnsupportedMediaType"),
        (b"{}", "text/plain", 415, "UnsupportedMediaType"),
    ],
)
def test_bodies_that_cannot_be_read_are_refused(story, body, media, status, reason):
    async def scenario(api):
        answer, error = await api.ask("POST", MAPS, body, media=media)
        assert (answer, error["reason"], error["kind"]) == (status, reason, "Status")

    story(scenario)


def test_a_body_over_three_mebibytes_is_413(story):
    async def scenario(api):
        body = {"metadata": {"name": "a"}, "data": {"x": "y" * (3 * 1024 * 1024)}}
        status, error = await api.ask("POST", MAPS, body)
        assert (status, error["reason"]) == (413, "RequestEntityTooLarge")
        assert error["message"] == "Request entity too large: limit is 3145728"

    story(scenario)


def test_a_smaller_limit_can_be_set(story):
    async def scenario(api):
        assert (await api.ask("POST", MAPS, {"metadata": {"name": "a" * 200}}))[0] == 413

    story(scenario, settings=Settings(max_request_body_bytes=150))


def test_kinds_without_a_loop_warn_and_others_do_not(story):
    async def scenario(api):
        body = {"metadata": {"name": "a"}, "spec": {"podSelector": {}}}
        response = await api.send("POST", "/apis/networking.k8s.io/v1/namespaces/default/networkpolicies", body)
        assert response.status == 201
        assert response.headers["warning"].startswith('299 - "this cluster enforces no NetworkPolicies')
        response = await api.send("POST", DEPLOYMENTS, deployment())
        assert "warning" not in response.headers
        # Admission acts on these, though no loop does.
        limits = {"metadata": {"name": "a"}, "spec": {"limits": [{"type": "Container", "max": {"cpu": "2"}}]}}
        response = await api.send("POST", "/api/v1/namespaces/default/limitranges", limits)
        assert response.status == 201 and "warning" not in response.headers

    story(scenario)


def test_autoscalers_are_stored_once_for_both_versions(story):
    async def scenario(api):
        target = {"apiVersion": "apps/v1", "kind": "Deployment", "name": "web"}
        spec = {"scaleTargetRef": target, "maxReplicas": 3, "targetCPUUtilizationPercentage": 50}
        path = "/apis/autoscaling/{}/namespaces/default/horizontalpodautoscalers"
        await api.create(path.format("v1"), {"metadata": {"name": "a"}, "spec": spec})
        new = await api.get(path.format("v2") + "/a")
        assert new["spec"]["metrics"][0]["resource"]["target"]["averageUtilization"] == 50
        patched = await api.merge(path.format("v1") + "/a", {"spec": {"maxReplicas": 5}})
        assert (patched["apiVersion"], patched["spec"]["maxReplicas"]) == ("autoscaling/v1", 5)
        assert patched["spec"]["targetCPUUtilizationPercentage"] == 50

    story(scenario)
