"""The baseline, fused votes of registered atlases, and priors made of atlases (method 8, 10)."""


# One registration serves the vote, the priors of all groups and the region at the cochlea.
rule register_atlas:
    input:
        ct=f"{SPECIMEN}/ct.nii",
        mask=f"{SPECIMEN}/mask.nii",
        atlas_ct=f"{RESULTS}/specimens/{{atlas}}/ct.nii",
        atlas_mask=f"{RESULTS}/specimens/{{atlas}}/mask.nii",
    output:
        f"{REGISTERED}/{{atlas}}.tfm",
    log:
        f"{LOGS}/register_atlas/{{specimen}}-{{atlas}}.log",
    benchmark:
        f"{BENCHMARKS}/register_atlas/{{specimen}}-{{atlas}}.tsv"
    conda:
        ENVIRONMENT
    threads: 1
    resources:
        mem_mb=growing(4000),
        runtime=growing(60),
    params:
        other_side=lambda wildcards: other_side(wildcards.specimen, wildcards.atlas),
        atlas=settings(STUDY.atlas, exclude=FUSION_KEYS),
        seed=STUDY.seed,
        code=code("register_atlas.py"),
    message:
        "Registering {wildcards.atlas}, as an atlas, to {wildcards.specimen}"
    script:
        "../scripts/register_atlas.py"


rule vote_atlases:
    input:
        ct=f"{SPECIMEN}/ct.nii",
        atlases=lambda wildcards: pairs_of(
            atlases_of(wildcards.specimen), 1, ("ct.nii", "classmap.nii")
        ),
        transforms=lambda wildcards: transforms_to(
            wildcards.specimen, atlases_of(wildcards.specimen)
        ),
    output:
        expand(
            f"{RESULTS}/atlas/{{{{specimen}}}}/{{fusion}}.nii.gz",
            fusion=STUDY.atlas.fusions,
        ),
    log:
        f"{LOGS}/vote_atlases/{{specimen}}.log",
    benchmark:
        f"{BENCHMARKS}/vote_atlases/{{specimen}}.tsv"
    conda:
        ENVIRONMENT
    threads: 1
    resources:
        mem_mb=growing(4000),
        runtime=growing(60),
    params:
        mirrored=lambda wildcards: {
            atlas: other_side(wildcards.specimen, atlas)
            for atlas in atlases_of(wildcards.specimen)
        },
        atlas=settings(STUDY.atlas, include=FUSION_KEYS - {"title"}),
        code=code("vote_atlases.py"),
    message:
        "Letting the registered atlases vote on {wildcards.specimen}"
    script:
        "../scripts/vote_atlases.py"


rule make_prior:
    input:
        ct=lambda wildcards: f"{pair_folder(wildcards.specimen, wildcards.factor)}/ct.nii",
        atlases=lambda wildcards: pairs_of(
            atlases_for(wildcards.group, wildcards.specimen),
            1,
            ("microct.nii", "classmap.nii"),
        ),
        transforms=lambda wildcards: transforms_to(
            wildcards.specimen, atlases_for(wildcards.group, wildcards.specimen)
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
        runtime=growing(60),
    params:
        mirrored=lambda wildcards: {
            atlas: other_side(wildcards.specimen, atlas)
            for atlas in atlases_for(wildcards.group, wildcards.specimen)
        },
        code=code("make_prior.py"),
    message:
        "Making the prior of {wildcards.specimen} from the training ears of group {wildcards.group}"
    script:
        "../scripts/make_prior.py"
