"""The region at the cochlea, within 0.5 mm of the scalae (method 8)."""


rule mark_cochlea:
    input:
        mask=f"{SPECIMEN}/mask.nii",
        structures=lambda wildcards: structures_of(wildcards.specimen),
        landmarks=lambda wildcards: landmarks_of(wildcards.specimen),
    output:
        region=f"{SPECIMEN}/cochlea.nii",
        facts=f"{SPECIMEN}/cochlea.json",
    log:
        f"{LOGS}/mark_cochlea/{{specimen}}.log",
    benchmark:
        f"{BENCHMARKS}/mark_cochlea/{{specimen}}.tsv"
    conda:
        ENVIRONMENT
    resources:
        mem_mb=growing(2000),
        runtime=growing(20),
    params:
        code=code("mark_cochlea.py"),
    message:
        "Marking the region at the cochlea of {wildcards.specimen}"
    script:
        "../scripts/mark_cochlea.py"


# For scores alone: what a training reads must not be carried from ears that its group tests.
rule carry_cochlea:
    input:
        mask=f"{SPECIMEN}/mask.nii",
        regions=lambda wildcards: [
            f"{pair_folder(atlas, 1)}/cochlea.nii"
            for atlas in atlases_with_landmarks(wildcards.specimen)
        ],
        transforms=lambda wildcards: transforms_to(
            wildcards.specimen, atlases_with_landmarks(wildcards.specimen)
        ),
    output:
        region=f"{RESULTS}/atlas/{{specimen}}/cochlea.nii",
        facts=f"{RESULTS}/atlas/{{specimen}}/cochlea.json",
    log:
        f"{LOGS}/carry_cochlea/{{specimen}}.log",
    benchmark:
        f"{BENCHMARKS}/carry_cochlea/{{specimen}}.tsv"
    conda:
        ENVIRONMENT
    resources:
        mem_mb=growing(3000),
        runtime=growing(20),
    params:
        mirrored=lambda wildcards: {
            atlas: other_side(wildcards.specimen, atlas)
            for atlas in atlases_with_landmarks(wildcards.specimen)
        },
        code=code("carry_cochlea.py"),
    message:
        "Carrying the region at the cochlea from the atlases to {wildcards.specimen}"
    script:
        "../scripts/carry_cochlea.py"
