"""The one typed definition of the configuration, a module a section.

``config.yaml`` states every key; ``docs/configuration.md`` is generated from these classes.
"""
