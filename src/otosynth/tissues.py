"""The three tissue classes of every class map in the study (method.md section 4)."""

AIR, SOFT, BONE = 0, 1, 2
"""Values of the classes in a class map; fluid counts as soft."""

CLASSES = ("air", "soft", "bone")
"""Names of the classes, at the index that is their value."""
