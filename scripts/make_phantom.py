"""Make one virtual ear: both scans, the exact classes, the pose and the points for the TRE."""

from pathlib import Path

import pandas as pd

from otosynth.configuration.phantom import PhantomSettings
from otosynth.files import write_csv
from otosynth.jobs import job
from otosynth.phantom import make_ear
from otosynth.registration.transforms import write_transform
from otosynth.volumes.writing import write_volume

with job(snakemake):
    ear = make_ear(
        snakemake.wildcards.specimen,
        snakemake.params.side,
        PhantomSettings(**snakemake.params.phantom),
        snakemake.params.seed,
    )
    write_volume(ear.ct, Path(snakemake.output.ct))
    write_volume(ear.microct, Path(snakemake.output.microct))
    write_volume(ear.labels, Path(snakemake.output.labels))
    write_volume(ear.structures, Path(snakemake.output.structures))
    write_transform(ear.pose, Path(snakemake.output.pose))
    # The points on which the registration is measured (method 3).
    points = pd.concat(
        pd.DataFrame(xyz, columns=["x", "y", "z"]).assign(kind=kind)
        for kind, xyz in (("centreline", ear.centreline), ("corner", ear.box_corners))
    )
    write_csv(points, snakemake.output.points, "%.6f")
