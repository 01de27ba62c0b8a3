"""The volumes that the report holds: of as many ears as fit, at 8 bits."""

import base64
import gzip
from dataclasses import dataclass

from otosynth.viewing.page_parts import json_in_page
from otosynth.viewing.study import ViewedEar, ViewedStudy
from otosynth.viewing.volumes import encoded, keys_of, manifest

SCANS = "scans"


@dataclass(frozen=True)
class Embedded:
    """Volumes in base64 of gzip by their keys.

    ``manifest`` is what the viewer's script must know of them, as JSON; ``note`` says what is left
    out.
    """

    volumes: dict[str, str]
    manifest: str
    note: str


def embed(study: ViewedStudy, first: str, room_bytes: int) -> Embedded:
    """Return the volumes of a study, ear by ear, until the room is used.

    An ear has all its methods or is left out, except the first: of that, methods are left out.

    Parameters
    ----------
    study
        The study.
    first
        The ear that comes first: the one that the figures show.
    room_bytes
        What all volumes together may take in the page.
    """
    first_ear, *others = sorted(study.ears, key=lambda ear: (ear.name != first, ear.name))
    volumes, missing = _that_fit(first_ear, room_bytes)
    left_out = [f"{study.titles.get(name, name)} of {first_ear.name}" for name in missing]
    for number, ear in enumerate(others):
        more = None if missing else _whole(ear, room_bytes - _size(volumes))
        if more is None:
            left_out += [other.name for other in others[number:]]
            break
        volumes |= more
    note = f"Left out for the size of this page: {'; '.join(left_out)}." if left_out else ""
    facts = manifest(study, set(volumes))
    facts["ears"].sort(key=lambda ear: (ear["name"] != first, ear["name"]))
    return Embedded(volumes, json_in_page(facts), note)


def _that_fit(ear: ViewedEar, room_bytes: int) -> tuple[dict[str, str], list[str]]:
    """Return an ear's scans and the methods that fit beside them, and what is left out."""
    found: dict[str, str] = {}
    left_out: list[str] = []
    for part, keys in _parts(ear).items():
        new = {key: _packed(encoded(ear, key, 8)) for key in keys}
        if _size(found) + _size(new) <= room_bytes:
            found |= new
        elif part == SCANS:
            # Without them no method is of use.
            return {}, [SCANS]
        else:
            left_out.append(part)
    return found, left_out


def _whole(ear: ViewedEar, room_bytes: int) -> dict[str, str] | None:
    """Return all volumes of an ear; None as soon as they do not fit."""
    found: dict[str, str] = {}
    for key in keys_of(ear):
        found[key] = _packed(encoded(ear, key, 8))
        if _size(found) > room_bytes:
            return None
    return found


def _size(volumes: dict[str, str]) -> int:
    return sum(map(len, volumes.values()))


def _parts(ear: ViewedEar) -> dict[str, list[str]]:
    """Return the volumes of an ear: its scans, and those of each method."""
    parts: dict[str, list[str]] = {SCANS: []}
    for key in keys_of(ear):
        _, *method, _ = key.split("/")
        parts.setdefault(method[0] if method else SCANS, []).append(key)
    return parts


def _packed(data: bytes) -> str:
    # No time stands in the bytes, so that the same volume is the same text.
    return base64.b64encode(gzip.compress(data, mtime=0)).decode()
