"""Smooth random fields: sums of plane waves, which are the same wherever they are evaluated."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from otosynth.phantom.shapes import Points


@dataclass(frozen=True)
class Waves:
    """A smooth random field: a sum of plane waves with random directions and phases.

    vectors: (m, 3) rad/mm; phases: (m,) rad; amplitudes: (m, c) for a field of c components.
    """

    vectors: npt.NDArray[np.float64]
    phases: npt.NDArray[np.float64]
    amplitudes: npt.NDArray[np.float64]

    @property
    def bound(self) -> float:
        """What no component of the field exceeds in size."""
        return float(np.abs(self.amplitudes).sum(axis=0).max())

    def at(self, points: Points) -> npt.NDArray[np.float32]:
        """Value (c, n) of the field at points (3, n), mm."""
        value = np.zeros((self.amplitudes.shape[1], points.shape[1]), dtype=np.float32)
        for vector, phase, amplitude in zip(
            self.vectors, self.phases, self.amplitudes, strict=True
        ):
            a, b, c = (float(k) for k in vector)
            wave = a * points[0]
            wave += b * points[1]
            wave += c * points[2]
            wave += float(phase)
            np.sin(wave, out=wave)
            for component, weight in zip(value, amplitude, strict=True):
                component += float(weight) * wave
        return value


def draw_waves(
    rng: np.random.Generator,
    count: int,
    wavelengths_mm: tuple[float, float],
    components: int,
    rms: float,
) -> Waves:
    """Draw a field of plane waves whose length over all components has a root mean square."""
    directions = rng.standard_normal((count, 3))
    directions /= np.sqrt((directions**2).sum(axis=1, keepdims=True))
    lengths = rng.uniform(*wavelengths_mm, size=(count, 1))
    amplitudes = rng.standard_normal((count, components))
    amplitudes *= rms / np.sqrt((amplitudes**2).sum() / 2.0)
    phases = rng.uniform(0.0, 2.0 * np.pi, size=count)
    return Waves(directions * (2.0 * np.pi / lengths), phases, amplitudes)
