"""The whole study: raw scans in, every figure and table of the thesis out."""

from snakemake.utils import min_version

min_version("9.0")


configfile: "config.yaml"


include: "rules/common.smk"
include: "rules/data.smk"
include: "rules/registration.smk"
include: "rules/classmap.smk"
include: "rules/cochlea.smk"
include: "rules/patches.smk"
include: "rules/training.smk"
include: "rules/inference.smk"
include: "rules/atlas.smk"
include: "rules/yardsticks.smk"
include: "rules/evaluation.smk"
include: "rules/field.smk"
include: "rules/statistics.smk"
include: "rules/figures.smk"
include: "rules/provenance.smk"
include: "rules/report.smk"


report: "docs/report.rst"


wildcard_constraints:
    specimen="[A-Za-z0-9_-]+",
    group="[A-Za-z0-9_-]+",
    method="[a-z_0-9]+",
    split="training|validation|testing",
    factor=r"\d+",
    seed=r"\d+",


onstart:
    lock_results()
    choose_jobs_only_when_one_ends()
    tell_ears_without_electrodes()
    tell_ears_without_cochlea()


rule all:
    default_target: True
    input:
        FIGURES,
        TABLES,
        QUALITY_FIGURES,
        ROOT_OF_RECORDS,
        REPORT,
    message:
        "All figures and tables are in {RESULTS}, on one page: {REPORT}"


localrules:
    all,
