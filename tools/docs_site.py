"""Hooks of ``mkdocs build``: pages that lie elsewhere in the repository, and links that lead out of ``docs/``."""

from __future__ import annotations

import os
import posixpath
import re
from pathlib import Path
from typing import Any

from mkdocs.structure.files import File, Files

ROOT = Path(__file__).parent.parent
ELSEWHERE = {
    "CONTRIBUTING.md": "project/contributing.md",
    "CHANGELOG.md": "project/changes.md",
    "web_demo/README.md": "project/web-booth.md",
    "android_demo/README.md": "project/android-booth.md",
    **{
        f"edgesr/checkpoints/{folder.name}/README.md": f"networks/{folder.name}.md"
        for folder in sorted((ROOT / "edgesr" / "checkpoints").iterdir())
        if (folder / "README.md").is_file()
    },
}
"""Pages of the site by their path in the repository, where they do not lie in ``docs/``."""
REPORT_PAGE = "page.html"
"""As a report's HTML file is called in the site, where its Markdown becomes ``report.html``."""
PICTURES = (".png", ".jpg", ".svg", ".webp")

LINK = re.compile(r"(!?)\[((?:[^\[\]]|\[[^\[\]]*\])*)\]\(([^()\s]+)\)")
FENCED = re.compile(r"(^ *```.*?^ *```$)", re.MULTILINE | re.DOTALL)


def on_files(files: Files, config: Any) -> Files:
    """Add the pages that lie elsewhere, and the pictures that they show."""
    for path, page in ELSEWHERE.items():
        files.append(File.generated(config, page, abs_src_path=str(ROOT / path)))
        for picture, _, place in LINK.findall((ROOT / path).read_text()):
            found = _in_repository(path, place)
            if picture and found and found not in ELSEWHERE and not found.startswith("docs/"):
                files.append(File.generated(config, _of_site(found) or found, abs_src_path=str(ROOT / found)))
    for page in sorted((ROOT / "docs" / "reports").glob("*/report.html")):
        place = f"reports/{page.parent.name}/{REPORT_PAGE}"
        files.append(File.generated(config, place, abs_src_path=str(page)))
    return files


def on_page_markdown(markdown: str, page: Any, files: Files, **_: Any) -> str:
    """Links between files of the repository become links between pages; to what is no page, its path in words."""
    here = page.file.src_uri
    path = next((path for path, place in ELSEWHERE.items() if place == here), f"docs/{here}")

    def linked(match: re.Match[str]) -> str:
        picture, text, place = match.groups()
        found = _in_repository(path, place)
        if found is None:
            return match[0]
        target = _of_site(found)
        anchor = "" if found == "README.md" else place.partition("#")[2]  # the site's first page has other headings
        file = files.get_file_from_path(target) if target is not None else None
        if target is not None and file is not None and file.inclusion.is_included():
            relative = posixpath.relpath(target, posixpath.dirname(here) or ".")
            return f"{picture}[{text}]({relative}{'#' if anchor else ''}{anchor})"
        return f"{text} (`{found}`)"

    parts = FENCED.split(markdown)
    return "".join(part if i % 2 else LINK.sub(linked, part) for i, part in enumerate(parts))


def _in_repository(path: str, place: str) -> str | None:
    """The file or folder of the repository that a link on the page ``path`` leads to; None where it leads elsewhere."""
    name = place.partition("#")[0]
    if not name or ":" in name:
        return None
    found = posixpath.normpath(posixpath.join(posixpath.dirname(path), name))
    return found if os.path.lexists(ROOT / found) else None


def _of_site(found: str) -> str | None:
    """The page or picture of the site that a file of the repository becomes."""
    if found in ELSEWHERE:
        return ELSEWHERE[found]
    if found.startswith("docs/reports/") and found.endswith("/report.html"):
        return f"{posixpath.dirname(found.removeprefix('docs/'))}/{REPORT_PAGE}"
    if found.startswith("docs/"):
        return found.removeprefix("docs/")
    if found == "README.md":
        return "index.md"
    return f"pictures/{found.replace('/', '-')}" if found.endswith(PICTURES) else None
