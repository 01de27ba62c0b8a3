"""Mean and median Dice of every method over the ears, with what so few ears cannot show."""

import pandas as pd

from otosynth.jobs import job
from otosynth.statistics import caveat, method_summary
from otosynth.tables import write_table

DIGITS = 3
RANKS_NOTHING = (
    "This study ranks nothing: its trainings are far too short to compare methods. "
    "It shows that every method runs."
)

with job(snakemake) as recorder:
    params = snakemake.params
    scores = pd.read_csv(snakemake.input.scores)
    summary = method_summary(scores, resamples=params.statistics["resamples"], seed=params.seed)
    summary["method"] = summary["method"].map(params.titles)
    ears = scores.groupby("specimen")["group"].first()
    comparisons = (summary["method"].nunique() - 1) * summary["class"].nunique()
    notes = [
        "Dice on the micro-CT grid. low and high: 95 % bootstrap interval of the mean over ears.",
        caveat(len(ears), ears.nunique(), comparisons),
    ]
    if not params.statistics["compare"]:
        notes.append(RANKS_NOTHING)
    write_table(summary.round(DIGITS), params.label, snakemake.output, recorder.digest, notes)
