"""What every section of the configuration shares: unknown keys are refused."""

from pydantic import BaseModel, ConfigDict


class Section(BaseModel):
    """A section of ``config.yaml``: immutable, and strict about unknown keys."""

    model_config = ConfigDict(extra="forbid", frozen=True)
