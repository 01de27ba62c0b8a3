"""Memory and time of the stages, as a micro-CT grows: the study's own jobs on one large ear.

    python benchmarks/bench.py scale FOLDER --edge 125 500 1000

The ear is the phantom's, its micro-CT enlarged by repeating voxels, of the same field of view, so
that 1500^3 has voxels of 10 um. It is tested by a single-task network (width 16, patches of 32^3)
that two usual phantom ears train for one step. Seconds and the peak of the resident memory are
from the jobs' benchmarks and records. FOLDER needs about 5 times the
size of the micro-CT (4 edge^3 bytes).
"""

import argparse
import json
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import pandas as pd
import yaml

from otosynth.configuration.phantom import PhantomSettings
from otosynth.phantom import make_ear
from otosynth.volumes.grids import Grid
from otosynth.volumes.volume import Volume
from otosynth.volumes.writing import write_slabs, write_volume

PROJECT = Path(__file__).resolve().parents[1]
LARGE, OTHERS = "large", ("other1", "other2")
SEED = 1
# The measured rules, and a result of each.
RESULT_OF = {
    "register_pair": f"specimens/{LARGE}/microct.nii",
    "make_class_map": f"specimens/{LARGE}/classmap.nii",
    "tabulate_patches": "groups/A/patches/x1/testing.tsv",
    "predict": f"predictions/{LARGE}/single_task/seed-1/classmap.nii.gz",
}
RULES = tuple(RESULT_OF)


def main(words: list[str]) -> None:
    """Measure every edge and print a table."""
    parser = argparse.ArgumentParser("bench.py scale", description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--edge", type=int, nargs="+", default=[125, 250, 500])
    parser.add_argument("--without-prediction", action="store_true", help="hours, at 1000^3")
    options = parser.parse_args(words)
    rules = RULES[:-1] if options.without_prediction else RULES
    tables = [measure(options.folder.resolve() / str(edge), edge, rules) for edge in options.edge]
    print(pd.concat(tables).to_string(index=False, float_format="%.4g"))


def measure(folder: Path, edge: int, rules: Sequence[str]) -> pd.DataFrame:
    """Run the stages on a micro-CT of ``edge``^3 voxels; seconds and peak memory of each."""
    make_scans(folder / "scans", edge)
    write_configuration(folder)
    results = folder / "results" / "scale"
    command = [sys.executable, "-m", "snakemake", "--cores", "1", "--quiet", "rules", "--nolock",
               "--configfile", str(folder / "scale.yaml"), "--"]  # fmt: skip
    command += [str(results / RESULT_OF[rule]) for rule in rules]
    subprocess.run(command, cwd=PROJECT, check=True)
    rows = []
    for rule in rules:
        [file] = [f for f in sorted((results / "benchmarks" / rule).glob("*.tsv"))
                  if LARGE in f.name or f.name == "A-x1-testing.tsv"]  # fmt: skip
        seconds = pd.read_csv(file, sep="\t")["s"].iloc[0]
        # Snakemake looks at the memory now and then; the record has the true peak.
        circumstances = results / "circumstances" / rule / f"{file.stem}.json"
        peak_mb = json.loads(circumstances.read_text())["peak_memory_mib"]
        rows.append((rule, f"{edge}^3", 4 * edge**3 / 2**20, seconds, peak_mb))
    return pd.DataFrame(rows, columns=["rule", "micro-CT", "its MB", "seconds", "peak MB"])


def make_scans(folder: Path, edge: int) -> None:
    """Write the scans of three ears and their table; nothing where they are already."""
    if (folder / "specimens.tsv").exists():
        return
    settings = PhantomSettings()
    for name in (LARGE, *OTHERS):
        ear = make_ear(name, "right", settings, SEED)
        write_volume(ear.ct, folder / f"{name}_ct.nii")
        microct = Volume.of(ear.microct)
        times = edge // microct.grid.size[0] if name == LARGE else 1
        grid = finer(microct.grid, times)
        slabs = enlarged(microct.voxels.astype(np.float32), times)
        write_slabs(slabs, grid, np.float32, folder / f"{name}_microct.nii")
    rows = [(n, f"{n}_ct.nii", f"{n}_microct.nii") for n in (LARGE, *OTHERS)]
    table = pd.DataFrame(rows, columns=["specimen", "ct", "microct"])
    table.to_csv(folder / "specimens.tsv", sep="\t", index=False)


def finer(grid: Grid, times: int) -> Grid:
    """Return the grid of voxels parted into ``times`` along each axis."""
    first = grid.point_mm([(1 / times - 1) / 2] * 3)
    x, y, z = (times * size for size in grid.size)
    dx, dy, dz = (spacing / times for spacing in grid.spacing_mm)
    return Grid((x, y, z), (dx, dy, dz), (first[0], first[1], first[2]), grid.direction)


def enlarged(voxels: np.ndarray, times: int) -> Iterator[np.ndarray]:
    """Repeat every voxel along each axis, plane by plane."""
    for plane in voxels:
        large = plane.repeat(times, axis=0).repeat(times, axis=1)
        for _ in range(times):
            yield large[None]


def write_configuration(folder: Path) -> None:
    """Write the study: a group that tests the large ear, a network that is trained for one step."""
    one, other = OTHERS
    # Every ear is tested by some group; nothing is asked of the others.
    rows = [("A", LARGE, one, other), ("B", one, other, LARGE), ("C", other, one, LARGE)]
    groups = pd.DataFrame(rows, columns=["group", "testing", "training", "validation"])
    groups.to_csv(folder / "groups.tsv", sep="\t", index=False)
    schedule = {"width": 16, "epochs": 1, "constant_epochs": 1, "steps_per_epoch": 1,
                "checkpoint_every": 1}  # fmt: skip
    study = {
        "study": "scale",
        "label": "phantom, enlarged",
        "results": str(folder / "results"),
        "state": str(folder / "state"),
        "data": {"source": "files", "folder": str(folder / "scans"),
                 "specimens": "{folder}/specimens.tsv"},
        "groups": {"table": str(folder / "groups.tsv")},
        "methods": {"single_task": schedule, "multi_task": schedule},
    }  # fmt: skip
    (folder / "scale.yaml").write_text(yaml.safe_dump(study))
