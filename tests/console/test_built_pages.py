"""The built pages: assets for ever, the page for every other path, and never a file from elsewhere."""

from __future__ import annotations

import gzip
from pathlib import Path

import pytest

from homeostat.console.edge.pages import Pages
from homeostat.wire.message import Request, Response


@pytest.fixture
def pages(tmp_path: Path) -> Pages:
    folder = tmp_path / "static"
    (folder / "assets").mkdir(parents=True)
    (folder / "index.html").write_text("<!doctype html>the page")
    (folder / "assets" / "app-1234.js").write_text("let a;" * 1000)
    (folder / "icon.svg").write_text("<svg/>")
    (folder / ".hidden").write_text("hidden")
    (tmp_path / "outside.txt").write_text("outside")
    (folder / "link.txt").symlink_to(tmp_path / "outside.txt")
    return Pages(folder)


def get(pages: Pages, path: str, method: str = "GET", **headers: str) -> Response:
    return pages.answer(Request(method, path, {}, {name.replace("_", "-"): value for name, value in headers.items()}))


def test_assets_are_kept_for_ever_and_small_on_the_way(pages: Pages) -> None:
    plain = get(pages, "/assets/app-1234.js")
    assert plain.headers["cache-control"] == "public, max-age=31536000, immutable"
    assert plain.headers["content-type"].startswith("text/javascript")
    packed = get(pages, "/assets/app-1234.js", accept_encoding="gzip, br")
    assert packed.headers["content-encoding"] == "gzip" and gzip.decompress(packed.body) == plain.body  # type: ignore[arg-type]
    assert len(packed.body) < 200  # type: ignore[arg-type]
    assert get(pages, "/assets/app-1234.js", if_none_match=plain.headers["etag"]).status == 304
    assert get(pages, "/assets/app-9999.js").status == 404


@pytest.mark.parametrize("path", ["/", "/workloads/pods", "/nodes/master-1", "/k8sx", "/index.html"])
def test_every_other_path_is_the_page(pages: Pages, path: str) -> None:
    found = get(pages, path)
    assert (found.status, found.body) == (200, b"<!doctype html>the page")
    assert found.headers["cache-control"] == "no-cache"
    assert get(pages, path, "POST").status == 405


@pytest.mark.parametrize(
    "path",
    [
        "/../outside.txt",
        "/assets/../../outside.txt",
        "/assets/..%2f..%2foutside.txt",
        "//etc/passwd",
        "/.hidden",
        "/link.txt",
        "/assets/..\\..\\outside.txt",
        "/icon.svg\0.js",
        "/" + "a/" * 3000,
        "/" + "a" * 5000,
    ],
)
def test_no_path_leads_outside(pages: Pages, path: str) -> None:
    found = get(pages, path)
    assert b"outside" not in found.body and b"root:" not in found.body and b"hidden" not in found.body  # type: ignore[operator]


def test_pages_that_are_not_built_are_named(tmp_path: Path) -> None:
    found = get(Pages(tmp_path / "nothing"), "/")
    assert found.status == 503 and b"not built" in found.body  # type: ignore[operator]


def test_a_new_build_is_served_at_once(pages: Pages, tmp_path: Path) -> None:
    get(pages, "/")
    (tmp_path / "static" / "index.html").write_text("<!doctype html>another page")
    assert get(pages, "/").body == b"<!doctype html>another page"
