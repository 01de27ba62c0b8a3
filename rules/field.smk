"""The electric field of a cochlear implant, by every class map (docs/field.md)."""


rule place_electrodes:
    input:
        landmarks=lambda wildcards: landmarks_of(wildcards.specimen),
    output:
        f"{FIELD}/electrodes.csv",
    log:
        f"{LOGS}/place_electrodes/{{specimen}}.log",
    benchmark:
        f"{BENCHMARKS}/place_electrodes/{{specimen}}.tsv"
    conda:
        ENVIRONMENT
    resources:
        mem_mb=growing(1000),
        runtime=growing(5),
    params:
        electric_field=settings(
            STUDY.electric_field, exclude={"compute", *SOLVING_KEYS}
        ),
        phantom=settings(STUDY.phantom) if IS_PHANTOM else None,
        side=lambda wildcards: SPECIMENS[wildcards.specimen].side,
        seed=STUDY.seed,
        code=code("place_electrodes.py"),
    message:
        "Placing electrodes and neural sites in {wildcards.specimen}"
    script:
        "../scripts/place_electrodes.py"


rule electric_field:
    input:
        electrodes=f"{FIELD}/electrodes.csv",
        classmap=lambda wildcards: field_map_of(**wildcards),
        truth=f"{SPECIMEN}/classmap.nii",
        mask=f"{SPECIMEN}/mask.nii",
        structures=lambda wildcards: structures_of(wildcards.specimen),
    output:
        f"{FIELD}/{{method}}/seed-{{seed}}/potentials.csv",
    log:
        f"{LOGS}/electric_field/{{specimen}}-{{method}}-{{seed}}.log",
    benchmark:
        f"{BENCHMARKS}/electric_field/{{specimen}}-{{method}}-{{seed}}.tsv"
    conda:
        ENVIRONMENT
    threads: 1
    resources:
        mem_mb=growing(3000),
        runtime=growing(30),
    params:
        electric_field=settings(STUDY.electric_field, include=SOLVING_KEYS),
        truth=TRUTH,
        code=code("electric_field.py"),
    message:
        "Solving the electric field of {wildcards.specimen} by {wildcards.method}, seed {wildcards.seed}"
    script:
        "../scripts/electric_field.py"


rule score_field:
    input:
        electrodes=f"{FIELD}/electrodes.csv",
        truth=f"{FIELD}/{TRUTH}/seed-{NO_SEED}/potentials.csv",
        predicted=f"{FIELD}/{{method}}/seed-{{seed}}/potentials.csv",
    output:
        f"{FIELD}/{{method}}/seed-{{seed}}.csv",
    log:
        f"{LOGS}/score_field/{{specimen}}-{{method}}-{{seed}}.log",
    benchmark:
        f"{BENCHMARKS}/score_field/{{specimen}}-{{method}}-{{seed}}.tsv"
    conda:
        ENVIRONMENT
    resources:
        mem_mb=growing(500),
        runtime=growing(5),
    params:
        code=code("score_field.py"),
    message:
        "Scoring the electric field by {wildcards.method} on {wildcards.specimen}, seed {wildcards.seed}"
    script:
        "../scripts/score_field.py"


rule draw_field_scores:
    input:
        scores=f"{RESULTS}/tables/scores.csv",
    output:
        report(
            f"{FIGURE}11.png",
            category="Figures",
            labels={"figure": "11: electric field"},
            caption="../docs/captions/fig11.rst",
        ),
        f"{FIGURE}11.pdf",
    log:
        f"{LOGS}/draw_field_scores.log",
    benchmark:
        f"{BENCHMARKS}/draw_field_scores.tsv"
    conda:
        ENVIRONMENT
    resources:
        mem_mb=growing(1000),
        runtime=growing(5),
    params:
        titles=TITLES,
        label=STUDY.label,
        figures=settings(STUDY.figures, include={"dpi"}),
        code=code("draw_field_scores.py"),
    message:
        "Drawing Figure 11: the electric field by every method"
    script:
        "../scripts/draw_field_scores.py"


rule draw_field:
    input:
        electrodes=f"{RESULTS}/field/{FIELD_SHOWN}/electrodes.csv",
        truth=f"{pair_folder(FIELD_SHOWN, 1)}/classmap.nii",
        mask=f"{pair_folder(FIELD_SHOWN, 1)}/mask.nii",
        structures=structures_of(FIELD_SHOWN),
        classmaps=[
            class_map_of(FIELD_SHOWN, name, FIRST_SEED) for name in SHOWN_IN_FIGURE_12
        ],
    output:
        report(
            f"{FIGURE}12.png",
            category="Figures",
            labels={"figure": "12: field round the array"},
            caption="../docs/captions/fig12.rst",
        ),
        f"{FIGURE}12.pdf",
    log:
        f"{LOGS}/draw_field.log",
    benchmark:
        f"{BENCHMARKS}/draw_field.tsv"
    conda:
        ENVIRONMENT
    threads: 1
    resources:
        mem_mb=growing(4000),
        runtime=growing(30),
    params:
        specimen=FIELD_SHOWN,
        electric_field=settings(STUDY.electric_field, include=SOLVING_KEYS),
        titles=SHOWN_IN_FIGURE_12,
        label=STUDY.label,
        figures=settings(STUDY.figures, include={"dpi"}),
        code=code("draw_field.py"),
    message:
        "Drawing Figure 12: the field round the array of {params.specimen}"
    script:
        "../scripts/draw_field.py"
