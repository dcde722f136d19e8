"""``edgesr booth``."""

from __future__ import annotations

import json
import signal
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from edgesr.cli import early, output, progress
from edgesr.cli.computing import threads_option
from edgesr.cli.path import PATH
from edgesr.process import extras
from edgesr.release import DEFAULT_CHECKPOINT

if TYPE_CHECKING:
    from edgesr.booth.server import FolderServer

PORT = 8765
"""Tried first, so that the browser finds its galleries again: it keeps them by address."""


@click.command("booth")
@click.option("--checkpoint", "-c", default=DEFAULT_CHECKPOINT, show_default=True, help="A shipped name or a folder.")
@click.option("--bundle", type=PATH, help="A bundle of edgesr convert --target web instead.")
@click.option(
    "--port",
    type=click.IntRange(0, 65535),
    help=f"0 takes any free one. Default: {PORT}, or a free one if it is taken.",
)
@click.option("--no-browser", is_flag=True, help="Only print the address.")
@threads_option
@output.json_option
def command(checkpoint: str, bundle: Path | None, port: int | None, no_browser: bool, as_json: bool) -> None:
    """Open the photo booth: a page that finds and restores faces in the browser, with a gallery of yours.

    \b
    edgesr booth
    edgesr booth --checkpoint runs/mine --no-browser --port 8000
    edgesr booth --bundle hime-small-x4-photo-lr32-s5-web-int8

    It is served to this machine alone, and no photo leaves the page. A checkpoint is converted first, and kept in
    the user's cache. The browser keeps galleries by the page's address, so another port is another booth. Ctrl-C ends.
    """
    if bundle is None:
        early.checkpoint(checkpoint)
    else:
        early.bundle(bundle)
    with opened(bundle, checkpoint) as (folder, files), serving(files, port) as server:
        if as_json:
            output.write_json({"ok": True, "address": server.address, "bundle": str(folder)})
        else:
            output.write(server.address)
        output.say("serving to this machine alone; Ctrl-C ends")
        if not no_browser:
            show(server.address)
        server.prepare_in_background()
        server.serve_forever()


@contextmanager
def opened(bundle: Path | None, checkpoint: str) -> Iterator[tuple[Path, dict[str, Path]]]:
    """The folder of a given bundle or a checkpoint's, and the files that a browser is given of it by their names."""
    from edgesr.booth.served import BOOTH, served_files
    from edgesr.booth.server import listed

    if bundle is None:
        folder = cached_booth(checkpoint)
        yield folder, served_files(folder, listed(folder))
        return
    with tempfile.TemporaryDirectory(prefix="edgesr-booth-") as scratch:
        # What its booth.json says of the page is of the page that it came with; ours is the installed one.
        booth = Path(scratch) / BOOTH
        names, described = open_booth(bundle)
        booth.write_text(json.dumps(described, indent=2) + "\n", encoding="utf-8")
        yield bundle, served_files(bundle, names, booth)


@contextmanager
def serving(files: Mapping[str, Path], port: int | None) -> Iterator[FolderServer]:
    """A server for files by their names; Ctrl-C and SIGTERM, by which a booth is meant to end, are no errors."""
    from edgesr.booth.server import FolderServer
    from edgesr.errors import InputOutputError

    try:
        server = FolderServer(files, PORT if port is None else port)
    except InputOutputError:
        if port is not None:
            raise
        server = FolderServer(files, 0)
        output.say(f"port {PORT} is taken: a browser shows none of the galleries that were made there")

    def stop(*_: object) -> None:
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGTERM, stop)
    try:
        yield server
    except KeyboardInterrupt:
        output.say("the booth is closed")
    finally:
        signal.signal(signal.SIGTERM, before)
        server.server_close()


def show(address: str) -> None:
    """Open the user's browser; that there is none is no error, since the address was printed."""
    import webbrowser

    if not webbrowser.open(address):
        output.say("no browser found: open the address yourself")


def open_booth(bundle: Path) -> tuple[list[str], dict[str, Any]]:
    """Names of a web bundle's files, after checking every file's hash, and what ``booth.json`` must say of them.

    Raises:
        BundleError: it is damaged, or no web bundle.
        UnavailableError: the page is not built.
    """
    from edgesr.bundle import open_bundle
    from edgesr.convert.web.folder import describe
    from edgesr.convert.web.verification import default_of
    from edgesr.errors import BundleError

    checked = open_bundle(bundle)
    target = checked.manifest["target"]
    if target != "web":
        raise BundleError(f"{bundle} is a bundle for {target}", "edgesr convert --target web makes one for the booth")
    try:
        described = describe(bundle, default_of(checked))
    except OSError as error:
        raise BundleError(f"{bundle} lacks {error.filename}", "convert again") from error
    return list(checked.manifest["sha256"]), described


def cached_booth(checkpoint: str) -> Path:
    """The checkpoint as a web bundle in the user's cache; converted where it is not there yet."""
    from edgesr.booth.cache import cache_folder

    folder = cache_folder(checkpoint)
    if (folder / "booth.json").is_file():  # folders get their names when they are complete
        return folder
    from edgesr.files.claims import claimed

    with progress.stages("booth") as report, claimed(folder, wait=True):
        if (folder / "booth.json").is_file():  # another booth was at it
            return folder
        if not extras.has_torch():
            from edgesr.convert.web.shipped import write_booth

            write_booth(folder, checkpoint, report)
            return folder
        from edgesr.convert.pipeline import convert, plan

        report("converting the network, once")
        chosen = plan("web", checkpoint=checkpoint, output=folder)
        manifest = convert(chosen, force=True, report=report)
    for note in (*chosen.notes, *manifest["notes"]):
        output.say(f"note: {note}")
    return folder
