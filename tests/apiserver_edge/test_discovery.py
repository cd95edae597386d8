"""Discovery in its two forms, with entity tags."""

from __future__ import annotations

from tests.support.api_edge import World, story

AGGREGATED = (
    "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList,"
    "application/json;g=apidiscovery.k8s.io;v=v2beta1;as=APIGroupDiscoveryList,application/json"
)


def test_the_legacy_form_walks_from_groups_to_resources():
    async def scenario(w: World) -> None:
        assert (await w.get("/api")).obj["versions"] == ["v1"]
        groups = {group["name"]: group for group in (await w.get("/apis")).obj["groups"]}
        assert groups["autoscaling"]["preferredVersion"]["version"] == "v2"
        assert (await w.get("/apis/apps")).obj["preferredVersion"]["groupVersion"] == "apps/v1"
        core = {entry["name"]: entry for entry in (await w.get("/api/v1")).obj["resources"]}
        assert core["pods"]["shortNames"] == ["po"] and core["pods"]["categories"] == ["all"]
        assert (core["pods/eviction"]["kind"], core["pods/eviction"]["group"]) == ("Eviction", "policy")
        assert core["pods/exec"]["kind"] == "PodExecOptions" and set(core["pods/exec"]["verbs"]) == {"create", "get"}
        assert set(core["pods/resize"]["verbs"]) == {"get", "patch", "update"}
        apps = {entry["name"]: entry for entry in (await w.get("/apis/apps/v1")).obj["resources"]}
        assert apps["deployments/scale"]["kind"] == "Scale" and not apps["deployments/scale"]["singularName"]
        for path in ("/apis/nothing", "/apis/apps/v9", "/api/v2"):
            assert (await w.get(path)).status == 404

    story(scenario)


def test_the_aggregated_form_says_everything_at_once():
    async def scenario(w: World) -> None:
        reply = await w.get("/apis", headers={"accept": AGGREGATED})
        assert reply.headers["content-type"] == ("application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList")
        assert (reply.obj["kind"], reply.obj["apiVersion"]) == ("APIGroupDiscoveryList", "apidiscovery.k8s.io/v2")
        groups = {item["metadata"]["name"]: item for item in reply.obj["items"]}
        (apps,) = groups["apps"]["versions"]
        deployment = next(found for found in apps["resources"] if found["resource"] == "deployments")
        assert deployment["responseKind"] == {"group": "apps", "version": "v1", "kind": "Deployment"}
        assert deployment["scope"] == "Namespaced" and "list" in deployment["verbs"]
        assert {sub["subresource"] for sub in deployment["subresources"]} == {"scale", "status"}
        assert apps["freshness"] == "Current"
        (core,) = (await w.get("/api", headers={"accept": AGGREGATED})).obj["items"]
        assert core["versions"][0]["version"] == "v1"
        old = "application/json;g=apidiscovery.k8s.io;v=v2beta1;as=APIGroupDiscoveryList"
        assert (await w.get("/apis", headers={"accept": old})).obj["apiVersion"] == "apidiscovery.k8s.io/v2beta1"

    story(scenario)


def test_a_client_that_has_it_gets_no_body():
    async def scenario(w: World) -> None:
        first = await w.get("/apis", headers={"accept": AGGREGATED})
        tagged = {"accept": AGGREGATED, "if-none-match": first.headers["etag"]}
        again = await w.get("/apis", headers=tagged)
        assert (again.status, again.raw) == (304, b"")
        assert (await w.get("/apis", headers={"if-none-match": first.headers["etag"]})).status == 200

    story(scenario)


def test_only_json_is_written():
    async def scenario(w: World) -> None:
        proto = {"accept": "application/vnd.kubernetes.protobuf"}
        assert (await w.get("/apis", headers=proto)).status == 406
        assert (await w.get("/api/v1/namespaces", headers=proto)).status == 406
        both = {"accept": "application/vnd.kubernetes.protobuf,application/json"}
        assert (await w.get("/api/v1/namespaces", headers=both)).obj["kind"] == "NamespaceList"

    story(scenario)


def test_openapi_v3_is_an_index_of_documents_under_their_hashes():
    async def scenario(w: World) -> None:
        paths = (await w.get("/openapi/v3")).obj["paths"]
        url = paths["apis/apps/v1"]["serverRelativeURL"]
        reply = await w.get(url)
        assert "io.k8s.api.apps.v1.Deployment" in reply.obj["components"]["schemas"]
        assert "immutable" in reply.headers["cache-control"]
        again = await w.get(url, headers={"if-none-match": reply.headers["etag"]})
        assert again.status == 304
        moved = await w.get("/openapi/v3/apis/apps/v1?hash=OLD")
        assert (moved.status, moved.headers["location"]) == (301, url)
        assert (await w.get("/openapi/v3/apis/nothing/v1")).status == 404

    story(scenario)


def test_openapi_v2_is_json_or_protobuf_as_the_client_asks():
    async def scenario(w: World) -> None:
        assert "io.k8s.api.core.v1.Pod" in (await w.get("/openapi/v2")).obj["definitions"]
        asked = {"accept": "application/com.github.proto-openapi.spec.v2@v1.0+protobuf"}
        reply = await w.get("/openapi/v2", headers=asked)
        assert reply.headers["content-type"] == "application/com.github.proto-openapi.spec.v2.v1.0+protobuf"
        assert reply.raw.startswith(b"\x0a\x032.0\x12"), "field 1 is the Swagger version, field 2 the info"
        assert (await w.get("/openapi/v2", headers=asked | {"if-none-match": reply.headers["etag"]})).status == 304
        assert (await w.get("/openapi/v2", headers={"accept": "text/html"})).status == 406

    story(scenario)
