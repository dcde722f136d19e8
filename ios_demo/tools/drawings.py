#!/usr/bin/env python3
"""Drawings of the app's screens: the pages that the screen tests wrote, as PNG, by Chromium.

drawings.py [FOLDER]: into ios_demo/drawings, where the README shows them, unless told otherwise.

They show what stands on each screen and in which order, in a browser's fonts: drawings, and no screenshots of iOS.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT.parent))

PAGES = ROOT / ".work" / "drawings"
DRAWINGS = ROOT / "drawings"
DARK = ("consent", "home", "gallery", "result-face", "no-face")
"""Screens that are drawn in the dark too."""
WIDE = ("result-wide",)


def main() -> None:
    from edgesr.booth.chromium import find_chromium, options

    browser = find_chromium()
    pages = sorted(PAGES.glob("*.html"))
    if browser is None or not pages:
        what = "no Chromium" if browser is None else f"no pages in {PAGES}: the screen tests write them"
        print(f"ios: no drawings: {what}", file=sys.stderr)
        sys.exit(3)
    drawings = Path(sys.argv[1]) if len(sys.argv) > 1 else DRAWINGS
    drawings.mkdir(parents=True, exist_ok=True)
    for page in pages:
        if page.stem.startswith("problem-"):
            continue  # all alike: one is among the screens
        for dark in (False, True) if page.stem in DARK else (False,):
            draw(browser, options(), page, dark, drawings)
    print(f"{len(list(drawings.glob('*.png')))} drawings in {drawings}")


def draw(browser: Path, options: list[str], page: Path, dark: bool, drawings: Path) -> None:
    size = "1000,760" if page.stem in WIDE else "390,844"
    output = drawings / f"{page.stem}-{'dark' if dark else 'light'}.png"
    with tempfile.TemporaryDirectory() as profile:
        command = [browser, *options, f"--user-data-dir={profile}", "--hide-scrollbars", f"--window-size={size}"]
        if dark:
            command += ["--force-dark-mode", "--blink-settings=preferredColorScheme=0"]
        done = subprocess.run(
            [*command, f"--screenshot={output}", page.as_uri()],
            capture_output=True,
            text=True,
            check=False,
            timeout=120,
        )
    if not output.is_file():
        sys.exit(f"ios: Chromium drew no {output.name}: {done.stderr[-400:]}")


if __name__ == "__main__":
    main()
