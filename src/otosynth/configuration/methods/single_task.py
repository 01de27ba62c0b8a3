"""Settings of the single-task GAN (thesis, Fig. 3)."""

from typing import ClassVar

from pydantic import model_validator

from otosynth.configuration.methods.gan import GanSettings

OF_CLASSES = ("dice", "hausdorff", "centreline")


class Settings(GanSettings):
    """Trained by GAN + 5 L1 + 10 perception (Eq. 5)."""

    gives_classes: ClassVar[bool] = False

    @model_validator(mode="after")
    def no_loss_of_classes(self) -> "Settings":
        """Refuse losses of a class map, which single_task's network does not give."""
        for name in OF_CLASSES:
            if getattr(self.loss_weights, name) > 0:
                raise ValueError(f"loss_weights.{name} must be 0: single_task gives no class map")
        return self
