"""`otosynth phantom`: a virtual ear to try things on."""

import argparse
from pathlib import Path

from otosynth.commands.arguments import Commands, add_command
from otosynth.errors import InputError

TEXT = "write a virtual ear with CT, micro-CT and exact classes, to try things on"
EPILOG = """
Written to --out: ct and microct, labels (air 0, soft tissue 1, bone 2) and structures on the
micro-CT's grid, pose.tfm (micro-CT point to CT point) and points.csv. The name and the seed decide
the ear; the same ones give the same bytes. It is a phantom, made from no person's scan.

examples:
  otosynth phantom --out trial
  otosynth phantom --out trial-left --side left --name other --format dicom
  otosynth phantom --out coarse --spacing 0.4 --size 13
"""


def add_phantom(commands: Commands) -> None:
    """Add the command."""
    parser = add_command(commands, "phantom", TEXT, EPILOG)
    parser.add_argument(
        "--out", type=Path, required=True, metavar="DIR", help="a folder that is new or empty"
    )
    parser.add_argument("--name", default="trial", help="the ear's name (trial)")
    parser.add_argument(
        "--side", choices=["left", "right"], default="right", help="of the ear (right)"
    )
    parser.add_argument("--seed", type=int, default=1, help="of all chance (1)")
    parser.add_argument("--spacing", type=float, metavar="MM", help="voxel of the micro-CT (0.12)")
    parser.add_argument("--size", type=float, metavar="MM", help="edge of the micro-CT (15)")
    parser.add_argument(
        "--format",
        choices=["nifti", "nrrd", "metaimage", "tiff", "dicom"],
        default="nifti",
        help="of both scans (nifti)",
    )
    parser.set_defaults(run=run_phantom)


def run_phantom(options: argparse.Namespace) -> int:
    """Make and write an ear; 0 when it is written."""
    # Imported here, as in every command: SimpleITK takes long to import.
    from otosynth.configuration.base import section_of
    from otosynth.configuration.phantom import PhantomSettings
    from otosynth.configuration.tables import THESIS_CODES
    from otosynth.files import check_can_write, whole_files
    from otosynth.phantom import make_ear
    from otosynth.phantom.files import write_ear
    from otosynth.specimens import NAME

    if not NAME.fullmatch(options.name) or options.name in THESIS_CODES:
        raise InputError(
            f"--name {options.name}: use letters, digits, _ and - only, and no code of the "
            f"thesis's ears ({', '.join(sorted(THESIS_CODES))})."
        )
    check_can_write(options.out)
    if whole_files(options.out):
        raise InputError(f"{options.out}: exists and is not empty; choose another --out.")
    wanted = {"spacing_mm": options.spacing, "size_mm": options.size}
    settings = section_of(PhantomSettings, {k: v for k, v in wanted.items() if v is not None})
    ear = make_ear(options.name, options.side, settings, options.seed)
    for path in write_ear(ear, options.out, options.format):
        print(path)
    return 0
