"""Settings as plain data."""

from collections.abc import Mapping
from typing import Any


def dotted(settings: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """Return nested settings with dotted names, as the configuration's users write them.

    Examples
    --------
    >>> dotted({"patches": {"size": 64}, "seed": 1})
    {'patches.size': 64, 'seed': 1}
    """
    flat: dict[str, Any] = {}
    for key, value in settings.items():
        name = f"{prefix}{key}"
        flat |= dotted(value, f"{name}.") if isinstance(value, Mapping) else {name: value}
    return flat
