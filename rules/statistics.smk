"""Summary and comparison of methods over the tested ears, and calibration (method 8)."""


rule summarise_methods:
    input:
        scores=f"{RESULTS}/tables/scores.csv",
        regions=[region_of(specimen, "json") for specimen in GROUP_OF],
    output:
        report(
            f"{RESULTS}/tables/summary.csv",
            category="Tables",
            labels={"table": "Summary of the methods"},
            caption="../docs/captions/summary.rst",
        ),
        f"{RESULTS}/tables/summary.md",
        report(
            f"{RESULTS}/tables/measures.csv",
            category="Tables",
            labels={"table": "Every measure of the methods"},
            caption="../docs/captions/measures.rst",
        ),
        f"{RESULTS}/tables/measures.md",
    log:
        f"{LOGS}/summarise_methods.log",
    benchmark:
        f"{BENCHMARKS}/summarise_methods.tsv"
    conda:
        ENVIRONMENT
    resources:
        mem_mb=growing(1000),
        runtime=growing(5),
    params:
        reference=REFERENCE,
        ears=list(GROUP_OF),
        titles=TITLES,
        label=STUDY.label,
        seed=STUDY.seed,
        petaflop=STUDY.training.petaflop,
        statistics=settings(STUDY.statistics, include={"compare", "resamples"}),
        code=code("summarise_methods.py"),
    message:
        "Summarising all methods over the tested ears"
    script:
        "../scripts/summarise_methods.py"


rule compare_methods:
    input:
        scores=f"{RESULTS}/tables/scores.csv",
    output:
        table=report(
            f"{RESULTS}/tables/comparison.csv",
            category="Tables",
            labels={"table": "Paired differences"},
            caption="../docs/captions/comparison_table.rst",
        ),
        png=report(
            f"{FIGURE}9.png",
            category="Figures",
            labels={"figure": "9: paired differences"},
            caption="../docs/captions/fig9.rst",
        ),
        pdf=f"{FIGURE}9.pdf",
    log:
        f"{LOGS}/compare_methods.log",
    benchmark:
        f"{BENCHMARKS}/compare_methods.tsv"
    conda:
        ENVIRONMENT
    resources:
        mem_mb=growing(1000),
        runtime=growing(5),
    params:
        study=STUDY.study,
        reference=REFERENCE,
        titles=TITLES,
        label=STUDY.label,
        seed=STUDY.seed,
        statistics=settings(STUDY.statistics, include={"resamples"}),
        figures=settings(STUDY.figures, include={"dpi", "metric"}),
        code=code("compare_methods.py"),
    message:
        "Comparing all methods with {params.reference}"
    script:
        "../scripts/compare_methods.py"


rule measure_calibration:
    input:
        **calibrated(),
    output:
        table=report(
            f"{RESULTS}/tables/calibration.csv",
            category="Tables",
            labels={"table": "Calibration"},
            caption="../docs/captions/calibration.rst",
        ),
        summary=report(
            f"{RESULTS}/tables/uncertainty.csv",
            category="Tables",
            labels={"table": "Uncertainty"},
            caption="../docs/captions/uncertainty.rst",
        ),
        png=report(
            f"{FIGURE}10.png",
            category="Figures",
            labels={"figure": "10: calibration"},
            caption="../docs/captions/calibration.rst",
        ),
        pdf=f"{FIGURE}10.pdf",
    log:
        f"{LOGS}/measure_calibration.log",
    benchmark:
        f"{BENCHMARKS}/measure_calibration.tsv"
    conda:
        ENVIRONMENT
    resources:
        mem_mb=growing(2000),
        runtime=growing(10),
    params:
        study=STUDY.study,
        titles={name: TITLES[name] for name in CONFIDENT},
        label=STUDY.label,
        figures=settings(STUDY.figures, include={"dpi"}),
        code=code("measure_calibration.py"),
    message:
        "Measuring how far the confidence of predictions can be trusted"
    script:
        "../scripts/measure_calibration.py"
