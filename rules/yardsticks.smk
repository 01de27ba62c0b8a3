"""What two numbers on the CT can do, and what no method can pass (method 8)."""


rule learn_thresholds:
    input:
        ct=lambda wildcards: of_training_ears(wildcards.group, "ct.nii"),
        mask=lambda wildcards: of_training_ears(wildcards.group, "mask.nii"),
        classmap=lambda wildcards: of_training_ears(wildcards.group, "classmap.nii"),
        registration=lambda wildcards: of_training_ears(
            wildcards.group, "registration/summary.json"
        ),
    output:
        f"{RESULTS}/groups/{{group}}/yardsticks.json",
    log:
        f"{LOGS}/learn_thresholds/{{group}}.log",
    benchmark:
        f"{BENCHMARKS}/learn_thresholds/{{group}}.tsv"
    conda:
        ENVIRONMENT
    threads: 1
    resources:
        mem_mb=growing(3000),
        runtime=growing(60),
    params:
        training=lambda wildcards: GROUPS[wildcards.group].training,
        yardsticks=settings(STUDY.yardsticks),
        code=code("learn_thresholds.py"),
    message:
        "Learning thresholds on the CTs of group {wildcards.group}'s training ears"
    script:
        "../scripts/learn_thresholds.py"


rule apply_yardsticks:
    input:
        ct=f"{SPECIMEN}/ct.nii",
        mask=f"{SPECIMEN}/mask.nii",
        learned=lambda wildcards: learned_of(wildcards.specimen),
    output:
        **{name: f"{YARDSTICK}/{name}.nii.gz" for name in YARDSTICKS},
    log:
        f"{LOGS}/apply_yardsticks/{{specimen}}.log",
    benchmark:
        f"{BENCHMARKS}/apply_yardsticks/{{specimen}}.tsv"
    conda:
        ENVIRONMENT
    threads: 1
    resources:
        mem_mb=growing(3000),
        runtime=growing(30),
    params:
        code=code("apply_yardsticks.py"),
    message:
        "Thresholding the CT of {wildcards.specimen}: yardsticks"
    script:
        "../scripts/apply_yardsticks.py"


rule blur_microct:
    input:
        microct=f"{SPECIMEN}/microct.nii",
        mask=f"{SPECIMEN}/mask.nii",
        learned=lambda wildcards: learned_of(wildcards.specimen),
    output:
        f"{YARDSTICK}/{BLURRED_MICROCT}.nii.gz",
    log:
        f"{LOGS}/blur_microct/{{specimen}}.log",
    benchmark:
        f"{BENCHMARKS}/blur_microct/{{specimen}}.tsv"
    conda:
        ENVIRONMENT
    threads: 1
    resources:
        mem_mb=growing(3000),
        runtime=growing(30),
    params:
        classmap=settings(STUDY.classmap, exclude={"closing_radius_um"}),
        code=code("blur_microct.py"),
    message:
        "Blurring the micro-CT of {wildcards.specimen} as its CT is: a ceiling"
    script:
        "../scripts/blur_microct.py"
