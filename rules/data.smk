"""Raw scans: the phantom that the project makes, or a lab's own files."""


rule make_phantom:
    output:
        ct=f"{RESULTS}/phantom/{{specimen}}/ct.nii.gz",
        microct=f"{RESULTS}/phantom/{{specimen}}/microct.nii.gz",
        labels=f"{RESULTS}/phantom/{{specimen}}/labels.nii.gz",
        structures=f"{RESULTS}/phantom/{{specimen}}/structures.nii.gz",
        pose=f"{RESULTS}/phantom/{{specimen}}/pose.tfm",
        points=f"{RESULTS}/phantom/{{specimen}}/points.csv",
    log:
        f"{LOGS}/make_phantom/{{specimen}}.log",
    benchmark:
        f"{BENCHMARKS}/make_phantom/{{specimen}}.tsv"
    conda:
        ENVIRONMENT
    threads: 1
    resources:
        mem_mb=growing(3000),
        runtime=growing(20),
    params:
        phantom=settings(STUDY.phantom),
        side=lambda wildcards: SPECIMENS[wildcards.specimen].side,
        seed=STUDY.seed,
        code=code("make_phantom.py"),
    message:
        "Making the phantom ear {wildcards.specimen}"
    script:
        "../scripts/make_phantom.py"
