"""What class maps are for: the electric potential of a cochlear implant (docs/field.md)."""
