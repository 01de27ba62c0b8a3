"""Figures of the study: one module a figure, one look, the same bytes whenever drawn."""
