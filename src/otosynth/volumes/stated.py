"""What a lab states of a scan, where its file does not or contradicts itself."""

import re
from dataclasses import dataclass, fields, replace

from otosynth.errors import InputError

# Lowest and highest of the values that stand for "not measured".
Range = tuple[float, float]
UNITS = ("mm", "um", "m")
ORIENTATION = re.compile(r"(?=.*[RL])(?=.*[AP])(?=.*[SI])[RLAPSI]{3}")


@dataclass(frozen=True)
class Stated:
    """What a lab states of a scan.

    Attributes
    ----------
    orientation
        ``header``, or to where the axes of the file's coordinates lead, for a file that does not
        say it: three letters of R/L, A/P and S/I, such as ``LPS``.
    believe
        ``neither``, or which of two statements to believe, for a file that contradicts itself:
        the message that refuses it names both.
    unit
        ``header``, or the unit of lengths for a file that states none: ``mm``, ``um`` or ``m``.
    """

    orientation: str = "header"
    believe: str = "neither"
    unit: str = "header"

    def __str__(self) -> str:
        """Return the text that ``parse`` reads; empty where nothing is stated."""
        said = {field.name: getattr(self, field.name) for field in fields(self)}
        unsaid = {field.name: field.default for field in fields(self)}
        return " ".join(f"{name}={said[name]}" for name in said if said[name] != unsaid[name])

    @classmethod
    def parse(cls, text: str, default: "Stated | None" = None) -> "Stated":
        """Read ``orientation=LPS believe=sform unit=um``, any of them or none.

        Parameters
        ----------
        default
            What holds of what the text leaves out.

        Raises
        ------
        InputError
            If a word or its value is not known.
        """
        words = {}
        for part in text.split():
            name, _, value = part.partition("=")
            if name not in [field.name for field in fields(cls)] or name in words:
                raise InputError(
                    f"'{text}': '{part}' states nothing of a scan; write orientation=, believe= "
                    "or unit=, each once, separated by spaces."
                )
            words[name] = value
        found = replace(default or cls(), **words)
        if found.orientation != "header" and not ORIENTATION.fullmatch(found.orientation):
            raise InputError(
                f"'{text}': an orientation has three letters, one of R/L, one of A/P and one of "
                "S/I, such as LPS."
            )
        if found.unit not in ("header", *UNITS):
            raise InputError(f"'{text}': a unit is one of {', '.join(UNITS)}.")
        if not re.fullmatch(r"[A-Za-z-]+", found.believe):
            raise InputError(f"'{text}': believe= takes a name that a message gave, as sform.")
        return found


NOTHING_STATED = Stated()
