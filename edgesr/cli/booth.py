"""``edgesr booth``."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import click

from edgesr import DEFAULT_CHECKPOINT
from edgesr.cli import early, output, progress
from edgesr.cli.computing import threads_option

if TYPE_CHECKING:
    from edgesr.booth.server import FolderServer

PORT = 8765
"""Tried first, so that the browser finds its galleries again: it keeps them by address."""


@click.command("booth")
@click.option("--checkpoint", "-c", default=DEFAULT_CHECKPOINT, show_default=True, help="A shipped name or a folder.")
@click.option("--bundle", type=click.Path(path_type=Path), help="A bundle of edgesr convert --target web instead.")
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
    edgesr booth --bundle hime-small-x4-lr32-s3-web-int8

    It is served to this machine alone, and no photo leaves the page. A checkpoint is converted first, and kept in
    the user's cache. The browser keeps galleries by the page's address, so another port is another booth. Ctrl-C ends.
    """
    if bundle is None:
        early.checkpoint(checkpoint)
    folder = open_booth(bundle) if bundle else cached_booth(checkpoint)
    with serving(folder, port) as server:
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
def serving(folder: Path, port: int | None) -> Iterator[FolderServer]:
    """A server for a folder; Ctrl-C and SIGTERM, by which a booth is meant to end, end the block without an error."""
    from edgesr.booth.server import FolderServer, listed
    from edgesr.errors import InputOutputError

    files = listed(folder)
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


def open_booth(bundle: Path) -> Path:
    """A web bundle's folder, after checking every file's hash.

    Raises:
        BundleError: it is damaged, or no web bundle.
    """
    from edgesr.bundle import open_bundle
    from edgesr.errors import BundleError

    target = open_bundle(bundle).manifest["target"]
    if target != "web":
        raise BundleError(f"{bundle} is a bundle for {target}", "edgesr convert --target web makes one for the booth")
    return bundle


def cached_booth(checkpoint: str) -> Path:
    """The checkpoint as a web bundle in the user's cache; converted where it is not there yet."""
    from edgesr.booth.cache import cache_folder

    folder = cache_folder(checkpoint)
    if (folder / "booth.json").is_file():  # folders get their names when they are complete
        return folder
    from edgesr.claims import claimed
    from edgesr.convert.pipeline import convert, plan

    with progress.stages("booth") as report, claimed(folder, wait=True):
        if (folder / "booth.json").is_file():  # another booth was at it
            return folder
        report("converting the network, once")
        chosen = plan("web", checkpoint=checkpoint, output=folder)
        manifest = convert(chosen, force=True, report=report)
    for note in (*chosen.notes, *manifest["notes"]):
        output.say(f"note: {note}")
    return folder
