"""Micro-CT and tissue classes of the inner ear, predicted from clinical CT."""

import argparse
import os
import signal
import sys

from otosynth.audit.commands import add_audit_commands
from otosynth.commands.check import add_check
from otosynth.commands.export import add_export
from otosynth.commands.phantom import add_phantom
from otosynth.commands.predict import add_predict
from otosynth.commands.view import add_view
from otosynth.errors import InputError

EPILOG = """
The study itself is a Snakemake workflow: `make study` runs the default one.

from nothing:      otosynth phantom --out trial; otosynth predict trial/ct.nii.gz
from own pairs:    otosynth check config/mylab.yaml
                   snakemake --cores 2 --configfile config/mylab.yaml
from own CTs:      otosynth export mylab/multi_task --out mylab.safetensors
                   otosynth predict ear.nii.gz --model mylab.safetensors
side by side:      otosynth view --results results/mylab
where from:        otosynth audit trace table3 P2 Multi-task

`otosynth COMMAND --help` tells more. Exit status: 0 done; 1 bad input or something does not match;
2 wrong use of the command line; 130 stopped by Ctrl-C. docs/cli.md has all of it.
"""


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
    audit = commands.add_parser("audit", help="ask a study's records where its numbers come from")
    add_audit_commands(audit)
    return parser


def main(arguments: list[str] | None = None) -> int:
    """Run the command line; returns the exit status."""
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
