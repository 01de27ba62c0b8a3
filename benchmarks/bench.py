"""Measures this project: what takes how long, how much memory, and beside which peer.

python benchmarks/bench.py WHAT [OPTION ...]
python benchmarks/bench.py WHAT --help
"""

import argparse
from importlib import import_module

from otosynth.errors import InputError

# Each is a module of this folder, whose `main` gets the words that follow.
WHATS = {
    "table": "rows beside their peers: results.csv and docs/benchmarks.md (make bench)",
    "page": "docs/benchmarks.md again from results.csv; measures nothing",
    "growth": "cost as the work grows: growth.csv and docs/figures/growth.png",
    "gpu": "training steps on a CUDA GPU: gpu.csv, docs/gpu.md and docs/figures/gpu.png",
    "training": "speed, memory, loss and resume of one training in each precision",
    "convolutions": "single layers, as torch computes them and as this project does",
    "where-time-goes": "a step by operation, or a finished study by rule",
    "registration": "errors of registration on CTs simulated from real micro-CTs",
    "prediction": "Dice of `otosynth predict` on a phantom study's raw CTs",
    "records": "what records add to a finished study, and how fast it is verified",
    "scale": "memory and time of the stages as a micro-CT grows",
}


def main() -> None:
    """Hand the words of the command line to what they name."""
    listing = "\n".join(f"  {name:16} {title}" for name, title in WHATS.items())
    parser = argparse.ArgumentParser(
        description=__doc__,
        epilog=f"WHAT is one of:\n{listing}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("what", choices=WHATS, metavar="WHAT")
    parser.add_argument("words", nargs=argparse.REMAINDER, metavar="OPTION")
    options = parser.parse_args()
    try:
        import_module(options.what.replace("-", "_")).main(options.words)
    except InputError as error:
        raise SystemExit(f"ERROR: {error}") from None


if __name__ == "__main__":
    main()
