"""How a training is stopped from outside without losing its work."""

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

STOP_SIGNALS = (signal.SIGTERM, signal.SIGINT)
# Ignored by every process without a handler, so a cluster can send it to a whole job as an early
# warning (docs/cluster.md); USR1 or TERM would end the workflow's own processes at once.
SAVE_SIGNAL = signal.SIGURG


class Requests:
    """What signals have asked of a training since it was last looked at.

    Attributes
    ----------
    stop
        Number of the signal that asks to stop; 0 if none did.
    save
        Whether the state should be saved soon.
    """

    def __init__(self) -> None:
        self.stop = 0
        self.save = False

    def note(self, number: int, frame: FrameType | None) -> None:
        """Note a signal; the training looks at it after its current step."""
        if number == SAVE_SIGNAL:
            self.save = True
        else:
            self.stop = number


@contextmanager
def requests_by_signal() -> Iterator[Requests]:
    """Turn SIGTERM, SIGINT and SIGURG into requests, in the main thread."""
    requests = Requests()
    before = {
        number: signal.signal(number, requests.note) for number in (*STOP_SIGNALS, SAVE_SIGNAL)
    }
    try:
        yield requests
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
