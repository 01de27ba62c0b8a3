"""The command `otosynth`."""

import argparse
import os
import sys

from otosynth.audit.commands import add_audit_commands
from otosynth.errors import InputError


def command_line() -> argparse.ArgumentParser:
    """Return the parser of the command line, with all commands."""
    parser = argparse.ArgumentParser(prog="otosynth", description=__doc__)
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
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
    return 1
