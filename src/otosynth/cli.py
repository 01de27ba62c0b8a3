"""Micro-CT and tissue classes of the inner ear, predicted from clinical CT."""

import argparse
import os
import signal
import sys

from otosynth.audit.commands import add_audit
from otosynth.commands.check import add_check
from otosynth.commands.export import add_export
from otosynth.commands.monitor import add_monitor
from otosynth.commands.phantom import add_phantom
from otosynth.commands.predict import add_predict
from otosynth.commands.view import add_view
from otosynth.errors import InputError
from otosynth.terminal import let_terminals_show_all

# What the process ends with, and what that means.
EXIT_STATUSES = {
    0: "done; `predict` and `check` may have warned",
    1: "bad input, or something that is refused or does not match: one message begins with "
    "ERROR, or what does not match is listed",
    2: "wrong use of the command line; the usage is printed",
    128 + signal.SIGINT: "stopped by Ctrl-C; `view` and `monitor`, which are meant to end "
    "so, give 0",
}
EPILOG = """
The study itself is a Snakemake workflow: `make study` runs the default one.

from nothing:      otosynth phantom --out trial; otosynth predict trial/ct.nii.gz
from own pairs:    otosynth check config/mylab.yaml
                   snakemake --cores 2 --configfile config/mylab.yaml
while it runs:     otosynth monitor
from own CTs:      otosynth export mylab/multi_task --out mylab.safetensors
                   otosynth predict ear.nii.gz --model mylab.safetensors
side by side:      otosynth view --results results/mylab
where from:        otosynth audit trace table3 P2 Multi-task

`otosynth COMMAND --help` tells more, with examples; docs/commands.md has all of it on one page.

exit status:
""" + "\n".join(f"  {status:3}  {meaning}" for status, meaning in EXIT_STATUSES.items())


def command_line() -> argparse.ArgumentParser:
    """Return the parser of the command line, with all commands."""
    parser = argparse.ArgumentParser(
        prog="otosynth",
        description=__doc__,
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    add_phantom(commands)
    add_check(commands)
    add_predict(commands)
    add_export(commands)
    add_view(commands)
    add_monitor(commands)
    add_audit(commands)
    return parser


def main(arguments: list[str] | None = None) -> int:
    """Run the command line; returns the exit status."""
    let_terminals_show_all()
    options = command_line().parse_args(arguments)
    try:
        return int(options.run(options))
    except InputError as error:
        print(f"ERROR: {error}", file=sys.stderr)
    except BrokenPipeError:
        # The reader (`head`) has seen enough; nothing more may be written at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    except OSError as error:
        print(f"ERROR: {error.filename or 'a file'}: {error.strerror}.", file=sys.stderr)
    except KeyboardInterrupt:
        print("Stopped.", file=sys.stderr)
        return 128 + signal.SIGINT
    return 1
