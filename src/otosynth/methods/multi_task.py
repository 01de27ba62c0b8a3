"""Multi task: G gives the micro-CT and the class map (thesis, Fig. 4)."""

from collections.abc import Mapping

from otosynth.methods.conditional_gan import ConditionalGan


class Method(ConditionalGan):
    """Trained by GAN + 5 L1 + 5 perception + 10 Dice (Eq. 6); selected by L1 + Dice."""

    output_channels = 4

    def validation_score(self, losses: Mapping[str, float]) -> float:
        """Weighted L1 plus Dice loss, each with its training weight (docs/method.md, section 8)."""
        w = self.settings.loss_weights
        return w.weighted_l1 * losses["weighted_l1"] + w.dice * losses["dice"]
