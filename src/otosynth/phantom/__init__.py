"""Virtual ears with exactly known anatomy, made from a seed (method.md section 9)."""

from otosynth.phantom.ear import PhantomEar, make_ear
from otosynth.phantom.structures import STRUCTURES, Structure

__all__ = ["STRUCTURES", "PhantomEar", "Structure", "make_ear"]
