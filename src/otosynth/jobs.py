"""How a job of the workflow ends and what it logs."""

import errno
import logging
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TypeGuard

from otosynth.errors import InputError
from otosynth.files import disk_is_full


@contextmanager
def job(log: str) -> Iterator[logging.Logger]:
    """Run a job: messages go to its log file and to the terminal.

    An ``InputError`` is printed as one message without a traceback, and the process exits with
    status 1; so is a full disk. Any other error is a fault of ours: its traceback goes to the log
    as well.
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
        # Whatever it is, it is logged and raised again. Only a full disk that a library met in its
        # own writing (figures, TensorBoard) is no fault of ours.
        if _is_full_disk(error):
            logger.error("ERROR: %s", disk_is_full(error.filename or "a file"))
            sys.exit(1)
        logger.exception("A fault in otosynth, not in your data; please report it with this log.")
        raise


def _is_full_disk(error: Exception) -> TypeGuard[OSError]:
    return isinstance(error, OSError) and error.errno == errno.ENOSPC
