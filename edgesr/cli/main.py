"""``edgesr``: finds the command, runs it, and turns whatever goes wrong into a message and an exit code."""

from __future__ import annotations

import copy
import errno
import functools
import importlib
import os
import sys
from typing import Any

import click

from edgesr.cli import output
from edgesr.errors import EXIT_INTERRUPTED, EXIT_IO, EXIT_OK, EXIT_SIGNAL, EXIT_UNAVAILABLE, EXIT_USAGE, EdgesrError
from edgesr.process import extras
from edgesr.process.quiet import quiet
from edgesr.process.termination import Terminated, heed_termination
from edgesr.release import __version__

EXIT_INTERNAL = 70

COMMANDS = {
    "convert": "Convert a checkpoint for a phone, prove it equal to PyTorch, and bundle it.",
    "verify": "Repeat a bundle's parity gate on this machine, hashes first.",
    "restore": "Restore aligned tiny faces with a person's photos.",
    "edit": "Restore a tiny face with other photos' features; the output says that it is edited.",
    "enhance": "Find the tiny faces in whole photos or a clip, restore them, and paste them back.",
    "gallery": "Build a gallery of a person's photos; add, remove, list, inspect, wipe.",
    "data": "Make the folders that train and eval read, from photos or CelebAMask-HQ.",
    "train": "Train a network on a folder of people.",
    "ablate": "Train an ablation's rows for equal minutes, beside the paper's table.",
    "quantize": "Make an int8 network of a float one: calibrate on faces, train, measure the loss.",
    "eval": "PSNR, SSIM, identity: bicubic, 0, 1, 3, 5 exemplars, the wrong person's; with intervals.",
    "report": "What each precision loses on each target, in one HTML file: faces, layers, size, speed.",
    "bench": "Milliseconds of bundles, as ratios measured in one run, and memory.",
    "booth": "Open the photo booth in the browser: everything happens in the page.",
    "info": "Parameters, GMACs, configuration and offsets of a checkpoint.",
    "targets": "What can be converted to, what runs here, and what is missing.",
    "setup": "Make the TFLite environment.",
    "doctor": "Check this installation and say what to mend.",
    "demo": "Convert for every phone target, restore a sample face with each, and draw it.",
}


class LazyGroup(click.Group):
    """Imports a command's module only when that command is called, so that --help is instant."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, name: str) -> click.Command | None:  # noqa: ARG002
        if name not in COMMANDS:
            return None
        command: click.Command = importlib.import_module(f"edgesr.cli.{name}").command
        return guarded(command)

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        if args and args[0] not in COMMANDS and not args[0].startswith("-"):
            raise click.UsageError(f"unknown command {args[0]!r}; there are: {', '.join(COMMANDS)}")
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002
        with formatter.section("Commands"):
            formatter.write_dl(list(COMMANDS.items()))


def guarded(command: click.Command) -> click.Command:
    """A copy of a command (and of the commands below it) that leaves stdout to ``output.write``."""
    command = copy.copy(command)
    if isinstance(command, click.Group):
        command.commands = {name: guarded(below) for name, below in command.commands.items()}
    elif callback := command.callback:

        @functools.wraps(callback)
        def call(*args: Any, **kwargs: Any) -> Any:
            with output.only_data_on_stdout():
                return callback(*args, **kwargs)

        command.callback = call
    return command


@click.group(cls=LazyGroup, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(__version__, "-V", "--version", prog_name="edgesr")
def cli() -> None:
    """Restore a tiny face with that person's own features, on the phone.

    \b
    edgesr convert --target coreml           a bundle for Xcode, from the shipped network
    edgesr restore tiny.png --exemplars me-1.jpg me-2.jpg -o sharp.png
    edgesr booth                             a photo booth in the browser
    edgesr demo                              every phone target on a sample face

    Data goes to stdout, everything else to stderr. Exit codes: 0 ok, 1 negative result (a gate failed),
    2 usage, 3 target or tool unavailable, 4 unverified, 5 input/output, 70 a fault of edgesr itself, 130 interrupted,
    143 ended by SIGTERM.
    """


def main() -> None:
    """Entry point of the ``edgesr`` script."""
    output.claim_stdout()
    heed_termination()
    code = run(sys.argv[1:])
    try:
        sys.stdout.flush()
    except OSError:  # Python would try again on its way out and complain
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    sys.exit(code)


def mistake(error: click.UsageError) -> str:
    """A mistake in the call as click tells it, but what is no number with the numbers that there may be."""
    text = error.format_message()
    kind = error.param.type if isinstance(error, click.BadParameter) and error.param is not None else None
    if not isinstance(kind, click.FloatRange | click.IntRange):
        return text
    what = "number" if isinstance(kind, click.FloatRange) else "whole number"
    least = "" if kind.min is None else f"{'above' if kind.min_open else 'from'} {kind.min:g}"
    most = "" if kind.max is None else f"{'below' if kind.max_open else 'to' if least else 'up to'} {kind.max:g}"
    return text.replace(f"is not a valid {kind.name}", f"is no {what} {least} {most}".rstrip().replace("  ", " "))


def run(arguments: list[str]) -> int:
    """Run a command line and return its exit code; every error has been printed."""
    as_json = "--json" in arguments
    try:
        with quiet():  # what libraries warn of is about their callers, not about anything that the user did
            cli.main(arguments, prog_name="edgesr", standalone_mode=False)
        return EXIT_OK
    except click.exceptions.NoArgsIsHelpError as error:
        output.say(error.ctx.get_help() if error.ctx else error.format_message())
        return EXIT_USAGE
    except click.exceptions.Exit as stop:
        return stop.exit_code
    except output.NegativeResult as negative:
        return negative.exit_code
    except EdgesrError as error:
        return output.fail(error.what, error.hint, error.exit_code, as_json)
    except click.UsageError as error:
        hint = f"see: {error.ctx.command_path} --help" if error.ctx else "see: edgesr --help"
        return output.fail(mistake(error), hint, EXIT_USAGE, as_json)
    except click.ClickException as error:
        return output.fail(error.format_message(), "", EXIT_IO, as_json)
    except (KeyboardInterrupt, click.Abort) as error:
        by = error if isinstance(error, Terminated) else error.__cause__  # click makes its own of it
        said = f"ended by {by}" if isinstance(by, Terminated) else "interrupted"
        code = EXIT_SIGNAL + by.number if isinstance(by, Terminated) else EXIT_INTERRUPTED
        hint = getattr(by or error, "hint", "") or "the same command again; nothing half-written was left behind"
        return output.fail(said, hint, code, as_json)
    except OSError as error:
        hint = "free some space" if error.errno == errno.ENOSPC else "check the path and its permissions"
        where = f" ({error.filename})" if error.filename else ""
        return output.fail(f"{error.strerror or error}{where}", hint, EXIT_IO, as_json)
    except MemoryError:
        return output.fail("not enough memory", "close other programs, or give less at once", EXIT_IO, as_json)
    except UnicodeEncodeError as error:
        if not any("\ud800" <= c <= "\udfff" for c in str(error.object)):
            raise
        what = f"{error.object!r} cannot be used as a name here: it is no UTF-8"
        return output.fail(what, "rename it", EXIT_IO, as_json)
    except Exception as error:
        if os.environ.get("EDGESR_TRACEBACK"):
            raise
        if isinstance(error, ModuleNotFoundError) and (needed := extras.missing_package(error, arguments)):
            return output.fail(*needed, EXIT_UNAVAILABLE, as_json)
        what = f"internal error: {type(error).__name__}: {error}"
        return output.fail(what, "EDGESR_TRACEBACK=1 shows where; please report it", EXIT_INTERNAL, as_json)
