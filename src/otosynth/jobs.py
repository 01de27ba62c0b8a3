"""How a job of the workflow ends and what it logs."""

import errno
import gc
import logging
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Literal, TypeGuard

from otosynth.errors import InputError, Stopped
from otosynth.files import disk_is_full
from otosynth.provenance.records import Recorder
from otosynth.terminal import let_terminals_show_all


@contextmanager
def job(snakemake: Any) -> Iterator[Recorder]:
    """Run a Snakemake job: it logs as ``logged`` says, and leaves a record when all is well.

    Parameters
    ----------
    snakemake
        What Snakemake gives to a script.
    """
    with logged(snakemake.log[0]):
        recorder = Recorder(snakemake)
        yield recorder
        recorder.write()
    # Python looks through all objects once more when it ends, for up to half a second after torch;
    # frozen ones it lets go as they are.
    gc.freeze()


@contextmanager
def logged(log: str, mode: Literal["w", "a"] = "w") -> Iterator[logging.Logger]:
    """Run a job whose messages go to its log file and to the terminal.

    An ``InputError`` is printed as one message without a traceback, and the process exits with
    status 1; so is a full disk. A job that a signal stopped says so and exits with 128 and the
    signal's number, as shells do. Any other error is a fault of ours: its traceback goes to the
    log as well.

    Parameters
    ----------
    log
        The log file.
    mode
        ``a`` for the processes of a team, who continue the log of their job.
    """
    path = Path(log)
    path.parent.mkdir(parents=True, exist_ok=True)
    let_terminals_show_all()
    # A file's name whose bytes are no text does not fit into UTF-8 either.
    file = logging.FileHandler(path, mode=mode, encoding="utf-8", errors="backslashreplace")
    logging.basicConfig(
        level=logging.INFO,
        format="%(asctime)s %(message)s",
        datefmt="%H:%M:%S",
        handlers=[file, logging.StreamHandler()],
        force=True,
    )
    logger = logging.getLogger("otosynth")
    try:
        yield logger
    except InputError as error:
        logger.error("ERROR: %s", error)
        sys.exit(1)
    except Stopped as stopped:
        logger.warning("%s", stopped)
        sys.exit(128 + stopped.signal_number)
    except KeyboardInterrupt:
        logger.warning("Stopped. The same command does this job again.")
        sys.exit(128 + signal.SIGINT)
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
