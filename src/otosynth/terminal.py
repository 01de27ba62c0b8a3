"""What a terminal is told."""

import io
import sys


def let_terminals_show_all() -> None:
    """Write characters that the terminal has not got as their numbers, instead of failing.

    A terminal that knows ASCII alone, or a log of a batch system, has no letter of many names, and
    none has one for a file's name whose bytes are no text.
    """
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")
