"""Settings of the multi-task GAN (thesis, Fig. 4)."""

from otosynth.configuration.methods.gan import GanSettings


class Settings(GanSettings):
    """Trained by GAN + 5 L1 + 5 perception + 10 Dice (Eq. 6)."""
