"""Predicting a CT that no study has seen: trained models, their files, the checks and the result.

``otosynth predict`` and ``otosynth export`` are their command line, :mod:`otosynth.api` the few
functions of a notebook. The DAG uses none of it: it predicts the tested ears of a study.
"""
