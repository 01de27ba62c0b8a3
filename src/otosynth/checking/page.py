"""The page of `otosynth check`: every ear with its pictures, facts and problems."""

import base64
import io
from collections.abc import Mapping, Sequence
from pathlib import Path

import SimpleITK as sitk
from jinja2 import Environment, PackageLoader, StrictUndefined

from otosynth.checking.scan_facts import TITLES as TITLES_OF_FACTS
from otosynth.checking.study_check import EarCheck
from otosynth.configuration.study import Study
from otosynth.figures.scans import Scan, draw_scans
from otosynth.files import write_bytes
from otosynth.specimens import Group
from otosynth.volumes.arrays import array_of, spacing_zyx

PICTURE_DPI = 110
TITLES = {"ct": "CT", "microct": "micro-CT"}


def picture_of(ear: EarCheck, label: str) -> bytes | None:
    """Return the middle planes of an ear's scans as PNG; None where none could be read."""
    if not ear.scans:
        return None
    scans = [_shown(name, image) for name, image in ear.scans.items()]
    note = f"{ear.specimen.side} ear; letters: the patient's sides, as the CT's file states them"
    stream = io.BytesIO()
    figure = draw_scans(scans, ear.specimen.name, note, label)
    figure.savefig(stream, format="png", dpi=PICTURE_DPI, metadata={"Software": None})
    return stream.getvalue()


def _shown(name: str, image: sitk.Image) -> Scan:
    # A micro-CT is of a specimen in a holder: its header knows no patient.
    direction = image.GetDirection() if name == "ct" else None
    return Scan(TITLES[name], array_of(image), spacing_zyx(image), direction)


def write_page(
    path: Path,
    study: Study,
    groups: Mapping[str, Group],
    ears: Sequence[EarCheck],
    pictures: Mapping[str, bytes | None],
) -> None:
    """Write the page, one file that works offline."""
    loader = PackageLoader("otosynth.checking")
    environment = Environment(loader=loader, autoescape=True, undefined=StrictUndefined)
    text = environment.get_template("check.html").render(
        study=study,
        groups=groups,
        ears=ears,
        titles=TITLES_OF_FACTS,
        problems=sum(len(ear.problems) for ear in ears),
        warnings=sum(len(ear.warnings) for ear in ears),
        pictures={
            name: base64.b64encode(png).decode() if png else "" for name, png in pictures.items()
        },
    )
    write_bytes(path, text.encode())
