"""What the viewer's page and the report are both made of."""

import json
from collections.abc import Mapping
from importlib.resources import files
from typing import Any


def asset(name: str) -> str:
    """Return the text of a script or style sheet of the viewer."""
    return (files("otosynth.viewing") / "assets" / name).read_text(encoding="utf-8")


def json_in_page(facts: Mapping[str, Any]) -> str:
    """Return JSON that may stand in a page's script: no text in it can end the script."""
    return json.dumps(facts).replace("<", "\\u003c")
