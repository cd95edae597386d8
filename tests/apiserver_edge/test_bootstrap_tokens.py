"""Bootstrap tokens as credentials (kubernetes.io/docs, "Authenticating with Bootstrap Tokens")."""

from __future__ import annotations

import base64
from typing import Any

import pytest

from homeostat.api.certificates import bootstrap_tokens
from homeostat.kit import clock
from tests.support.api_edge import World, story
from tests.support.certificates import CSRS, node_csr

TOKEN = "abcdef.0123456789abcdef"
SECRETS = "/api/v1/namespaces/kube-system/secrets"
Obj = dict[str, Any]


def _secret(**changes: str | None) -> Obj:
    made = bootstrap_tokens.secret_of(TOKEN, expires=None)
    for field, value in changes.items():
        name = field.replace("_", "-")
        if value is None:
            del made["data"][name]
        else:
            made["data"][name] = base64.b64encode(value.encode()).decode()
    return made


async def _who(w: World, token: str = TOKEN) -> tuple[int, Obj]:
    headers = {"authorization": f"Bearer {token}"}
    reply = await w.post("/apis/authentication.k8s.io/v1/selfsubjectreviews", {}, user=None, headers=headers)
    return reply.status, (reply.obj.get("status") or {}).get("userInfo", {}) if reply.status == 201 else {}


def test_a_token_speaks_for_a_machine_that_wants_to_join() -> None:
    async def scenario(w: World) -> None:
        assert (await _who(w))[0] == 401
        await w.make(SECRETS, _secret())
        status, me = await _who(w)
        assert status == 201
        assert me["username"] == "system:bootstrap:abcdef"
        assert me["groups"] == ["system:bootstrappers", bootstrap_tokens.JOIN_GROUP, "system:authenticated"]
        # It may ask for a certificate, and that is all.
        headers = {"authorization": f"Bearer {TOKEN}"}
        assert (await w.post(CSRS, node_csr("w9"), user=None, headers=headers)).status == 201
        assert (await w.get("/api/v1/nodes", user=None, headers=headers)).status == 403
        assert (await w.get(SECRETS, user=None, headers=headers)).status == 403

    story(scenario)


def test_a_deleted_token_ends_at_once() -> None:
    async def scenario(w: World) -> None:
        await w.make(SECRETS, _secret())
        assert (await _who(w))[0] == 201
        await w.call("DELETE", f"{SECRETS}/bootstrap-token-abcdef")
        assert (await _who(w))[0] == 401

    story(scenario)


def test_a_token_ends_when_its_time_has_come() -> None:
    async def scenario(w: World) -> None:
        await w.make(SECRETS, bootstrap_tokens.secret_of(TOKEN, expires=clock.wall() + 60))
        assert (await _who(w))[0] == 201
        await clock.sleep(61)
        assert (await _who(w))[0] == 401

    story(scenario)


@pytest.mark.parametrize(
    "changes",
    [
        {"usage_bootstrap_authentication": "false"},
        {"usage_bootstrap_authentication": None},
        {"token_secret": "fedcba9876543210"},
        {"token_id": "zzzzzz"},
        {"expiration": "not a time"},
        {"auth_extra_groups": "system:masters"},
        {"auth_extra_groups": "system:bootstrappers:"},
    ],
)
def test_a_token_with_a_fault_is_none(changes: dict[str, str | None]) -> None:
    async def scenario(w: World) -> None:
        await w.make(SECRETS, _secret(**changes))
        assert (await _who(w))[0] == 401

    story(scenario)


def test_a_secret_of_another_type_is_no_token() -> None:
    async def scenario(w: World) -> None:
        await w.make(SECRETS, _secret() | {"type": "Opaque"})
        assert (await _who(w))[0] == 401

    story(scenario)


def test_a_wrong_secret_is_refused() -> None:
    async def scenario(w: World) -> None:
        await w.make(SECRETS, _secret())
        for wrong in ("abcdef.0123456789abcdee", "abcdef", "ABCDEF.0123456789abcdef", f"{TOKEN}x"):
            assert (await _who(w, wrong))[0] == 401, wrong

    story(scenario)


@pytest.mark.parametrize("text", ["abcdef", "abcdef.0123", "abcde.0123456789abcdef", "ABCDEF.0123456789abcdef", ""])
def test_what_has_not_the_form_of_a_token(text: str) -> None:
    assert bootstrap_tokens.parse(text) is None
    with pytest.raises(ValueError, match="form of a bootstrap token"):
        bootstrap_tokens.secret_of(text, expires=None)


def test_the_token_s_secret_can_be_read_back() -> None:
    secret = bootstrap_tokens.secret_of(TOKEN, expires=1_800_000_000.0, description="for a rack")
    data = bootstrap_tokens.data_of(secret)
    assert (data["token-id"], data["token-secret"], data["description"]) == ("abcdef", "0123456789abcdef", "for a rack")
    assert bootstrap_tokens.expires_at(secret) == 1_800_000_000.0
    assert bootstrap_tokens.expires_at(bootstrap_tokens.secret_of(TOKEN, expires=None)) is None
    assert bootstrap_tokens.data_of({"data": {"x": "%%%", "y": base64.b64encode(b"\xff").decode()}}) == {}
