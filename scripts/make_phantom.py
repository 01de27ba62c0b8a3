"""Make one virtual ear: both scans, the exact classes, the pose and the points for the TRE."""

from pathlib import Path

import pandas as pd
import SimpleITK as sitk

from otosynth.configuration.phantom import PhantomSettings
from otosynth.jobs import job
from otosynth.phantom import make_ear, points_table
from otosynth.registration import write_transform
from otosynth.volumes import write_volume

with job(snakemake.log[0]):
    ear = make_ear(
        snakemake.wildcards.specimen,
        snakemake.params.side,
        PhantomSettings(**snakemake.params.settings),
        snakemake.params.seed,
    )
    write_volume(ear.ct, Path(snakemake.output.ct))
    write_volume(ear.microct, Path(snakemake.output.microct))
    write_volume(ear.labels, Path(snakemake.output.labels))
    write_volume(ear.structures, Path(snakemake.output.structures))
    write_transform(ear.pose, Path(snakemake.output.pose))
    points_table(ear).to_csv(snakemake.output.points, index=False, float_format="%.6f")
