"""Networks of the study, by what they are in the field."""
