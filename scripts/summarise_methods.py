"""Dice of every method over the ears, what so few ears cannot show, and measures by method."""

import pandas as pd

from otosynth.cochlea import read_sources, told
from otosynth.jobs import job
from otosynth.scores import with_kind
from otosynth.statistics import (
    DICE_METRICS,
    caveat,
    known_metrics,
    measures_table,
    method_summary,
)
from otosynth.tables import write_table
from otosynth.verdicts import say_verdicts

DIGITS = 3
RANKS_NOTHING = (
    "This study ranks nothing: its trainings are far too short to compare methods. "
    "It shows that every method runs."
)
BUDGET = (
    "Every training had {:g} Pflop of operations, or ended earlier on its validation plateau. "
    "Methods with costly steps did few of them: this is what each method learns for that much "
    "compute, not how good it can be."
)
CEILINGS = (
    "Rows of the kind `ceiling` know the micro-CT: they show what is within reach, are no methods "
    "and are compared with none."
)
MEASURES = (
    "Medians over the ears on the micro-CT grid, seeds averaged first; docs/method.md, section 8, "
    "says what each measure is. Perceptibility and s_score favour TISS-Net, which is trained with "
    "the network that measures them."
)

with job(snakemake) as recorder:
    params = snakemake.params
    scores = pd.read_csv(snakemake.input.scores)
    summary = pd.concat(
        method_summary(scores, metric, resamples=params.statistics["resamples"], seed=params.seed)
        for metric in known_metrics(scores, DICE_METRICS)
    )
    summary = with_kind(summary)
    summary["method"] = summary["method"].map(params.titles)
    notes = [
        "Dice on the micro-CT grid. low and high: 95 % bootstrap interval of the mean over ears. "
        "seed_spread: standard deviation over the seeds of the mean over ears. mean_dice: the mean "
        "of the classes, ear by ear. cochlear_mean_dice: the same of soft tissue and bone at the "
        "cochlea.",
        told(read_sources(params.ears, snakemake.input.regions)),
        CEILINGS,
        *say_verdicts(scores, params.titles),
        caveat(scores, params.titles[params.reference]),
    ]
    if params.petaflop is not None:
        notes.append(BUDGET.format(params.petaflop))
    if not params.statistics["compare"]:
        notes.append(RANKS_NOTHING)
    files = snakemake.output
    write_table(summary.round(DIGITS), params.label, files[:2], recorder.digest, notes)
    measures = with_kind(measures_table(scores))
    measures["method"] = measures["method"].map(params.titles)
    write_table(
        measures.round(DIGITS), params.label, files[2:], recorder.digest, [MEASURES, CEILINGS]
    )
