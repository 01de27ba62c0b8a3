"""Scores of every prediction, and the tables (method 8)."""


rule score_prediction:
    input:
        classmap=lambda wildcards: class_map_of(**wildcards),
        microct=lambda wildcards: synthetic_microct_of(**wildcards),
        segmented=lambda wildcards: segmented_of(**wildcards),
        truth_classmap=f"{SPECIMEN}/classmap.nii",
        truth_microct=f"{SPECIMEN}/microct.nii",
        mask=f"{SPECIMEN}/mask.nii",
        cochlea=lambda wildcards: region_of(wildcards.specimen),
        own_grid=lambda wildcards: own_grid_pair(wildcards.specimen, wildcards.method),
        normalisation=lambda wildcards: normalisation_of(wildcards.specimen),
    output:
        f"{RESULTS}/scores/{{specimen}}/{{method}}/seed-{{seed}}.csv",
    log:
        f"{LOGS}/score_prediction/{{specimen}}-{{method}}-{{seed}}.log",
    benchmark:
        f"{BENCHMARKS}/score_prediction/{{specimen}}-{{method}}-{{seed}}.tsv"
    conda:
        ENVIRONMENT
    resources:
        mem_mb=growing(3000),
        runtime=growing(30),
    params:
        code=code("score_prediction.py"),
    message:
        "Scoring {wildcards.method} on {wildcards.specimen}, seed {wildcards.seed}"
    script:
        "../scripts/score_prediction.py"


rule gather_scores:
    input:
        scores=expand(
            f"{RESULTS}/scores/{{specimen}}/{{run[0]}}/seed-{{run[1]}}.csv",
            specimen=GROUP_OF,
            run=RUNS,
        ),
        fields=expand(
            f"{FIELD}/{{run[0]}}/seed-{{run[1]}}.csv",
            specimen=FIELD_EARS,
            run=RUNS,
        ),
    output:
        scores=report(
            f"{RESULTS}/tables/scores.csv",
            category="Tables",
            labels={"table": "All scores (long)"},
            caption="../docs/captions/scores.rst",
        ),
        dice=report(
            f"{RESULTS}/tables/dice.csv",
            category="Tables",
            labels={"table": "Dice"},
            caption="../docs/captions/dice.rst",
        ),
        cochlear_dice=report(
            f"{RESULTS}/tables/cochlear_dice.csv",
            category="Tables",
            labels={"table": "Dice at the cochlea"},
            caption="../docs/captions/cochlear_dice.rst",
        ),
        perceptual_error=report(
            f"{RESULTS}/tables/perceptual_error.csv",
            category="Tables",
            labels={"table": "Perceptual error"},
            caption="../docs/captions/perceptual_error.rst",
        ),
    log:
        f"{LOGS}/gather_scores.log",
    benchmark:
        f"{BENCHMARKS}/gather_scores.tsv"
    conda:
        ENVIRONMENT
    resources:
        mem_mb=growing(500),
        runtime=growing(5),
    params:
        study=STUDY.study,
        label=STUDY.label,
        group_of=GROUP_OF,
        code=code("gather_scores.py"),
    message:
        "Gathering all scores into one table"
    script:
        "../scripts/gather_scores.py"


rule tabulate_registration:
    input:
        summaries=expand(f"{SPECIMEN}/registration/summary.json", specimen=SPECIMENS),
        target_errors=(
            expand(f"{SPECIMEN}/registration/target_error.json", specimen=SPECIMENS)
            if IS_PHANTOM
            else []
        ),
    output:
        report(
            f"{RESULTS}/tables/registration.csv",
            category="Tables",
            labels={"table": "Registration"},
            caption="../docs/captions/registration_table.rst",
        ),
    log:
        f"{LOGS}/tabulate_registration.log",
    benchmark:
        f"{BENCHMARKS}/tabulate_registration.tsv"
    conda:
        ENVIRONMENT
    resources:
        mem_mb=growing(500),
        runtime=growing(5),
    params:
        study=STUDY.study,
        label=STUDY.label,
        specimens=list(SPECIMENS),
        code=code("tabulate_registration.py"),
    message:
        "Tabulating all registrations"
    script:
        "../scripts/tabulate_registration.py"


rule measure_atlases:
    input:
        transforms=[
            path for name in GROUP_OF for path in transforms_to(name, atlases_of(name))
        ],
        regions=expand(f"{SPECIMEN}/cochlea.nii", specimen=SPECIMENS),
        structures=[path for name in SPECIMENS if (path := structures_of(name))],
    output:
        report(
            f"{RESULTS}/tables/atlases.csv",
            category="Tables",
            labels={"table": "Registered atlases"},
            caption="../docs/captions/atlases.rst",
        ),
    log:
        f"{LOGS}/measure_atlases.log",
    benchmark:
        f"{BENCHMARKS}/measure_atlases.tsv"
    conda:
        ENVIRONMENT
    resources:
        mem_mb=growing(2000),
        runtime=growing(20),
    params:
        study=STUDY.study,
        label=STUDY.label,
        mirrored={
            name: {atlas: other_side(name, atlas) for atlas in atlases_of(name)}
            for name in GROUP_OF
        },
        code=code("measure_atlases.py"),
    message:
        "Measuring how the registered atlases lie on the tested ears"
    script:
        "../scripts/measure_atlases.py"


rule tabulate_class_maps:
    input:
        thresholds=expand(f"{SPECIMEN}/classmap.json", specimen=SPECIMENS),
        scores=(
            expand(f"{SPECIMEN}/classmap_scores.json", specimen=SPECIMENS)
            if IS_PHANTOM
            else []
        ),
    output:
        report(
            f"{RESULTS}/tables/classmaps.csv",
            category="Tables",
            labels={"table": "Class maps"},
            caption="../docs/captions/classmaps_table.rst",
        ),
    log:
        f"{LOGS}/tabulate_class_maps.log",
    benchmark:
        f"{BENCHMARKS}/tabulate_class_maps.tsv"
    conda:
        ENVIRONMENT
    resources:
        mem_mb=growing(500),
        runtime=growing(5),
    params:
        study=STUDY.study,
        label=STUDY.label,
        specimens=list(SPECIMENS),
        code=code("tabulate_class_maps.py"),
    message:
        "Tabulating all class maps"
    script:
        "../scripts/tabulate_class_maps.py"


rule write_table1:
    output:
        report(
            f"{RESULTS}/tables/table1.csv",
            category="Tables",
            labels={"table": "Table 1: groups"},
            caption="../docs/captions/table1.rst",
        ),
        f"{RESULTS}/tables/table1.md",
    log:
        f"{LOGS}/write_table1.log",
    benchmark:
        f"{BENCHMARKS}/write_table1.tsv"
    conda:
        ENVIRONMENT
    resources:
        mem_mb=growing(500),
        runtime=growing(5),
    params:
        groups={
            name: {
                "testing": group.testing,
                "training": group.training,
                "validation": group.validation,
            }
            for name, group in GROUPS.items()
        },
        label=STUDY.label,
        code=code("write_table1.py"),
    message:
        "Writing Table 1: groups"
    script:
        "../scripts/write_table1.py"


rule write_table2:
    input:
        selected=expand(
            f"{TRAINING}/selected.json",
            group=GROUPS,
            method=TRAINED,
            seed=STUDY.training.seeds,
        ),
        published="config/published.csv",
    output:
        report(
            f"{RESULTS}/tables/table2.csv",
            category="Tables",
            labels={"table": "Table 2: selected epochs"},
            caption="../docs/captions/table2.rst",
        ),
        f"{RESULTS}/tables/table2.md",
    log:
        f"{LOGS}/write_table2.log",
    benchmark:
        f"{BENCHMARKS}/write_table2.tsv"
    conda:
        ENVIRONMENT
    resources:
        mem_mb=growing(500),
        runtime=growing(5),
    params:
        runs=[
            (group, method, seed)
            for group in GROUPS
            for method in TRAINED
            for seed in STUDY.training.seeds
        ],
        titles={name: method.title for name, method in TRAINED.items()},
        label=STUDY.label,
        code=code("write_table2.py"),
    message:
        "Writing Table 2: selected epochs"
    script:
        "../scripts/write_table2.py"


rule write_table3:
    input:
        scores=f"{RESULTS}/tables/perceptual_error.csv",
        published="config/published.csv",
    output:
        report(
            f"{RESULTS}/tables/table3.csv",
            category="Tables",
            labels={"table": "Table 3: perceptual error"},
            caption="../docs/captions/table3.rst",
        ),
        f"{RESULTS}/tables/table3.md",
    log:
        f"{LOGS}/write_table3.log",
    benchmark:
        f"{BENCHMARKS}/write_table3.tsv"
    conda:
        ENVIRONMENT
    resources:
        mem_mb=growing(500),
        runtime=growing(5),
    params:
        titles=TITLES,
        label=STUDY.label,
        code=code("write_table3.py"),
    message:
        "Writing Table 3: perceptual error"
    script:
        "../scripts/write_table3.py"
