"""Locks on folders that only one may write to at a time."""

import errno
import fcntl
import logging
import os
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import TextIO

logger = logging.getLogger(__name__)

SECONDS_BETWEEN_TRIES = 1.0
# What a file system without locks answers, e.g. Lustre mounted without `flock`.
WITHOUT_LOCKS = (errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP)
# Opened locks of this process; a lock is free again when its file is closed.
_HELD: list[TextIO] = []


def try_lock(path: Path) -> TextIO | str:
    """Lock a file for this process, or say who has it.

    The operating system takes the lock away when its holder ends, however it ends, so nothing
    is ever left to clean up. Works between the nodes of a cluster where the file system has
    `flock` (NFS since version 3, Lustre mounted with `flock`).

    Returns
    -------
    TextIO or str
        The open file that holds the lock, or the holder in words.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    file = path.open("a+", encoding="utf-8")
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        file.seek(0)
        holder = file.read().strip()
        file.close()
        return holder or "another process"
    except OSError as error:
        if error.errno not in WITHOUT_LOCKS:
            file.close()
            raise
        logger.warning("%s: this file system has no locks; run one workflow at a time.", path)
    file.truncate(0)
    file.write(f"{this_process()}\n")
    file.flush()
    return file


def lock_until_exit(path: Path) -> str | None:
    """Lock a file until this process ends; return the holder if another has it."""
    lock = try_lock(path)
    if isinstance(lock, str):
        return lock
    _HELD.append(lock)
    return None


@contextmanager
def locked(path: Path, tell_holder: Callable[[str], None]) -> Iterator[None]:
    """Hold a lock, after waiting for it where another has it.

    Parameters
    ----------
    path
        The lock file.
    tell_holder
        Called once with the holder in words if there is a wait.
    """
    lock = try_lock(path)
    if isinstance(lock, str):
        tell_holder(lock)
    while isinstance(lock, str):
        time.sleep(SECONDS_BETWEEN_TRIES)
        lock = try_lock(path)
    try:
        yield
    finally:
        lock.close()


def this_process() -> str:
    """Return in words where this process runs and how to find it."""
    slurm = os.environ.get("SLURM_JOB_ID")
    slurm_job = f", Slurm job {slurm}" if slurm else ""
    now = datetime.now().astimezone().strftime("%Y-%m-%d %H:%M")
    return f"process {os.getpid()} on {socket.gethostname()}{slurm_job}, since {now}"
