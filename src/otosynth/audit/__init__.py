"""Answers of a finished study's records: are they true, and where does a number come from?"""
