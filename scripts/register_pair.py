"""Read a raw pair, refuse what is not usable, and bring the CT onto the micro-CT's grid."""

from pathlib import Path

import numpy as np

from otosynth.configuration.registration import RegistrationSettings
from otosynth.errors import InputError
from otosynth.files import write_csv, write_json
from otosynth.jobs import job
from otosynth.registration import (
    field_of_view_mask,
    read_initial_transform,
    register_rigid,
    resample_measured,
)
from otosynth.registration.transforms import write_transform
from otosynth.seeds import derive_seed
from otosynth.volumes.arrays import array_of
from otosynth.volumes.checks import check_intensities, check_pair, checked_intensities
from otosynth.volumes.mapping import map_voxels
from otosynth.volumes.measured import (
    MarkedVolume,
    find_padding,
    in_words,
    measured_part,
    share_outside,
)
from otosynth.volumes.reading import declared_padding, read_scan_header, read_slabs, read_volume
from otosynth.volumes.slabs import slabs_of
from otosynth.volumes.stated import Stated
from otosynth.volumes.volume import Volume
from otosynth.volumes.writing import write_slabs

# Landmarks come in two files, CT and micro-CT; a transform is one.
LANDMARK_FILES = 2

with job(snakemake) as recorder:
    specimen = snakemake.wildcards.specimen
    settings = RegistrationSettings(**snakemake.params.registration)
    path_of = {name: recorder.places.path_of(snakemake.params[name]) for name in ("ct", "microct")}
    stated = {name: Stated.parse(text) for name, text in snakemake.params.stated.items()}
    for name, path in path_of.items():
        for remark in read_scan_header(path, stated[name]).remarks:
            logger.warning("%s, %s: %s", specimen, name, remark)
    ct = read_volume(path_of["ct"], stated["ct"])
    check_intensities(ct, path_of["ct"])
    # A micro-CT may be larger than the memory: it is copied by slabs, and mapped from then on.
    microct_path = Path(snakemake.output.microct)
    grid, slabs = read_slabs(path_of["microct"], stated["microct"])
    write_slabs(checked_intensities(slabs, path_of["microct"]), grid, np.float32, microct_path)
    microct = Volume(map_voxels(microct_path), grid)
    check_pair(Volume.of(ct), microct, specimen)
    ct, measured = measured_part(ct, declared_padding(path_of["ct"]), path_of["ct"])
    padding = find_padding(
        microct,
        hounsfield=False,
        declared=declared_padding(path_of["microct"]),
        name=path_of["microct"],
    )
    if measured is not None:
        logger.info("%s: %.1f %% of the CT is padding", specimen, 100 * share_outside(measured))
    if padding is not None:
        logger.info("%s: the micro-CT has padding (%s)", specimen, in_words(padding))

    initial_files = [Path(path) for path in snakemake.input.initial]
    initial = read_initial_transform(initial_files, specimen) if initial_files else None
    seed = derive_seed(snakemake.params.seed, "registration", specimen)
    kind = "landmarks" if len(initial_files) == LANDMARK_FILES else "transform file"
    try:
        registration = register_rigid(
            MarkedVolume(microct.voxels, grid, padding=padding),
            ct,
            settings,
            initial,
            seed,
            kind,
            measured,
        )
    except InputError as error:
        raise InputError(f"{specimen}: {error}") from None
    parts = list(slabs_of(grid.shape))
    transform = registration.transform
    cts = (resample_measured(ct, measured, transform, grid.slab(rows)) for rows in parts)
    write_slabs(map(array_of, cts), grid, np.float32, Path(snakemake.output.ct))

    def mask_of(rows):
        """Return where both scans were measured, of some rows along z."""
        mask = array_of(field_of_view_mask(ct, transform, grid.slab(rows), measured))
        if padding is not None:
            mask[padding.of(microct.voxels[rows], rows)] = 0
        return mask

    write_slabs(map(mask_of, parts), grid, np.uint8, Path(snakemake.output.mask))
    mask = Volume(map_voxels(Path(snakemake.output.mask)), grid)
    overlap = sum(np.count_nonzero(slab) for _, slab in mask.slabs()) / mask.voxels.size
    logger.info("%s: both fields of view cover %.1f %% of the micro-CT", specimen, 100 * overlap)

    write_transform(transform, Path(snakemake.output.transform))
    write_csv(registration.trace, snakemake.output.trace)
    write_json(
        {
            "initialisation": registration.initialisation,
            "metric": float(registration.trace["metric"].iloc[-1]),
            "overlap": overlap,
            "point_spread_mm": registration.point_spread_mm,
        },
        Path(snakemake.output.summary),
    )
