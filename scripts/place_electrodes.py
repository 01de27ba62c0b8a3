"""Place the electrode array and the neural sites of one ear."""

from pathlib import Path

from otosynth.configuration.field import FieldSettings
from otosynth.configuration.phantom import PhantomSettings
from otosynth.field.electrodes import place_electrodes
from otosynth.field.landmark_lines import landmark_lines
from otosynth.field.phantom_lines import phantom_lines
from otosynth.files import write_csv
from otosynth.jobs import job

with job(snakemake):
    specimen, params = snakemake.wildcards.specimen, snakemake.params
    settings = FieldSettings(**params.electric_field)
    if params.phantom:
        phantom = PhantomSettings(**params.phantom)
        lines = phantom_lines(specimen, params.side, phantom, params.seed)
    else:
        file = Path(snakemake.input.landmarks)
        lines = landmark_lines(file, specimen, settings.site_offset_mm)
    write_csv(place_electrodes(lines, settings, specimen), snakemake.output[0], "%.6f")
