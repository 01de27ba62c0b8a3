"""The model card: what a model is, what it was trained on and what it must not be used for."""

from pathlib import Path

from jinja2 import Environment, PackageLoader, StrictUndefined

from otosynth.configuration.methods.base import PriorKind
from otosynth.errors import InputError
from otosynth.files import sha256_of, write_bytes
from otosynth.prediction.model import HU_PERCENTILES, ReferenceFacts, TrainedModel


def card_path(model_file: Path) -> Path:
    """Return where the card of a model's file lies: beside it, with the ending ``.md``."""
    return model_file.with_suffix(".md")


def write_card(model: TrainedModel, model_file: Path) -> Path:
    """Write the model card beside a model's file, and return its path.

    Raises
    ------
    InputError
        If the model's file is not there.
    """
    if not model_file.is_file():
        raise InputError(f"{model_file}: no such file; write the model before its card.")
    settings, facts = model.create_method().settings, model.facts
    gives = [
        *(["a synthetic micro-CT"] if settings.gives_microct else []),
        "a map of air, soft tissue and bone",
    ]
    first = facts.references[0]
    environment = Environment(
        loader=PackageLoader("otosynth.prediction"), undefined=StrictUndefined
    )
    text = environment.get_template("card.md").render(
        facts=facts,
        phantom=facts.source == "phantom",
        gives=" and ".join(gives),
        voxel=_triple(first.grid.spacing_mm),
        file=model_file.name,
        sha256=sha256_of(model_file),
        digest=model.digest,
        percentiles=HU_PERCENTILES,
        coarse=f"{first.coarse.spacing_mm[0]:g}",
        prior=_prior_in_words(settings.prior_kind, first),
        window=lambda m, name: (
            f"{m.normalisation[name]['low']:.4g} to {m.normalisation[name]['high']:.4g}"
        ),
        triple=lambda mm: _triple(mm) if mm else "not known",
        extent=lambda r: _triple(
            tuple(n * mm for n, mm in zip(r.grid.size, r.grid.spacing_mm, strict=True))
        ),
        hu=lambda r: ", ".join(f"{value:.0f}" for value in r.hu),
    )
    path = card_path(model_file)
    write_bytes(path, text.encode())
    return path


def _prior_in_words(kind: PriorKind | None, first: ReferenceFacts) -> str:
    """Return what the file holds of the training ears for a prior."""
    if kind is None or first.atlas is None:
        return ""
    what = "class maps" if kind == "classes" else "micro-CTs"
    return (
        f", with their CTs and {what} at {first.atlas.spacing_mm[0]:.3g} mm, which are registered "
        "to it as the network's prior"
    )


def _triple(mm: tuple[float, ...]) -> str:
    return " × ".join(f"{value:.3g}" for value in mm)
