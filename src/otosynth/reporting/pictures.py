"""The figures of the report, with their captions."""

from dataclasses import dataclass
from pathlib import Path

import jinja2

from otosynth.reporting.study import ReportedStudy

# Captions of docs/captions by the number of the figure, where they differ.
CAPTIONS = {"3": "framework", "4": "framework", "10": "calibration"}


@dataclass(frozen=True)
class Picture:
    """A figure: its file, what it shows, and the job that drew it."""

    title: str
    path: Path
    caption: str
    job: str


class Pictures:
    """Finds a study's figures.

    Parameters
    ----------
    study
        The study.
    captions
        The folder of the captions.
    """

    def __init__(self, study: ReportedStudy, captions: Path) -> None:
        self.study, self.captions = study, captions

    def figure(self, number: str) -> Picture | None:
        """Return a figure of the study with its caption; None where it has none."""
        return self._picture(
            f"figures/fig{number}.png", f"Figure {number}", CAPTIONS.get(number, f"fig{number}")
        )

    def quality(self, ear: str) -> list[Picture]:
        """Return the pictures that show how an ear was registered and thresholded."""
        names = {"registration": f"{ear}: registration", "histogram": f"{ear}: histogram"}
        found = [
            self._picture(f"specimens/{ear}/qc/{name}.png", title, f"qc_{name}")
            for name, title in names.items()
        ]
        return [picture for picture in found if picture]

    def _picture(self, name: str, title: str, caption: str) -> Picture | None:
        if name not in self.study.tree.maker:
            return None
        job = self.study.traces.of(name)
        path = self.study.places.path_of(name)
        return Picture(title, path, self._caption(caption, job), job)

    def _caption(self, name: str, job: str) -> str:
        """Return a caption of docs/captions as plain text, filled in as Snakemake does."""
        path = self.captions / f"{name}.rst"
        if not path.is_file():
            return ""
        record = self.study.tree.records[job]
        config = {"label": self.study.root["label"], "study": self.study.root["study"]}
        # A rule's params are sections of the configuration, which records keep apart, and others.
        params = record["configuration"] | record["parameters"]
        facts = {"config": config, "params": params, "wildcards": record["wildcards"]}
        text = jinja2.Template(path.read_text(encoding="utf-8")).render(snakemake=facts)
        return text.replace("\\|", "|").replace("``", "").replace("*", "").replace("\n", " ")
