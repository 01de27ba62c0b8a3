"""What lies round one ear's labyrinth, moved and scaled by the ear's own variation."""

from dataclasses import dataclass

from otosynth.phantom.middle_ear import cavity
from otosynth.phantom.nerves_vessels import auditory_canal, facial_nerve, large_vessels
from otosynth.phantom.shapes import Union
from otosynth.phantom.small_canals import small_canals
from otosynth.phantom.variation import Variation


@dataclass(frozen=True)
class Surroundings:
    """What differs from ear to ear in its place and size round the labyrinth."""

    middle_ear: Union
    auditory_canal: Union
    facial_nerve: Union
    vessels: Union
    small_canals: Union


def surroundings(variation: Variation) -> Surroundings:
    """Return what lies round an ear's labyrinth, by its variation."""
    v = variation
    return Surroundings(
        middle_ear=cavity(v.middle_ear_scale, v.middle_ear_offset_mm),
        auditory_canal=auditory_canal(v.nerve_offset_mm, v.auditory_canal_width),
        facial_nerve=facial_nerve(v.nerve_offset_mm),
        vessels=large_vessels(v.vessel_offset_mm),
        small_canals=small_canals(v.vessel_seed),
    )
