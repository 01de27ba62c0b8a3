"""The baseline: majority vote of registered atlases (method 8)."""


rule vote_atlases:
    input:
        ct=f"{SPECIMEN}/ct.nii",
        mask=f"{SPECIMEN}/mask.nii",
        atlases=lambda wildcards: pairs_of(atlases_of(wildcards.specimen), 1),
    output:
        classmap=f"{RESULTS}/atlas/{{specimen}}/classmap.nii.gz",
        registered=directory(f"{RESULTS}/atlas/{{specimen}}/registered"),
    log:
        f"{LOGS}/vote_atlases/{{specimen}}.log",
    benchmark:
        f"{BENCHMARKS}/vote_atlases/{{specimen}}.tsv"
    conda:
        ENVIRONMENT
    threads: 1
    resources:
        mem_mb=growing(4000),
        runtime=growing(120),
    params:
        sides=lambda wildcards: {
            name: SPECIMENS[name].side
            for name in [wildcards.specimen, *atlases_of(wildcards.specimen)]
        },
        atlas=settings(STUDY.atlas, exclude={"title"}),
        seed=STUDY.seed,
        code=code("vote_atlases.py"),
    message:
        "Registering the atlases to {wildcards.specimen} and voting"
    script:
        "../scripts/vote_atlases.py"
