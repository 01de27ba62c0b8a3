"""otosynth: micro-CT and tissue class maps of the inner ear, predicted from clinical CT.

The library knows nothing of Snakemake; the rules in ``rules/`` call it through ``scripts/``.
Arrays are indexed z, y, x; points are x, y, z in millimetres, LPS (ITK's convention).
"""
