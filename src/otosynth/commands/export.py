"""`otosynth export`: a trained model as one file with its card."""

import argparse
from pathlib import Path

from otosynth.commands.arguments import Commands, add_command, add_places

TEXT = "write a trained model as one file (safetensors, no pickle) with a model card"
EPILOG = """
The model is of a finished study. The file holds the networks' weights, the intensity windows and
the training ears' CTs at 0.6 mm, by which a new CT is brought to the training pose; of a method
with a prior also their CTs and class maps (or micro-CTs) at 0.15 mm. Coarse CTs of people are
data of people: the model card says so.

Written: --out, and the model card beside it, of the same name with the ending .md.

examples:
  otosynth export phantom/residual_unet --out phantom.safetensors
  otosynth export mylab/A/multi_task --out mylab-A.safetensors --data data/mylab
  otosynth predict ear.nii.gz --model phantom.safetensors
"""


def add_export(commands: Commands) -> None:
    """Add the command."""
    parser = add_command(commands, "export", TEXT, EPILOG)
    parser.add_argument("model", help="STUDY/METHOD (all groups) or STUDY/GROUP/METHOD")
    parser.add_argument(
        "--out", type=Path, required=True, metavar="FILE.safetensors", help="the file"
    )
    add_places(parser)
    parser.set_defaults(run=run_export)


def run_export(options: argparse.Namespace) -> int:
    """Export; 0 when file and card are written."""
    from otosynth.files import check_can_write
    from otosynth.prediction.card import write_card
    from otosynth.prediction.model_file import check_name, write_model
    from otosynth.prediction.of_study import ModelName, read_study_model

    check_name(options.out)
    check_can_write(options.out.parent)
    model = read_study_model(ModelName.parse(options.model), options.results, options.data)
    write_model(model, options.out)
    card = write_card(model, options.out)
    size = options.out.stat().st_size / 1024**2
    print(
        f"{options.out}: {model.facts.name}, {len(model.facts.members)} member(s), "
        f"{len(model.references)} training ear(s), {size:.1f} MiB\ncontent {model.digest}\n"
        f"The model card is {card}"
    )
    return 0
