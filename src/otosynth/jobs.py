"""How a job of the workflow ends and what it logs."""

import errno
import logging
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from otosynth.errors import InputError
from otosynth.files import disk_is_full


@contextmanager
def job(log: str) -> Iterator[logging.Logger]:
    """Run a job: messages go to its log file and to the terminal.

    An ``InputError`` is printed as one message without a traceback, and the process exits with
    status 1. Any other error is a fault of ours: its traceback goes to the log as well.
    """
    path = Path(log)
    path.parent.mkdir(parents=True, exist_ok=True)
    logging.basicConfig(
        level=logging.INFO,
        format="%(asctime)s %(message)s",
        datefmt="%H:%M:%S",
        handlers=[logging.FileHandler(path, mode="w", encoding="utf-8"), logging.StreamHandler()],
        force=True,
    )
    logger = logging.getLogger("otosynth")
    try:
        yield logger
    except InputError as error:
        logger.error("ERROR: %s", error)
        sys.exit(1)
    except Exception as error:
        # Libraries that write by themselves (figures, TensorBoard) meet a full disk here.
        if isinstance(error, OSError) and error.errno == errno.ENOSPC:
            logger.error("ERROR: %s", disk_is_full(error.filename or "a file"))
            sys.exit(1)
        logger.exception("A fault in otosynth, not in your data; please report it with this log.")
        raise
