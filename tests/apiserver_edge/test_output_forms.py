"""Tables and metadata alone, for reads and watches."""

from __future__ import annotations

import orjson
import pytest

from homeostat.api.errors import ApiError
from homeostat.apiserver.path.accept import PLAIN, Form, chosen
from homeostat.wire.message import Request
from tests.support.api_edge import ADMIN, World, story

TABLE = "application/json;as=Table;v=v1;g=meta.k8s.io,application/json"
PARTIAL = "application/json;as=PartialObjectMetadataList;v=v1;g=meta.k8s.io"
KNOWN = frozenset((Form("Table", "meta.k8s.io", "v1"),))
PODS = "/api/v1/namespaces/default/pods"


@pytest.mark.parametrize(
    ("accept", "as_kind"),
    [
        ("", ""),
        ("*/*", ""),
        ("application/*", ""),
        ("application/json", ""),
        ("application/vnd.kubernetes.protobuf, application/json", ""),
        (TABLE, "Table"),
        ("application/json;as=Table;v=v9;g=meta.k8s.io,application/json", ""),
        ("application/json;q=0.5,application/json;as=Table;v=v1;g=meta.k8s.io", "Table"),
        ("text/html,*/*;q=0.1", ""),
    ],
)
def test_the_first_acceptable_form_wins(accept, as_kind):
    assert chosen({"accept": accept}, KNOWN).as_kind == as_kind


@pytest.mark.parametrize("accept", ["text/html", "application/vnd.kubernetes.protobuf", "application/json;q=0"])
def test_what_nobody_writes_is_not_acceptable(accept):
    with pytest.raises(ApiError) as refusal:
        chosen({"accept": accept}, KNOWN)
    assert (refusal.value.code, refusal.value.reason) == (406, "NotAcceptable")
    assert chosen({}, KNOWN) is PLAIN


def test_a_list_as_a_table_has_columns_and_rows_with_as_much_object_as_asked():
    async def scenario(w: World) -> None:
        await w.account()
        await w.pod("a")
        table = (await w.get(PODS, headers={"accept": TABLE})).obj
        assert (table["kind"], table["apiVersion"]) == ("Table", "meta.k8s.io/v1")
        assert [column["name"] for column in table["columnDefinitions"]][:3] == ["Name", "Ready", "Status"]
        (row,) = table["rows"]
        assert row["cells"][:3] == ["a", "0/1", "Pending"]
        assert row["object"]["kind"] == "PartialObjectMetadata" and "spec" not in row["object"]
        assert table["metadata"]["resourceVersion"]
        whole = (await w.get(f"{PODS}?includeObject=Object", headers={"accept": TABLE})).obj
        assert whole["rows"][0]["object"]["spec"]["containers"]
        bare = (await w.get(f"{PODS}?includeObject=None", headers={"accept": TABLE})).obj
        assert bare["rows"][0]["object"] is None
        assert (await w.get(f"{PODS}?includeObject=All", headers={"accept": TABLE})).status == 400
        one = (await w.get(f"{PODS}/a", headers={"accept": TABLE})).obj
        assert len(one["rows"]) == 1 and one["rows"][0]["cells"][0] == "a"

    story(scenario)


def test_metadata_alone():
    async def scenario(w: World) -> None:
        await w.account()
        await w.pod("a")
        found = (await w.get(PODS, headers={"accept": PARTIAL})).obj
        assert found["kind"] == "PartialObjectMetadataList"
        assert set(found["items"][0]) == {"kind", "apiVersion", "metadata"}

    story(scenario)


def test_a_watch_speaks_tables_too():
    async def scenario(w: World) -> None:
        await w.account()
        await w.pod("a")
        request = Request("GET", PODS, {"watch": "true"}, {"accept": TABLE}, user=ADMIN)
        response = await w.server.handle(request)
        chunk = b""
        async for part in response.body:
            chunk += part
            if b"\n" in chunk:
                break
        event = orjson.loads(chunk.splitlines()[0])
        assert event["type"] == "ADDED"
        assert event["object"]["kind"] == "Table" and event["object"]["rows"][0]["cells"][0] == "a"

    story(scenario)
