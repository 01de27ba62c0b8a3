"""How figures are written."""

from pydantic import Field, field_validator

from otosynth.configuration.base import Section
from otosynth.errors import InputError
from otosynth.metric_registry import metric_of


class FigureSettings(Section):
    """Look of the figures."""

    dpi: int = Field(200, ge=50, le=600, description="Resolution of the PNG files (dots per inch).")
    specimen: str | None = Field(
        None, description="Specimen shown in Fig. 1, 2 and 8; null: the first that is tested."
    )
    metric: str = Field(
        "dice",
        description="Metric of the boxplots of Fig. 7 and 9, by its name in `tables/scores.csv`; "
        "`dice`: all Dice, of the whole volume and at the cochlea.",
    )

    @field_validator("metric")
    @classmethod
    def metric_is_known(cls, name: str) -> str:
        """Refuse a metric that the registry lacks."""
        try:
            return metric_of(name).name
        except InputError as error:
            raise ValueError(str(error)) from None
