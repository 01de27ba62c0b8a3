"""Down-sampled pairs, the groups' intensity windows and the patch tables (method 5)."""


rule downsample_pair:
    input:
        ct=f"{SPECIMEN}/ct.nii",
        microct=f"{SPECIMEN}/microct.nii",
        mask=f"{SPECIMEN}/mask.nii",
        classmap=f"{SPECIMEN}/classmap.nii",
        cochlea=f"{SPECIMEN}/cochlea.nii",
    output:
        ct=f"{SPECIMEN}/x{{factor}}/ct.nii",
        microct=f"{SPECIMEN}/x{{factor}}/microct.nii",
        mask=f"{SPECIMEN}/x{{factor}}/mask.nii",
        classmap=f"{SPECIMEN}/x{{factor}}/classmap.nii",
        cochlea=f"{SPECIMEN}/x{{factor}}/cochlea.nii",
    log:
        f"{LOGS}/downsample_pair/{{specimen}}-x{{factor}}.log",
    benchmark:
        f"{BENCHMARKS}/downsample_pair/{{specimen}}-x{{factor}}.tsv"
    conda:
        ENVIRONMENT
    resources:
        mem_mb=growing(4000),
        runtime=growing(20),
    params:
        code=code("downsample_pair.py"),
    message:
        "Down-sampling the pair of {wildcards.specimen} by {wildcards.factor}"
    script:
        "../scripts/downsample_pair.py"


rule compute_normalisation:
    input:
        lambda wildcards: pairs_of(GROUPS[wildcards.group].training, 1),
    output:
        f"{RESULTS}/groups/{{group}}/normalisation.json",
    log:
        f"{LOGS}/compute_normalisation/{{group}}.log",
    benchmark:
        f"{BENCHMARKS}/compute_normalisation/{{group}}.tsv"
    conda:
        ENVIRONMENT
    resources:
        mem_mb=growing(2000),
        runtime=growing(20),
    params:
        training=lambda wildcards: GROUPS[wildcards.group].training,
        normalisation=settings(STUDY.normalisation),
        code=code("compute_normalisation.py"),
    message:
        "Choosing the intensity windows of group {wildcards.group} from its training ears"
    script:
        "../scripts/compute_normalisation.py"


rule tabulate_patches:
    input:
        lambda wildcards: pairs_of(
            getattr(GROUPS[wildcards.group], wildcards.split), wildcards.factor
        ),
    output:
        f"{RESULTS}/groups/{{group}}/patches/x{{factor}}/{{split}}.tsv",
    log:
        f"{LOGS}/tabulate_patches/{{group}}-x{{factor}}-{{split}}.log",
    benchmark:
        f"{BENCHMARKS}/tabulate_patches/{{group}}-x{{factor}}-{{split}}.tsv"
    conda:
        ENVIRONMENT
    resources:
        mem_mb=growing(1000),
        runtime=growing(20),
    params:
        mirrored=lambda wildcards: sides_of(
            getattr(GROUPS[wildcards.group], wildcards.split)
        ),
        patches=settings(STUDY.patches),
        code=code("tabulate_patches.py"),
    message:
        "Tabulating the {wildcards.split} patches of group {wildcards.group}"
    script:
        "../scripts/tabulate_patches.py"
