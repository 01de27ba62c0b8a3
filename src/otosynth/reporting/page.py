"""Write the report of a study."""

import base64
from pathlib import Path
from typing import Any

import jinja2

from otosynth.files import write_bytes
from otosynth.provenance.places import Places
from otosynth.provenance.tree import read_sealed
from otosynth.reporting import rule_graph
from otosynth.reporting.curves import training_curves
from otosynth.reporting.pictures import Pictures
from otosynth.reporting.runs import in_words_of, read_runs, sealed_at
from otosynth.reporting.study import ReportedStudy
from otosynth.reporting.tables import Tables
from otosynth.reporting.volumes import embed
from otosynth.rows import marked_title
from otosynth.viewing.page_parts import asset
from otosynth.viewing.study import read_viewed_study
from otosynth.words import duration, short

# All of the page.
MOST_BYTES = 60_000_000
# Of hashes; the whole one is shown by pointing at it.
DIGITS = 12


def write_report(places: Places, path: Path, published: Path, captions: Path) -> int:
    """Write the report of a finished study; returns its size in bytes.

    Parameters
    ----------
    places
        Where the study lies.
    path
        The HTML file.
    published
        The table of published values.
    captions
        The folder of the figures' captions.

    Raises
    ------
    InputError
        If the study is not finished.
    """
    tree, root = read_sealed(places)
    study = ReportedStudy(places, tree, root)
    facts = {
        "root": root,
        "label": root["label"],
        "titles": {name: marked_title(name, title) for name, title in study.titles.items()},
        "tested": study.tested,
        "traces": study.traces,
        "tables": Tables(study, published),
        "pictures": Pictures(study, captions),
        "curves": list(training_curves(study)),
        "ears": sorted(study.group_of),
        "runs": read_runs(places, tree),
        "sealed": sealed_at(places),
        "graph": rule_graph.lay_out(tree),
        "results": places.results.as_posix(),
        "methods": root["configuration"]["methods"],
    }
    bare = _render(facts, None)
    viewed = read_viewed_study(places)
    shown = root["configuration"]["figures"].get("specimen") or _shown(study)
    page = _render(facts, embed(viewed, shown, MOST_BYTES - len(bare)))
    write_bytes(path, page)
    return len(page)


def _shown(study: ReportedStudy) -> str:
    """Return the ear of Figure 1."""
    job = study.tree.maker.get("figures/fig1.png")
    parameters = study.tree.records[job]["parameters"] if job else {}
    return str(parameters.get("specimen", ""))


def _render(facts: dict[str, Any], viewer: Any) -> bytes:
    environment = jinja2.Environment(
        loader=jinja2.ChoiceLoader(
            [jinja2.PackageLoader("otosynth.reporting"), jinja2.PackageLoader("otosynth.viewing")]
        ),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {
        "picture": _picture,
        "duration": duration,
        "moment": in_words_of,
        "short": short,
    }
    environment.globals |= {"asset": _inline, "digits": DIGITS}
    return environment.get_template("report.html").render(**facts, viewer=viewer).encode()


def _inline(name: str) -> str:
    """Return a script or style sheet as it may stand in a page."""
    return asset(name).replace("</script", "<\\/script")


def _picture(path: Path) -> str:
    return "data:image/png;base64," + base64.b64encode(path.read_bytes()).decode()
