"""What a person watches while a training runs: TensorBoard curves and Fig. 5's images."""

from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch

from otosynth.methods.base import Batch, Method, Networks
from otosynth.selection import PREFIX
from otosynth.tissues import CLASSES
from otosynth.training.arithmetic import Arithmetic

if TYPE_CHECKING:
    from torch.utils.tensorboard import SummaryWriter


def monitor_images(
    method: Method, networks: Networks, batch: Batch, arithmetic: Arithmetic
) -> dict[str, np.ndarray]:
    """Return the middle slices of Fig. 5 for one patch.

    Returns
    -------
    dict
        ``real_A`` (CT), ``real_B`` (micro-CT) and, where the method gives one, ``fake_B``
        (synthetic micro-CT), each (y, x) in [-1, 1]; and, where it gives one, ``fake_class_map``
        beside ``target_class_map``, (y, x) with air 0, soft tissue 1, bone 2.
    """
    for network in networks.values():
        network.eval()
    with torch.inference_mode(), arithmetic.for_networks():
        prediction = method.look(networks, batch)
    middle = batch.ct.shape[2] // 2
    images = {"real_A": batch.ct[0, 0, middle], "real_B": batch.microct[0, 0, middle]}
    if prediction.microct is not None:
        images["fake_B"] = prediction.microct[0, 0, middle]
    if prediction.probabilities is not None:
        images["fake_class_map"] = prediction.probabilities[0, :, middle].argmax(dim=0)
        images["target_class_map"] = batch.classes[0, :, middle].argmax(dim=0)
    return {name: image.float().cpu().numpy() for name, image in images.items()}


class Monitor:
    """Writes a training's curves and Fig. 5's images for TensorBoard.

    Curves of losses, of the validation, and of rate, speed and time left.

    All curves run over epochs. A continued training writes into the same folder, a file more; what
    an earlier process showed of epochs that are trained again no longer counts.
    """

    def __init__(self, folder: Path, first_epoch: int) -> None:
        self.folder, self.first_epoch = folder, first_epoch
        folder.mkdir(parents=True, exist_ok=True)

    @cached_property
    def writer(self) -> "SummaryWriter":
        """What writes the files; made when there is something to show: no step waits for it."""
        # Imported here: TensorBoard takes a second to import, and only training needs it.
        from torch.utils.tensorboard import SummaryWriter

        return SummaryWriter(str(self.folder), purge_step=self.first_epoch + 1)

    def write_epoch(self, row: dict[str, float], images: dict[str, np.ndarray]) -> None:
        """Write one epoch: the row of the history and the images."""
        epoch = int(row["epoch"])
        for name, value in row.items():
            if name.startswith(PREFIX):
                self.writer.add_scalar(f"validation/{name.removeprefix(PREFIX)}", value, epoch)
            elif name not in ("epoch", "steps"):
                self.writer.add_scalar(f"training/{name}", value, epoch)
        for name, image in images.items():
            self.writer.add_image(f"fig5/{name}", _grey(name, image), epoch, dataformats="HW")
        self.writer.flush()

    def write_speed(self, epochs: int, steps_per_second: float, seconds_left: float) -> None:
        """Write how fast the training is and how long it still takes.

        Parameters
        ----------
        epochs
            Epochs finished: TensorBoard shows the newest of several values of one epoch.
        seconds_left
            To the last epoch.
        """
        self.writer.add_scalar("speed/steps_per_second", steps_per_second, epochs)
        self.writer.add_scalar("speed/minutes_left", seconds_left / 60, epochs)
        self.writer.flush()

    def close(self) -> None:
        """Close the files."""
        self.writer.close()


def _grey(name: str, image: np.ndarray) -> np.ndarray:
    """Scale an image to [0, 1]: classes by their number, intensities from [-1, 1]."""
    if name.endswith("class_map"):
        return image / (len(CLASSES) - 1)
    return np.clip((image + 1) / 2, 0, 1)
