"""How methods are summarised and compared (docs/method.md, section 8)."""

from pydantic import Field

from otosynth.configuration.base import Section


class StatisticsSettings(Section):
    """Differences between methods over the tested ears."""

    compare: bool = Field(
        True,
        description="Whether differences between methods are tabled and drawn. false: a study "
        "whose trainings are too short to compare; its summary says that it ranks nothing.",
    )
    reference: str | None = Field(
        None,
        description="Method that all others are compared with: an atlas, a trained method or a "
        "yardstick; null: the atlas.",
    )
    resamples: int = Field(
        10_000, ge=1000, description="How often the bootstrap draws the ears anew (count)."
    )
