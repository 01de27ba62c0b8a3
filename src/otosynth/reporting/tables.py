"""The tables of the report, whose numbers know the jobs that they come from."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from otosynth.metric_registry import Place, metrics_in
from otosynth.provenance.carried import CSV_COLUMN
from otosynth.reporting.study import ReportedStudy
from otosynth.rows import marked_title
from otosynth.specimens import SIDES
from otosynth.tissues import CLASSES
from otosynth.volumes.itk_io import read_grid
from otosynth.words import short

PUBLISHED = "published"
HEADS = {
    "specimen": "ear", "point_spread_mm": "point spread of the CT (mm)",
    "tre_mean_mm": "TRE mean (mm)", "tre_max_mm": "TRE largest (mm)",
    "thresholds_1": "threshold air/soft", "thresholds_2": "threshold soft/bone",
    "dice_air": "Dice air", "dice_soft": "Dice soft", "dice_bone": "Dice bone",
}  # fmt: skip


@dataclass(frozen=True)
class Cell:
    """A value as text, the job that it comes from, and whether it was published."""

    text: str
    job: str = ""
    published: bool = False


@dataclass(frozen=True)
class Table:
    """A table: its caption, the heads of its columns, its rows, and the job that made it."""

    caption: str
    columns: Sequence[str]
    rows: Sequence[Sequence[Cell]]
    job: str = ""


class Tables:
    """Gathers the report's tables from those of a study, and from its records.

    Parameters
    ----------
    study
        The study.
    published
        The table of published values.
    """

    def __init__(self, study: ReportedStudy, published: Path) -> None:
        self.study = study
        self.published = pd.read_csv(published)

    def named(self, name: str) -> pd.DataFrame | None:
        """Return a table of the study, all cells as text; None where the study has none."""
        path = self.study.places.results / f"tables/{name}.csv"
        if f"tables/{name}.csv" not in self.study.tree.maker or not path.is_file():
            return None
        table = pd.read_csv(path, dtype=str, keep_default_na=False)
        return table.drop(columns=[CSV_COLUMN], errors="ignore")

    def ears(self) -> Table:
        """Return the ears: side, group, and the grid that both scans lie on."""
        rows = []
        for ear, group in sorted(self.study.group_of.items()):
            pair = self.study.traces.of(f"specimens/{ear}/microct.nii")
            grid = read_grid(self.study.places.results / f"specimens/{ear}/microct.nii")
            size = " × ".join(map(str, grid.size))
            rows.append(
                (
                    Cell(ear),
                    Cell(self._side(ear)),
                    Cell(group, self.study.traces.of("tables/table1.csv")),
                    Cell(_number(grid.voxel_mm), pair),
                    Cell(size, pair),
                )
            )
        columns = ("ear", "side", "tested in group", "voxel (mm)", "voxels x × y × z")
        return Table("The ears, on the grid of their micro-CT", columns, rows)

    def _side(self, ear: str) -> str:
        phantom = self.study.tree.records.get(f"make_phantom/{ear}")
        if phantom:
            return str(phantom["parameters"]["side"])
        working = self.study.root["configuration"]["data"]["working_side"]
        for record in self.study.tree.records.values():
            if record["wildcards"].get("specimen") == ear and "mirrored" in record["parameters"]:
                mirrored = record["parameters"]["mirrored"]
                return next(side for side in SIDES if (side != working) == mirrored)
        return ""

    def as_it_is(
        self,
        name: str,
        caption: str,
        trace: Callable[..., str] | None = None,
        decimals: int | None = None,
    ) -> Table:
        """Return a table of the study with the columns that it has.

        Parameters
        ----------
        name
            The table.
        caption
            What it shows.
        trace
            The result that a row's numbers come from, given the row and the column; without it
            all come from the table's own job.
        decimals
            Of numbers that are no counts; without it four digits are shown.
        """
        table = self.named(name)
        job = self.study.traces.of(f"tables/{name}.csv")
        if table is None:
            return Table(caption, (), ())
        shown = [column for column in table.columns if column.lower() not in ("study", "label")]
        rows = [
            [self._cell(row, column, job, trace, decimals) for column in shown]
            for row in table.to_dict("records")
        ]
        return Table(caption, [_head(column) for column in shown], rows, job)

    def _cell(
        self,
        row: dict[Any, Any],
        column: str,
        job: str,
        trace: Callable[..., str] | None,
        decimals: int | None,
    ) -> Cell:
        text = str(row[column])
        if not _is_number(text):
            return Cell(text)
        shown = _number(float(text), decimals)
        if PUBLISHED in column.lower():
            return Cell(_number(float(text)), published=True)
        result = trace(row, column) if trace else ""
        return Cell(shown, (self.study.traces.of(result) if result else "") or job)

    def registration(self) -> Table:
        """Return how well each CT was registered."""

        def trace(row: dict[str, str], column: str) -> str:
            name = "target_error" if column.startswith("tre_") else "summary"
            return f"specimens/{row['specimen']}/registration/{name}.json"

        caption = "Registration of each CT to its micro-CT"
        return self.as_it_is("registration", caption, trace)

    def class_maps(self) -> Table:
        """Return the thresholds and fractions of each class map."""

        def trace(row: dict[str, str], column: str) -> str:
            name = "classmap_scores" if column.startswith("dice_") else "classmap"
            return f"specimens/{row['specimen']}/{name}.json"

        return self.as_it_is("classmaps", "Class maps of the micro-CTs", trace)

    def selected_epochs(self) -> Table:
        """Return Table 2."""
        names = {title: name for name, title in self.study.titles.items()}

        def trace(row: dict[str, str], column: str) -> str:
            method = names.get(row["Method"], "")
            return f"training/{row['Group']}/{method}/seed-{row['Seed']}/selected.json"

        caption = "Table 2: the selected epochs, with those published on other data"
        return self.as_it_is("table2", caption, trace)

    def trainings(self) -> Table:
        """Return how long every training was."""
        rows = []
        for name in sorted(self.study.tree.maker):
            parts = name.split("/")
            if parts[0] != "training" or parts[-1] != "history.tsv":
                continue
            _, group, method, seed, _ = parts
            history = pd.read_csv(self.study.places.path_of(name), sep="\t")
            job = self.study.traces.of(name)
            counts = (len(history), int(history["steps"].sum()))
            titles = (self.study.titles[method], group, seed.removeprefix("seed-"))
            cells = [*map(Cell, titles), *(Cell(f"{n}", job) for n in counts)]
            rows.append((list(self.study.titles).index(method), group, seed, cells))
        columns = ("method", "group", "seed", "epochs", "steps")
        caption = "Every training: a step is one batch of patches for each player"
        return Table(caption, columns, [cells for *_, cells in sorted(rows, key=lambda r: r[:3])])

    def perceptual_error(self) -> Table:
        """Return Table 3."""
        names = {title: name for name, title in self.study.titles.items()}

        def trace(row: dict[str, str], column: str) -> str:
            return self._score(row["Specimen"], names.get(column, ""))

        caption = "Table 3: perceptual error (Eq. 8), with the values published on other data"
        return self.as_it_is("table3", caption, trace, decimals=3)

    def _score(self, ear: str, method: str) -> str:
        """Return the file of a prediction's scores, or of all where several seeds are averaged."""
        found = [
            name for name in self.study.tree.maker if name.startswith(f"scores/{ear}/{method}/")
        ]
        return found[0] if len(found) == 1 else "tables/scores.csv"

    def summary(self) -> Table:
        """Return the Dice of every method beside the published medians."""
        table = self.named("summary")
        job = self.study.traces.of("tables/summary.csv")
        columns = ["method", *(f"{c} {what}" for c in CLASSES for what in ("mean [95 % interval]",
                   "median", "median, published"))]  # fmt: skip
        caption = (
            "Dice over the tested ears (±: standard deviation over seeds of that mean, where there "
            "are several). Published medians: Sun 2021, other data"
        )
        if table is None:
            return Table(caption, (), ())
        known = self.published[self.published["quantity"] == "median_dice"]
        medians = known.set_index(["method", "class"])["value"].to_dict()
        dice = table[table["metric"] == "dice"].set_index(["method", "class"]).to_dict("index")
        rows = []
        for name, title in self.study.titles.items():
            if (title, CLASSES[0]) not in dice:
                continue
            row = [Cell(marked_title(name, title))]
            for tissue in CLASSES:
                value = medians.get((name, tissue))
                row += [
                    *_mean_and_median(dice[title, tissue], job),
                    Cell("" if value is None else f"{value:.2f}", published=True),
                ]
            rows.append(row)
        return Table(caption, columns, rows, job)

    def at_cochlea(self) -> Table:
        """Return the Dice of every method at the cochlea; no row where no region is known."""
        measures = {
            "soft tissue and bone, mean over both": ("cochlear_mean_dice", ""),
            "soft tissue": ("cochlear_dice", "soft"),
            "bone": ("cochlear_dice", "bone"),
        }
        columns = ["method", *(f"{measure}{what}" for measure in measures
                   for what in (": mean [95 % interval]", ": median"))]  # fmt: skip
        caption = (
            "Dice at the cochlea, within 0.5 mm of the scalae, over the ears where it is known"
        )
        table = self.named("summary")
        job = self.study.traces.of("tables/summary.csv")
        if table is None:
            return Table(caption, (), ())
        found = table.set_index(["method", "metric", "class"]).to_dict("index")
        rows = [
            [Cell(marked_title(name, title)), *(cell for at in measures.values()
             for cell in _mean_and_median(found.get((title, *at)), job))]
            for name, title in self.study.titles.items()
            if any((title, *at) in found for at in measures.values())
        ]  # fmt: skip
        return Table(caption, columns, rows, job)

    def notes_of(self, name: str) -> list[str]:
        """Return the sentences below a Markdown table of the study, but for its digest."""
        path = self.study.places.results / f"tables/{name}.md"
        if not path.is_file():
            return []
        lines = path.read_text(encoding="utf-8").splitlines()
        return [li for li in lines if li and not li.startswith(("|", "Inputs:", "Data:"))]

    def scores_of_ears(self) -> Table:
        """Return the Dice and perceptual error of every ear and method; mean over the seeds."""
        dice, errors = self.named("dice"), self.named("perceptual_error")
        cochlear = self.named("cochlear_dice")
        caption = "Dice and perceptual error of every ear"
        if dice is None or errors is None or cochlear is None:
            return Table(caption, (), ())
        keys = ["specimen", "method", "class"]
        values = dice.set_index(keys)["dice"].to_dict()
        at_cochlea = cochlear.assign(**{"class": "cochlea " + cochlear["class"]})
        values |= at_cochlea.set_index(keys)["cochlear_dice"].to_dict()
        values |= errors.assign(**{"class": "error"}).set_index(keys)["perceptual_error"].to_dict()
        shown = (*CLASSES, "cochlea soft", "cochlea bone", "error")
        rows = []
        for ear in sorted(self.study.group_of):
            for method, title in self.study.titles.items():
                if (ear, method, CLASSES[0]) not in values:
                    continue
                job = self.study.traces.of(self._score(ear, method))
                found = [values.get((ear, method, what), "") for what in shown]
                cells = [Cell(f"{float(v):.3f}", job) if _is_number(v) else Cell(v) for v in found]
                name = Cell(marked_title(method, title))
                rows.append([Cell(ear), Cell(self.study.group_of[ear]), name, *cells])
        columns = (
            "ear",
            "group",
            "method",
            *(f"Dice {what}" for what in shown[:-1]),
            "perceptual error",
        )
        return Table(caption, columns, rows, self.study.traces.of("tables/scores.csv"))

    def field(self) -> Table:
        """Return the median scores of the electric field over all ears, by method."""
        table = self.named("scores")
        caption = "Electric field by every class map against the micro-CT's: median over ears"
        if table is None:
            return Table(caption, (), ())
        rows_of_field = table[(table["grid"] == "field") & (table["class"] == "")]
        job = self.study.traces.of("tables/scores.csv")
        metrics = metrics_in(Place.REPORTED_FIELD)
        rows = []
        for method, title in self.study.titles.items():
            of_method = rows_of_field[rows_of_field["method"] == method]
            if of_method.empty:
                continue
            cells = []
            for metric in metrics:
                of_metric = of_method[of_method["metric"] == metric.name]
                # Seeds are repeats, not further ears.
                values = pd.to_numeric(of_metric["value"]).groupby(of_metric["specimen"]).mean()
                cells.append(Cell(_number(values.median()) if len(values) else "", job))
            rows.append([Cell(marked_title(method, title)), *cells])
        return Table(caption, ("method", *(metric.heading for metric in metrics)), rows, job)


def _mean_and_median(found: dict[str, str] | None, job: str) -> list[Cell]:
    """Return the cells of a row of the summary: mean with interval and spread, and median."""
    if found is None:
        return [Cell(""), Cell("")]
    mean, median, low, high = (
        f"{float(found[key]):.3f}" for key in ("mean", "median", "low", "high")
    )
    between = f" ±{float(found['seed_spread']):.3f}" if _is_number(found["seed_spread"]) else ""
    return [Cell(f"{mean} [{low}–{high}]{between}", job), Cell(median, job)]


def _is_number(text: str) -> bool:
    try:
        return math.isfinite(float(text))
    except ValueError:
        return False


def _number(value: float, decimals: int | None = None) -> str:
    return short(value) if decimals is None else f"{value:.{decimals}f}"


def _head(column: str) -> str:
    """Return the head of a column; titles of methods stay as they are."""
    return HEADS.get(column, column.replace("_", " ") if column.islower() else column)
