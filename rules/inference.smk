"""The selected epoch, and its prediction of whole tested ears (method 8)."""


rule select_epoch:
    input:
        checkpoints=f"{TRAINING}/checkpoints",
        table=lambda wildcards: patch_table(
            wildcards.group, "validation", factor_of(wildcards.method)
        ),
        pairs=lambda wildcards: pairs_of(
            GROUPS[wildcards.group].validation, factor_of(wildcards.method)
        ),
        normalisation=f"{RESULTS}/groups/{{group}}/normalisation.json",
    output:
        validation=f"{TRAINING}/validation.tsv",
        selected=f"{TRAINING}/selected.json",
    log:
        f"{LOGS}/select_epoch/{{group}}-{{method}}-{{seed}}.log",
    benchmark:
        f"{BENCHMARKS}/select_epoch/{{group}}-{{method}}-{{seed}}.tsv"
    conda:
        ENVIRONMENT
    threads: STUDY.training.threads
    resources:
        gpu=1,
        mem_mb=growing(2000),
        runtime=growing(60),
    params:
        mirrored=lambda wildcards: sides_of(GROUPS[wildcards.group].validation),
        method=method_settings,
        training=settings(STUDY.training, include={"threads", "device"}),
        code=code_of_method("select_epoch.py"),
    message:
        "Selecting the epoch of {wildcards.method}, group {wildcards.group}, seed {wildcards.seed}"
    script:
        "../scripts/select_epoch.py"


rule predict:
    input:
        checkpoints=lambda wildcards: f"{training_of(**wildcards)}/checkpoints",
        selected=lambda wildcards: f"{training_of(**wildcards)}/selected.json",
        table=lambda wildcards: patch_table(
            GROUP_OF[wildcards.specimen], "testing", factor_of(wildcards.method)
        ),
        ct=lambda wildcards: scan_for(wildcards, "ct"),
        mask=lambda wildcards: scan_for(wildcards, "mask"),
        normalisation=lambda wildcards: normalisation_of(wildcards.specimen),
    output:
        microct=f"{PREDICTION}/microct.nii.gz",
        classmap=f"{PREDICTION}/classmap.nii.gz",
    log:
        f"{LOGS}/predict/{{specimen}}-{{method}}-{{seed}}.log",
    benchmark:
        f"{BENCHMARKS}/predict/{{specimen}}-{{method}}-{{seed}}.tsv"
    conda:
        ENVIRONMENT
    threads: STUDY.training.threads
    resources:
        gpu=1,
        mem_mb=growing(2500),
        runtime=growing(60),
    params:
        mirrored=lambda wildcards: is_mirrored(wildcards.specimen),
        method=method_settings,
        training=settings(STUDY.training, include={"threads", "device"}),
        classmap=settings(STUDY.classmap),
        code=code_of_method("predict.py"),
    message:
        "Predicting {wildcards.specimen} by {wildcards.method}, seed {wildcards.seed}"
    script:
        "../scripts/predict.py"
