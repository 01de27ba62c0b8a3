"""How figures are written."""

from pydantic import Field

from otosynth.configuration.base import Section


class FigureSettings(Section):
    """Look of the figures."""

    dpi: int = Field(200, ge=50, le=600, description="Resolution of the PNG files (dots per inch).")
    specimen: str | None = Field(
        None, description="Specimen shown in Fig. 1, 2 and 8; null: the first that is tested."
    )
