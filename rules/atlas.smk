"""The baseline, fused votes of registered atlases, and priors made of atlases (method 8, 10)."""


rule vote_atlases:
    input:
        ct=f"{SPECIMEN}/ct.nii",
        mask=f"{SPECIMEN}/mask.nii",
        atlases=lambda wildcards: pairs_of(
            atlases_of(wildcards.specimen), 1, WITHOUT_REGION
        ),
    output:
        expand(
            f"{RESULTS}/atlas/{{{{specimen}}}}/{{fusion}}.nii.gz",
            fusion=STUDY.atlas.fusions,
        ),
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


rule make_prior:
    input:
        ct=lambda wildcards: f"{pair_folder(wildcards.specimen, wildcards.factor)}/ct.nii",
        mask=lambda wildcards: f"{pair_folder(wildcards.specimen, wildcards.factor)}/mask.nii",
        atlases=lambda wildcards: pairs_of(
            atlases_for(wildcards.group, wildcards.specimen), 1, WITHOUT_REGION
        ),
    output:
        **{
            Path(name).stem: f"{PRIOR}/{name}"
            for names in PRIOR_FILES.values()
            for name in names
        },
    log:
        f"{LOGS}/make_prior/{{group}}-x{{factor}}-{{specimen}}.log",
    benchmark:
        f"{BENCHMARKS}/make_prior/{{group}}-x{{factor}}-{{specimen}}.tsv"
    conda:
        ENVIRONMENT
    threads: 1
    resources:
        mem_mb=growing(4000),
        runtime=growing(120),
    params:
        sides=lambda wildcards: {
            name: SPECIMENS[name].side
            for name in [
                wildcards.specimen,
                *atlases_for(wildcards.group, wildcards.specimen),
            ]
        },
        atlas=settings(STUDY.atlas, exclude=FUSION_KEYS),
        seed=STUDY.seed,
        code=code("make_prior.py"),
    message:
        "Registering the training ears of group {wildcards.group} to {wildcards.specimen}: its prior"
    script:
        "../scripts/make_prior.py"
