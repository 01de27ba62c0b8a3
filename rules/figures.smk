"""Figures 1 to 8 of the thesis, regenerated (method 8)."""


rule draw_pair:
    input:
        pair=pairs_of([SHOWN], 1),
        normalisation=normalisation_of(SHOWN),
    output:
        report(
            f"{FIGURE}1.png",
            category="Figures",
            labels={"figure": "1: CT, micro-CT, class map"},
            caption="../docs/captions/fig1.rst",
        ),
        f"{FIGURE}1.pdf",
    log:
        f"{LOGS}/draw_pair.log",
    benchmark:
        f"{BENCHMARKS}/draw_pair.tsv"
    conda:
        ENVIRONMENT
    resources:
        mem_mb=growing(3000),
        runtime=growing(10),
    params:
        specimen=SHOWN,
        label=STUDY.label,
        figures=settings(STUDY.figures, include={"dpi"}),
        code=code("draw_pair.py"),
    message:
        "Drawing Figure 1: CT, micro-CT and class map of {params.specimen}"
    script:
        "../scripts/draw_pair.py"


rule draw_closing:
    input:
        microct=f"{pair_folder(SHOWN, 1)}/microct.nii",
        mask=f"{pair_folder(SHOWN, 1)}/mask.nii",
        thresholds=f"{pair_folder(SHOWN, 1)}/classmap.json",
        normalisation=normalisation_of(SHOWN),
    output:
        report(
            f"{FIGURE}2.png",
            category="Figures",
            labels={"figure": "2: steps of the closing"},
            caption="../docs/captions/fig2.rst",
        ),
        f"{FIGURE}2.pdf",
    log:
        f"{LOGS}/draw_closing.log",
    benchmark:
        f"{BENCHMARKS}/draw_closing.tsv"
    conda:
        ENVIRONMENT
    resources:
        mem_mb=growing(4000),
        runtime=growing(20),
    params:
        specimen=SHOWN,
        classmap=settings(STUDY.classmap, include={"closing_radius_um"}),
        label=STUDY.label,
        figures=settings(STUDY.figures, include={"dpi"}),
        code=code("draw_closing.py"),
    message:
        "Drawing Figure 2: the steps of the closing on {params.specimen}"
    script:
        "../scripts/draw_closing.py"


rule draw_framework:
    output:
        report(
            f"{FIGURE}{{number}}.png",
            category="Figures",
            labels={"figure": "{number}: framework"},
            caption="../docs/captions/framework.rst",
        ),
        f"{FIGURE}{{number}}.pdf",
    log:
        f"{LOGS}/draw_framework/{{number}}.log",
    benchmark:
        f"{BENCHMARKS}/draw_framework/{{number}}.tsv"
    wildcard_constraints:
        number="|".join(FRAMEWORKS) or "none",
    conda:
        ENVIRONMENT
    resources:
        mem_mb=growing(1500),
        runtime=growing(5),
    params:
        name=lambda wildcards: FRAMEWORKS[wildcards.number],
        method=lambda wildcards: settings(
            STUDY.methods[FRAMEWORKS[wildcards.number]], exclude=SCHEDULE
        ),
        patch_size=STUDY.patches.size,
        label=STUDY.label,
        figures=settings(STUDY.figures, include={"dpi"}),
        code=code_of_methods("draw_framework.py"),
    message:
        "Drawing Figure {wildcards.number}: the framework of {params.name}"
    script:
        "../scripts/draw_framework.py"


rule draw_monitor:
    input:
        **monitored(),
        normalisation=f"{RESULTS}/groups/{FIRST_GROUP}/normalisation.json",
    output:
        report(
            f"{FIGURE}5.png",
            category="Figures",
            labels={"figure": "5: training monitor"},
            caption="../docs/captions/fig5.rst",
        ),
        f"{FIGURE}5.pdf",
    log:
        f"{LOGS}/draw_monitor.log",
    benchmark:
        f"{BENCHMARKS}/draw_monitor.tsv"
    conda:
        ENVIRONMENT
    threads: STUDY.training.threads
    resources:
        mem_mb=growing(2500),
        runtime=growing(20),
    params:
        group=FIRST_GROUP,
        mirrored=sides_of(GROUPS[FIRST_GROUP].validation),
        methods={
            name: settings(method, exclude=SCHEDULE)
            for name, method in MONITORED.items()
        },
        threads=STUDY.training.threads,
        label=STUDY.label,
        figures=settings(STUDY.figures, include={"dpi"}),
        code=code_of_methods("draw_monitor.py"),
    message:
        "Drawing Figure 5: the training monitor of group {params.group}"
    script:
        "../scripts/draw_monitor.py"


rule draw_validation:
    input:
        validation=expand(
            f"{TRAINING}/validation.tsv",
            method=TRAINED,
            group=GROUPS,
            seed=FIRST_SEED,
        ),
        selected=expand(
            f"{TRAINING}/selected.json",
            method=TRAINED,
            group=GROUPS,
            seed=FIRST_SEED,
        ),
    output:
        report(
            f"{FIGURE}6.png",
            category="Figures",
            labels={"figure": "6: validation curves"},
            caption="../docs/captions/fig6.rst",
        ),
        f"{FIGURE}6.pdf",
    log:
        f"{LOGS}/draw_validation.log",
    benchmark:
        f"{BENCHMARKS}/draw_validation.tsv"
    conda:
        ENVIRONMENT
    resources:
        mem_mb=growing(1000),
        runtime=growing(5),
    params:
        groups=list(GROUPS),
        methods={
            name: settings(method, exclude=SCHEDULE)
            for name, method in TRAINED.items()
        },
        label=STUDY.label,
        figures=settings(STUDY.figures, include={"dpi"}),
        code=code_of_methods("draw_validation.py"),
    message:
        "Drawing Figure 6: validation curves"
    script:
        "../scripts/draw_validation.py"


rule draw_dice:
    input:
        scores=f"{RESULTS}/tables/scores.csv",
        regions=[region_of(specimen, "json") for specimen in GROUP_OF],
        published="config/published.csv",
    output:
        report(
            f"{FIGURE}7.png",
            category="Figures",
            labels={"figure": "7: boxplots"},
            caption="../docs/captions/fig7.rst",
        ),
        f"{FIGURE}7.pdf",
    log:
        f"{LOGS}/draw_dice.log",
    benchmark:
        f"{BENCHMARKS}/draw_dice.tsv"
    conda:
        ENVIRONMENT
    resources:
        mem_mb=growing(1000),
        runtime=growing(5),
    params:
        ears=list(GROUP_OF),
        titles=TITLES,
        label=STUDY.label,
        figures=settings(STUDY.figures, include={"dpi", "metric"}),
        code=code("draw_dice.py"),
    message:
        "Drawing Figure 7: boxplots of {params.figures[metric]}"
    script:
        "../scripts/draw_dice.py"


rule draw_comparison:
    input:
        pair=pairs_of([SHOWN], 1),
        normalisation=normalisation_of(SHOWN),
        dice=f"{RESULTS}/tables/dice.csv",
        classmaps=[class_map_of(SHOWN, name, FIRST_SEED) for name in SHOWN_IN_FIGURE_8],
        microcts=[
            synthetic_microct_of(SHOWN, name, FIRST_SEED) for name in SYNTHESISERS
        ],
    output:
        report(
            f"{FIGURE}8.png",
            category="Figures",
            labels={"figure": "8: visual comparison"},
            caption="../docs/captions/fig8.rst",
        ),
        f"{FIGURE}8.pdf",
    log:
        f"{LOGS}/draw_comparison.log",
    benchmark:
        f"{BENCHMARKS}/draw_comparison.tsv"
    conda:
        ENVIRONMENT
    resources:
        mem_mb=growing(4000),
        runtime=growing(15),
    params:
        specimen=SHOWN,
        titles=SHOWN_IN_FIGURE_8,
        with_microct=SYNTHESISERS,
        label=STUDY.label,
        figures=settings(STUDY.figures, include={"dpi"}),
        code=code("draw_comparison.py"),
    message:
        "Drawing Figure 8: all methods on {params.specimen}"
    script:
        "../scripts/draw_comparison.py"
