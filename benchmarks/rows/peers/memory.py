"""The peak memory of a part of a process, as Linux counts it; for our sides and the peers'.

Counted is all resident memory, pages of mapped files included. The system keeps the peak itself, so
that no thread has to watch. It differs by tens of MB from process to process.
"""

from pathlib import Path


class PeakMemory:
    """While it is entered, the work runs; ``mb`` is the peak over what was held at its making."""

    def __init__(self) -> None:
        self.mb = 0.0
        restart_peak()
        self._base = status_mb("VmRSS")

    def __enter__(self) -> "PeakMemory":
        """Begin."""
        return self

    def __exit__(self, *_: object) -> None:
        """Read the peak."""
        self.mb = status_mb("VmHWM") - self._base


def restart_peak() -> None:
    """Let the peak of this process's memory start again from what is held now."""
    Path("/proc/self/clear_refs").write_text("5")


def status_mb(key: str) -> float:
    """Return what /proc/self/status says of this process's memory, in MB (2^20 bytes)."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith(key + ":"):
            return float(line.split()[1]) / 1024
    raise OSError(f"This system does not say {key}.")
