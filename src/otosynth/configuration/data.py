"""Where the scans come from, and which ears train, validate and test."""

from pathlib import Path
from typing import Literal

from pydantic import Field, field_validator, model_validator

from otosynth.configuration.base import Section
from otosynth.errors import InputError
from otosynth.volumes.stated import Stated


class DataSettings(Section):
    """Raw scans: the phantom that the project makes, or files of a lab."""

    source: Literal["phantom", "files"] = Field(
        "phantom",
        description="`phantom`: scans are made from the seed; `files`: read from `folder`.",
    )
    folder: Path = Field(
        Path("data"), description="Folder of the raw scans; paths in the specimen table start here."
    )
    specimens: Path = Field(
        description="Specimen table (TSV or CSV): specimen, side, ct, microct, initial_transform, "
        "electrodes, ct_stated, microct_stated. "
        "`{folder}` stands for data.folder."
    )
    default_side: Literal["left", "right"] = Field(
        "right", description="Side of ears whose table has no `side` column."
    )
    working_side: Literal["left", "right"] = Field(
        "right", description="Side on which networks and atlases work; other ears are mirrored."
    )
    ct_stated: str = Field(
        "",
        description="What the CTs' files do not state, words separated by spaces: "
        "`orientation=LPS` (to where x, y and z lead), `unit=um` (or mm, m), `believe=sform` "
        "(which of two statements that contradict each other; the message names them). A column "
        "`ct_stated` of the specimen table goes before, word by word.",
    )
    microct_stated: str = Field("", description="The same of the micro-CTs' files.")

    @field_validator("ct_stated", "microct_stated")
    @classmethod
    def _can_be_stated(cls, text: str) -> str:
        try:
            Stated.parse(text)
        except InputError as error:
            raise ValueError(str(error)) from None
        return text

    @property
    def specimen_table(self) -> Path:
        """Path of the specimen table with `{folder}` filled in."""
        return Path(str(self.specimens).format(folder=self.folder))


class GroupSettings(Section):
    """Leave-k-out groups: from a table (thesis, Table 1) or generated."""

    table: Path | None = Field(
        None, description="Table with columns group, testing, training, validation; or null."
    )
    leave_out: int | None = Field(
        None, ge=1, description="k: generate groups that test k specimens each; or null."
    )
    validation: int = Field(
        1, ge=1, description="Validation specimens of a generated group (with leave_out)."
    )

    @model_validator(mode="after")
    def one_source_only(self) -> "GroupSettings":
        """Either a table or leave_out decides the groups."""
        if (self.table is None) == (self.leave_out is None):
            raise ValueError("give exactly one of groups.table and groups.leave_out")
        return self
