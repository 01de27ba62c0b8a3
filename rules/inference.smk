"""The selected epoch, and its prediction of whole tested ears (method 8)."""


rule select_epoch:
    input:
        history=f"{TRAINING}/history.tsv",
    output:
        validation=f"{TRAINING}/validation.tsv",
        selected=f"{TRAINING}/selected.json",
    log:
        f"{LOGS}/select_epoch/{{group}}-{{method}}-{{seed}}.log",
    benchmark:
        f"{BENCHMARKS}/select_epoch/{{group}}-{{method}}-{{seed}}.tsv"
    conda:
        ENVIRONMENT
    resources:
        mem_mb=growing(500),
        runtime=growing(10),
    params:
        first_epoch=lambda wildcards: STUDY.methods[
            wildcards.method
        ].first_selectable_epoch,
        code=code("select_epoch.py"),
    message:
        "Selecting the epoch of {wildcards.method}, group {wildcards.group}, seed {wildcards.seed}"
    script:
        "../scripts/select_epoch.py"


# Of the confidence in a prediction; the class map does not depend on it.
rule fit_temperature:
    input:
        checkpoints=lambda wildcards: f"{lender_of(**wildcards)}/checkpoints",
        selected=lambda wildcards: f"{lender_of(**wildcards)}/selected.json",
        table=lambda wildcards: patch_table(
            wildcards.group, "validation", factor_of(wildcards.method)
        ),
        pairs=lambda wildcards: pairs_of(
            GROUPS[wildcards.group].validation, factor_of(wildcards.method)
        ),
        normalisation=f"{RESULTS}/groups/{{group}}/normalisation.json",
        priors=lambda wildcards: priors_of(
            wildcards.group, GROUPS[wildcards.group].validation, wildcards.method
        ),
    output:
        f"{TRAINING}/temperature.json",
    log:
        f"{LOGS}/fit_temperature/{{group}}-{{method}}-{{seed}}.log",
    benchmark:
        f"{BENCHMARKS}/fit_temperature/{{group}}-{{method}}-{{seed}}.tsv"
    wildcard_constraints:
        method=any_of(CONFIDENT),
    conda:
        ENVIRONMENT
    threads: STUDY.training.threads
    resources:
        gpu=1,
        mem_mb=growing(2500),
        runtime=growing(60),
    params:
        mirrored=lambda wildcards: sides_of(GROUPS[wildcards.group].validation),
        method=predicting_settings,
        seed=STUDY.seed,
        training=settings(STUDY.training, include={"threads", "device"}),
        code=code_of_method("fit_temperature.py"),
    message:
        "Fitting the confidence of {wildcards.method}, group {wildcards.group}, seed {wildcards.seed}"
    script:
        "../scripts/fit_temperature.py"


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
        priors=lambda wildcards: priors_of(
            GROUP_OF[wildcards.specimen], [wildcards.specimen], wildcards.method
        ),
        temperature=lambda wildcards: temperature_of(**wildcards),
    output:
        microct=f"{PREDICTION}/microct.nii.gz",
        classmap=f"{PREDICTION}/classmap.nii.gz",
    log:
        f"{LOGS}/predict/{{specimen}}-{{method}}-{{seed}}.log",
    benchmark:
        f"{BENCHMARKS}/predict/{{specimen}}-{{method}}-{{seed}}.tsv"
    wildcard_constraints:
        method=any_of(
            name
            for name, method in TESTED.items()
            if method.gives_microct and name not in CONFIDENT
        ),
    conda:
        ENVIRONMENT
    threads: STUDY.training.threads
    resources:
        gpu=1,
        mem_mb=growing(2500),
        runtime=growing(60),
    params:
        mirrored=lambda wildcards: is_mirrored(wildcards.specimen),
        method=predicting_settings,
        seed=STUDY.seed,
        training=settings(STUDY.training, include={"threads", "device"}),
        classmap=settings(STUDY.classmap),
        code=code_of_method("predict.py"),
    message:
        "Predicting {wildcards.specimen} by {wildcards.method}, seed {wildcards.seed}"
    script:
        "../scripts/predict.py"


# The same for a method that gives classes alone: it has no micro-CT to write.
use rule predict as predict_classes with:
    output:
        classmap=f"{PREDICTION}/classmap.nii.gz",
    log:
        f"{LOGS}/predict_classes/{{specimen}}-{{method}}-{{seed}}.log",
    benchmark:
        f"{BENCHMARKS}/predict_classes/{{specimen}}-{{method}}-{{seed}}.tsv"
    wildcard_constraints:
        method=any_of(
            name for name, method in TESTED.items() if not method.gives_microct
        ),


# The same for a method that averages several predictions: they tell how sure it is.
use rule predict as predict_confidence with:
    output:
        microct=f"{PREDICTION}/microct.nii.gz",
        classmap=f"{PREDICTION}/classmap.nii.gz",
        confidence=f"{PREDICTION}/confidence.nii.gz",
        uncertainty=f"{PREDICTION}/uncertainty.nii.gz",
    log:
        f"{LOGS}/predict_confidence/{{specimen}}-{{method}}-{{seed}}.log",
    benchmark:
        f"{BENCHMARKS}/predict_confidence/{{specimen}}-{{method}}-{{seed}}.tsv"
    wildcard_constraints:
        method=any_of(CONFIDENT),


rule segment_synthetic:
    input:
        microct=f"{PREDICTION}/microct.nii.gz",
        mask=lambda wildcards: (
            f"{pair_folder(wildcards.specimen, factor_of(SEGMENTOR))}/mask.nii"
        ),
        checkpoints=lambda wildcards: (
            f"{training_of(wildcards.specimen, SEGMENTOR, FIRST_SEED)}/checkpoints"
        ),
        selected=lambda wildcards: (
            f"{training_of(wildcards.specimen, SEGMENTOR, FIRST_SEED)}/selected.json"
        ),
        normalisation=lambda wildcards: normalisation_of(wildcards.specimen),
    output:
        f"{PREDICTION}/segmented.nii.gz",
    log:
        f"{LOGS}/segment_synthetic/{{specimen}}-{{method}}-{{seed}}.log",
    benchmark:
        f"{BENCHMARKS}/segment_synthetic/{{specimen}}-{{method}}-{{seed}}.tsv"
    conda:
        ENVIRONMENT
    threads: STUDY.training.threads
    resources:
        gpu=1,
        mem_mb=growing(2500),
        runtime=growing(30),
    params:
        mirrored=lambda wildcards: is_mirrored(wildcards.specimen),
        segmentor=lambda wildcards: settings(
            STUDY.methods[SEGMENTOR], exclude=BORROWER_KEYS
        ),
        training=settings(STUDY.training, include={"threads", "device"}),
        patch_size=STUDY.patches.size,
        code=code_of_segmentor("segment_synthetic.py"),
    message:
        "Segmenting the micro-CT of {wildcards.specimen} by {wildcards.method}, seed {wildcards.seed}"
    script:
        "../scripts/segment_synthetic.py"
