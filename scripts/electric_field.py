"""The potential along the auditory nerve of one ear, by one class map."""

from pathlib import Path

import pandas as pd

from otosynth.configuration.field import FieldSettings
from otosynth.field.electrodes import SITE
from otosynth.field.model import ear_model, finer_labels, inside_of_truth
from otosynth.files import write_csv
from otosynth.jobs import job
from otosynth.volumes.arrays import read_labels

with job(snakemake):
    files, method = snakemake.input, snakemake.wildcards.method
    is_truth = method == snakemake.params.truth
    electrodes = pd.read_csv(files.electrodes)
    classmap = read_labels(Path(files.classmap))
    if not is_truth:
        truth, mask = read_labels(Path(files.truth)), read_labels(Path(files.mask))
        classmap = inside_of_truth(classmap, truth, mask)
    model = ear_model(
        classmap,
        electrodes,
        FieldSettings(**snakemake.params.electric_field),
        f"{snakemake.wildcards.specimen}, {method}",
        labels=finer_labels(read_labels(Path(files.structures))) if files.structures else None,
        is_truth=is_truth,
    )
    sites = electrodes[electrodes["kind"] == SITE]["number"]
    potentials = pd.DataFrame(
        model.transfer(model.sites).T,
        columns=[f"contact {number:02d}" for number in range(1, len(model.contacts) + 1)],
    )
    potentials.insert(0, "site", sites.to_numpy())
    # ohm: the potential of a site over the current of a contact
    write_csv(potentials, snakemake.output[0], "%.7g")
