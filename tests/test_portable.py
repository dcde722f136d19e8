"""Every module can be imported where Unix's own modules are missing, as on Windows; no more is tested of Windows."""

from __future__ import annotations

import subprocess
import sys

from test_spine import modules

UNIX_ONLY = ("fcntl", "grp", "pty", "pwd", "resource", "syslog", "termios", "tty")
IMPORT_ALL = """
import builtins, importlib, sys

missing, found = sys.argv[1].split(","), builtins.__import__

def find(name, globals=None, locals=None, fromlist=(), level=0):
    # What other packages import, they have for this system.
    if name in missing and (globals or {}).get("__name__", "").startswith("edgesr"):
        raise ModuleNotFoundError(f"No module named {name!r}", name=name)
    return found(name, globals, locals, fromlist, level)

builtins.__import__ = find
for module in sys.argv[2:]:
    try:
        importlib.import_module(module)
    except ImportError as error:
        if error.name in missing or (error.name or "").startswith("edgesr"):
            print(f"{module}: {error}")
"""


def test_every_module_can_be_imported_without_unixs_own() -> None:
    names = [name for name in modules() if not name.endswith("__main__")]
    command = [sys.executable, "-c", IMPORT_ALL, ",".join(UNIX_ONLY), *names]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout, done.stderr[-2000:] if done.returncode else "") == (0, "", "")


def test_the_import_of_such_a_module_would_be_noticed() -> None:
    """The same command on a module of ours that is given one."""
    given = "import sys, types; sys.modules['edgesr.made_up'] = types.ModuleType('edgesr.made_up')\n"
    given += f"exec({IMPORT_ALL!r})\ntry:\n    exec('import fcntl', {{'__name__': 'edgesr.made_up'}})\n"
    given += "except ModuleNotFoundError as error:\n    print(error.name)\n"
    done = subprocess.run(
        [sys.executable, "-c", given, ",".join(UNIX_ONLY)], capture_output=True, text=True, check=True
    )
    assert done.stdout == "fcntl\n"
