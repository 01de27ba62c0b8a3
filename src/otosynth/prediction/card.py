"""The model card: what a model is, what it was trained on and what it must not be used for."""

from pathlib import Path

from jinja2 import Environment, StrictUndefined

from otosynth.errors import InputError
from otosynth.files import sha256_of, write_bytes
from otosynth.prediction.model import HU_PERCENTILES, TrainedModel

CARD = """# Model card: {{ facts.name }}

{{ facts.title }} of the study `{{ facts.study }}`: predicts {{ gives }} of one ear from its clinical CT.

| | |
|---|---|
| trained on | **{{ facts.label }}**{{ " (virtual ears, no patients)" if phantom else "" }} |
| members | {{ facts.members | length }}, one a group of the leave-k-out study; their mean is the prediction |
| voxel of the prediction | {{ voxel }} mm |
| patches | {{ facts.patch_size }}^3 voxels |
| side | works on {{ facts.working_side }} ears; others are mirrored, and the result mirrored back |
| file | `{{ file }}`, SHA-256 `{{ sha256 }}` |
| content | `{{ digest }}` |
| study's root of records | `{{ facts.root }}` |

## Intended use

Research on the inner ear: from a CT of one ear at the resolution below, a guess at what a micro-CT would show. The result is
**predicted, not measured**. It is no medical device and must not be used for diagnosis or treatment.
{% if phantom %}
This model has seen virtual ears only. It shows how the tools work; of a real CT it predicts no real anatomy.
{% endif %}
## Training

| group | seed | epoch | training ears | validation ear | CT window (HU) | micro-CT window |
|---|---|---|---|---|---|---|
{% for m in facts.members -%}
| {{ m.group }} | {{ m.seed }} | {{ m.epoch }} | {{ m.training | join(", ") }} | {{ m.validation | join(", ") }} | {{ window(m, "ct") }} | {{ window(m, "microct") }} |
{% endfor %}
## What its training CTs were

New CTs are compared with these, and refused where they differ too much (`docs/prediction.md`).

| ear | voxel (mm) | field of view (mm) | HU, percentiles {{ percentiles | join(", ") }} |
|---|---|---|---|
{% for r in facts.references -%}
| {{ r.ear }} | {{ triple(r.ct_spacing_mm) }} | {{ extent(r) }} | {{ hu(r) }} |
{% endfor %}
## Measured

{% if facts.dice -%}
Median Dice of the study's own tested ears ({{ facts.label }}), each predicted by the one member that had not seen it:
{% for name, value in facts.dice.items() %}{{ ", " if not loop.first }}{{ name }} {{ "%.2f" | format(value) }}{% endfor %}. The
ensemble of all members, which `otosynth predict` uses, was not measured by it.
{%- else -%}
The study has no scores of this method.
{%- endif %}

## Limits

- The uncertainty map says where the members disagree or hesitate. It does not say where all of them are wrong.
- Nothing is predicted outside the region that the training ears' micro-CTs covered.
- Other scanners, kernels, implants, and ears unlike the training ears: not tested.

## What the file holds

Weights of the networks, the windows above, and the training ears' CTs at {{ coarse }} mm, which bring a new CT to the training pose.
**Coarse CTs of people are data of people**: share the file only as your ethics approval lets you share them. No pickle: the
file is safetensors and runs no code when it is read.
"""


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
    environment = Environment(undefined=StrictUndefined, autoescape=False)  # noqa: S701
    text = environment.from_string(CARD).render(
        facts=facts,
        phantom=facts.source == "phantom",
        gives=" and ".join(gives),
        voxel=_triple(first.grid.spacing_mm),
        file=model_file.name,
        sha256=sha256_of(model_file),
        digest=model.digest,
        percentiles=HU_PERCENTILES,
        coarse=f"{first.coarse.spacing_mm[0]:g}",
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


def _triple(mm: tuple[float, ...]) -> str:
    return " × ".join(f"{value:.3g}" for value in mm)
