"""What git itself keeps of a study: tables, figures, metrics, the root of its records.

python -m otosynth.publishing results/phantom published/phantom
"""

import argparse
import json
import shutil
import sys
from pathlib import Path
from typing import Any

import pandas as pd
import yaml

from otosynth.errors import InputError
from otosynth.files import write_bytes, write_csv, write_json
from otosynth.provenance.carried import CSV_COLUMN
from otosynth.provenance.places import CIRCUMSTANCES, ROOT, Places
from otosynth.provenance.tree import Root, read_root

COPIED = ("tables", "figures")
MACHINE = ("processor", "gpu", "gpu_driver", "python", "system")


def publish(results: Path, target: Path) -> None:
    """Copy what a clone of the repository is to show, and write the metrics.

    Parameters
    ----------
    results
        ``results/<study>``.
    target
        A folder that git keeps, such as ``published/<study>``.

    Raises
    ------
    InputError
        If the study is not finished.
    """
    root = read_root(Places(results))
    for name in COPIED:
        shutil.rmtree(target / name, ignore_errors=True)
        shutil.copytree(results / name, target / name)
    write_bytes(target / "root.json", (results / ROOT).read_bytes())
    scores = pd.read_csv(results / "tables/scores.csv").fillna({"class": ""})
    write_json(metrics(scores, root["label"]), target / "metrics.json")
    dice = pd.read_csv(results / "tables/dice.csv").drop(columns=[CSV_COLUMN])
    write_csv(dice, target / "dice.csv")
    write_bytes(target / "machine.yaml", yaml.safe_dump(machine_of(results, root)).encode())


def metrics(scores: pd.DataFrame, label: str) -> dict[str, Any]:
    """Return the mean over all ears of every score on the micro-CT grid, by method.

    Parameters
    ----------
    scores
        The long table.
    label
        What the data are.
    """
    rows = scores[scores["grid"] == "microct"]
    means = rows.groupby(["method", "metric", "class"], sort=True)["value"].mean().dropna()
    found: dict[str, Any] = {"data": label}
    for (method, metric, tissue), value in means.items():
        place = found.setdefault(method, {})
        if tissue:
            place = place.setdefault(metric, {})
        place[tissue or metric] = round(float(value), 6)
    return found


def machine_of(results: Path, root: Root) -> dict[str, Any]:
    """Return the types of machine that trained: the same type gives the same bytes."""
    found: dict[str, set[str]] = {key: set() for key in MACHINE}
    for job in root["jobs"]:
        if job.startswith("train/"):
            path = results / CIRCUMSTANCES / f"{job}.json"
            facts = json.loads(path.read_text(encoding="utf-8"))
            for key in MACHINE:
                found[key].add(str(facts[key]))
    return {key: ", ".join(sorted(values)) for key, values in found.items()}


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("results", type=Path, help="the finished study")
    parser.add_argument("target", type=Path, help="a folder that git keeps")
    options = parser.parse_args()
    try:
        publish(options.results, options.target)
    except (InputError, OSError) as error:
        sys.exit(f"ERROR: {error}")
