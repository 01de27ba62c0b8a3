"""Settings of the yardsticks: what two numbers on the CT can do."""

from pydantic import Field

from otosynth.configuration.base import Section


class YardstickSettings(Section):
    """Thresholds on the CT, which every method is to beat (method.md 8)."""

    bin_width_hu: float = Field(
        10.0,
        gt=0,
        le=100,
        description="Distance in HU of the thresholds that are tried on the training ears: "
        "multiples of it, all pairs.",
    )
