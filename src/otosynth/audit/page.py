"""The chain behind a number as one HTML page with pictures, and as a tree in the terminal."""

import base64
import io
from functools import cache
from pathlib import Path

import jinja2
import nibabel
import numpy as np
from PIL import Image
from rich.markup import escape
from rich.tree import Tree

from otosynth.audit.selection import Selection
from otosynth.audit.trace import Step
from otosynth.files import write_bytes
from otosynth.provenance.tree import Root
from otosynth.volumes.mapping import NIBABEL_ERRORS

DIGITS = 12
# Longer side of a picture (pixels); class maps are stretched to all greys.
PICTURE_PX = 220
MOST_FILES = 6


def as_tree(step: Step, tree: Tree | None = None) -> Tree:
    """Return a step and all before it as a tree for the terminal."""
    lines = [f"[bold]{escape(step.title)}[/bold]" + (" (shown above)" if step.repeated else "")]
    lines += [f"[cyan]{escape(fact)}[/cyan]" for fact in step.facts]
    # Those that are not as recorded come first, so that none is left out.
    for name, _, digest, whole in sorted(step.files, key=lambda file: file[3])[:MOST_FILES]:
        mark = "[green]as recorded[/green]" if whole else "[red]NOT AS RECORDED[/red]"
        lines.append(f"{escape(name)}  [dim]sha256 {digest[:DIGITS]}[/dim] {mark}")
    if len(step.files) > MOST_FILES:
        lines.append(f"and {len(step.files) - MOST_FILES} more files")
    label = "\n".join(lines)
    branch = Tree(label) if tree is None else tree.add(label)
    for before in step.before:
        as_tree(before, branch)
    return branch


def write_page(path: Path, selection: Selection, step: Step, root: Root) -> None:
    """Write the chain as one HTML file that needs nothing else; ``root`` is ``root.json``."""
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("otosynth.audit"), autoescape=True, trim_blocks=True,
        lstrip_blocks=True,
    )  # fmt: skip
    page = environment.get_template("trace.html").render(
        selection=selection, step=step, root=root, picture=picture_of, digits=DIGITS,
    )  # fmt: skip
    write_bytes(path, page.encode())


@cache
def picture_of(path: Path) -> str:
    """Return a picture of a file as a data URL; empty where there is none to show.

    Of a volume it is the slice in its middle, with the first and the 99th percentile of its
    intensities black and white.
    """
    try:
        if path.suffix == ".png":
            return _url(path.read_bytes())
        if path.name.endswith((".nii", ".nii.gz")):
            return _url(_slice(path))
    except (*NIBABEL_ERRORS, EOFError):
        pass
    return ""


def _slice(path: Path) -> bytes:
    volume = nibabel.Nifti1Image.from_filename(path).dataobj
    middle = np.asarray(volume[:, :, volume.shape[2] // 2], dtype=np.float64).T
    low, high = np.percentile(middle, [1, 99])
    if high <= low:
        low, high = middle.min(), max(middle.max(), middle.min() + 1)
    grey = (np.clip((middle - low) / (high - low), 0, 1) * 255).astype(np.uint8)
    image = Image.fromarray(grey)
    scale = PICTURE_PX / max(image.size)
    size = (max(1, round(image.width * scale)), max(1, round(image.height * scale)))
    buffer = io.BytesIO()
    image.resize(size, Image.Resampling.NEAREST).save(buffer, "PNG")
    return buffer.getvalue()


def _url(png: bytes) -> str:
    return "data:image/png;base64," + base64.b64encode(png).decode()
