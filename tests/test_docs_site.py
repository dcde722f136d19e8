"""The documentation builds as a site without a warning and without a network, and its pages fetch nothing."""

from __future__ import annotations

import html.parser
import importlib.util
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

import edgesr

ROOT = Path(__file__).parent.parent
NOWHERE = "http://127.0.0.1:9"
"""A proxy that nobody listens at: whatever is fetched through it fails."""
FETCHING = {"script": "src", "img": "src", "iframe": "src", "source": "src", "link": "href"}


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The built site."""
    if importlib.util.find_spec("mkdocs") is None and not os.environ.get("CI"):
        pytest.skip("no mkdocs: pip install 'edgesr[docs]'")
    folder = tmp_path_factory.mktemp("site")
    proxies = dict.fromkeys(("http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY", "all_proxy"), NOWHERE)
    built = subprocess.run(
        [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", str(folder)],
        cwd=ROOT,
        env=os.environ | proxies | {"no_proxy": "", "NO_MKDOCS_2_WARNING": "1", "NO_COLOR": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert built.returncode == 0, built.stderr
    assert "WARNING" not in built.stderr
    return folder


class Fetched(html.parser.HTMLParser):
    """What a browser fetches for a page."""

    def __init__(self, page: Path) -> None:
        super().__init__()
        self.places: list[str] = []
        self.feed(page.read_text())

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        given = dict(attributes)
        place = given.get(FETCHING.get(tag, ""))
        if place and not (tag == "link" and given.get("rel") in ("canonical", "prev", "next")):
            self.places.append(place)


def test_pages_fetch_what_lies_beside_them_alone(site: Path) -> None:
    pages = list(site.rglob("*.html"))
    assert len(pages) > 30
    ours = [page for page in pages if page.name != "404.html"]  # a host serves that one from any address
    for page in ours:
        for place in Fetched(page).places:
            assert not re.match(r"(https?:)?//", place), f"{page.relative_to(site)} fetches {place}"
            file = (page.parent / place.split("?")[0].split("#")[0]).resolve()
            assert place.startswith("data:") or file.is_file(), f"{page.relative_to(site)} misses {place}"
    for style in site.rglob("*.css"):
        assert not re.search(r"url\([\"']?https?:|@import", style.read_text())


def test_the_library_page_has_every_name(site: Path) -> None:
    text = (site / "library.html").read_text()
    missing = [name for name in edgesr.__all__ if not name.startswith("__") and f'id="edgesr.{name}"' not in text]
    assert set(missing) <= {"EdgesrError", "DEFAULT_CHECKPOINT"}
    assert 'id="edgesr.errors.EdgesrError"' in text


def test_what_lies_elsewhere_in_the_repository_is_in_the_site(site: Path) -> None:
    assert "Rules that reviews ask for" in (site / "project" / "contributing.html").read_text()
    card = (site / "networks" / f"{edgesr.DEFAULT_CHECKPOINT}.html").read_text()
    assert "evaluation.html" in card, "a link out of docs/ became one between pages"
