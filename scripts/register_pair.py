"""Read a raw pair, refuse what is not usable, and bring the CT onto the micro-CT's grid."""

from pathlib import Path

from otosynth.configuration.registration import RegistrationSettings
from otosynth.errors import InputError
from otosynth.files import write_csv, write_json
from otosynth.jobs import job
from otosynth.registration import (
    field_of_view_mask,
    read_initial_transform,
    register_rigid,
    resample_onto,
)
from otosynth.registration.overlap import overlap_fraction
from otosynth.registration.transforms import write_transform
from otosynth.seeds import derive_seed
from otosynth.volumes.checks import check_intensities, check_pair
from otosynth.volumes.reading import read_volume
from otosynth.volumes.writing import write_volume

# HU of air: what the CT shows where its field of view ends.
AIR_HU = -1000.0
# Landmarks come in two files, CT and micro-CT; a transform is one.
LANDMARK_FILES = 2

with job(snakemake) as recorder:
    specimen = snakemake.wildcards.specimen
    settings = RegistrationSettings(**snakemake.params.registration)
    scans = {}
    for name in ("ct", "microct"):
        path = recorder.places.path_of(snakemake.params[name])
        scans[name] = read_volume(path)
        check_intensities(scans[name], path)
    ct, microct = scans["ct"], scans["microct"]
    check_pair(ct, microct, specimen)

    initial_files = [Path(path) for path in snakemake.input.initial]
    initial = read_initial_transform(initial_files, specimen) if initial_files else None
    seed = derive_seed(snakemake.params.seed, "registration", specimen)
    kind = "landmarks" if len(initial_files) == LANDMARK_FILES else "transform file"
    try:
        registration = register_rigid(microct, ct, settings, initial, seed, kind)
    except InputError as error:
        raise InputError(f"{specimen}: {error}") from None
    mask = field_of_view_mask(ct, registration.transform, microct)
    overlap = overlap_fraction(mask)
    logger.info("%s: both fields of view cover %.1f %% of the micro-CT", specimen, 100 * overlap)

    write_volume(resample_onto(ct, registration.transform, microct, AIR_HU),
                 Path(snakemake.output.ct))  # fmt: skip
    write_volume(microct, Path(snakemake.output.microct))
    write_volume(mask, Path(snakemake.output.mask))
    write_transform(registration.transform, Path(snakemake.output.transform))
    write_csv(registration.trace, snakemake.output.trace)
    write_json(
        {
            "initialisation": registration.initialisation,
            "metric": float(registration.trace["metric"].iloc[-1]),
            "overlap": overlap,
        },
        Path(snakemake.output.summary),
    )
