"""Single task: G gives the micro-CT; Otsu and the closing make the class map (thesis, Fig. 3)."""

from collections.abc import Mapping

from otosynth.methods.conditional_gan import ConditionalGan


class Method(ConditionalGan):
    """Trained by GAN + 5 L1 + 10 perception (Eq. 5); selected by L1 + perception."""

    output_channels = 1

    def validation_score(self, losses: Mapping[str, float]) -> float:
        """Weighted L1 plus perception, by their training weights (docs/method.md, section 8)."""
        w = self.settings.loss_weights
        return w.weighted_l1 * losses["weighted_l1"] + w.perception * losses["perception"]
