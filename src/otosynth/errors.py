"""What ends a job that is no fault of the code: bad input, or a signal."""

import signal


class InputError(Exception):
    """Bad input or configuration. The message says what is wrong, where, and what to do.

    Scripts print it without a traceback and exit with a non-zero status, so a message is one
    or a few plain sentences for the person who runs the study.
    """


class Stopped(Exception):  # noqa: N818 - being stopped is no error
    """A signal ended a training between two steps; its state is saved."""

    def __init__(self, signal_number: int) -> None:
        self.signal_number = signal_number
        name = signal.Signals(signal_number).name
        super().__init__(f"Stopped by {name}; the state is saved. The same command continues it.")
