"""Training of every method on every group (method 7)."""


rule train:
    input:
        pairs=lambda wildcards: pairs_of(
            GROUPS[wildcards.group].training + GROUPS[wildcards.group].validation,
            factor_of(wildcards.method),
        ),
        training=lambda wildcards: patch_table(
            wildcards.group, "training", factor_of(wildcards.method)
        ),
        validation=lambda wildcards: patch_table(
            wildcards.group, "validation", factor_of(wildcards.method)
        ),
        normalisation=f"{RESULTS}/groups/{{group}}/normalisation.json",
        priors=lambda wildcards: priors_of(
            wildcards.group,
            GROUPS[wildcards.group].training + GROUPS[wildcards.group].validation,
            wildcards.method,
        ),
        required=required_files,
    output:
        checkpoints=directory(f"{TRAINING}/checkpoints"),
        tensorboard=directory(f"{TRAINING}/tensorboard"),
        history=f"{TRAINING}/history.tsv",
    log:
        f"{LOGS}/train/{{group}}-{{method}}-{{seed}}.log",
    benchmark:
        f"{BENCHMARKS}/train/{{group}}-{{method}}-{{seed}}.tsv"
    # Trainings are the long jobs: started first, no core idles at the end.
    priority: 10
    conda:
        ENVIRONMENT
    threads: STUDY.training.threads * STUDY.training.processes
    resources:
        **team_resources(),
        gpu=STUDY.training.processes,
        mem_mb=growing(2500 * STUDY.training.processes),
        runtime=growing(1440),
    params:
        mirrored=lambda wildcards: sides_of(
            GROUPS[wildcards.group].training + GROUPS[wildcards.group].validation
        ),
        fold=lambda wildcards: {
            split: getattr(GROUPS[wildcards.group], split)
            for split in ("training", "validation")
        },
        method=trained_settings,
        required=required_settings,
        training=settings(STUDY.training, exclude={"seeds", "state_minutes"}),
        seed=STUDY.seed,
        code=code_of_method("train.py"),
    message:
        "Training {wildcards.method} on group {wildcards.group}, seed {wildcards.seed}"
    script:
        "../scripts/train.py"
