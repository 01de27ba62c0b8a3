"""CT onto the micro-CT's grid (method 3)."""


rule register_pair:
    input:
        ct=lambda wildcards: raw_files(wildcards.specimen, "ct"),
        microct=lambda wildcards: raw_files(wildcards.specimen, "microct"),
        initial=lambda wildcards: initial_transform(wildcards.specimen),
    output:
        ct=f"{SPECIMEN}/ct.nii",
        microct=f"{SPECIMEN}/microct.nii",
        mask=f"{SPECIMEN}/mask.nii",
        transform=f"{SPECIMEN}/registration/transform.tfm",
        trace=f"{SPECIMEN}/registration/trace.tsv",
        summary=f"{SPECIMEN}/registration/summary.json",
    log:
        f"{LOGS}/register_pair/{{specimen}}.log",
    benchmark:
        f"{BENCHMARKS}/register_pair/{{specimen}}.tsv"
    conda:
        ENVIRONMENT
    threads: 1
    resources:
        mem_mb=growing(4000),
        runtime=growing(30),
    params:
        ct=lambda wildcards: scan_name(wildcards.specimen, "ct"),
        microct=lambda wildcards: scan_name(wildcards.specimen, "microct"),
        stated=lambda wildcards: stated_of(wildcards.specimen),
        registration=settings(STUDY.registration),
        seed=STUDY.seed,
        code=code("register_pair.py"),
    message:
        "Registering the CT of {wildcards.specimen} to its micro-CT"
    script:
        "../scripts/register_pair.py"


rule measure_registration:
    input:
        transform=f"{SPECIMEN}/registration/transform.tfm",
        pose=f"{RESULTS}/phantom/{{specimen}}/pose.tfm",
        points=f"{RESULTS}/phantom/{{specimen}}/points.csv",
    output:
        f"{SPECIMEN}/registration/target_error.json",
    log:
        f"{LOGS}/measure_registration/{{specimen}}.log",
    benchmark:
        f"{BENCHMARKS}/measure_registration/{{specimen}}.tsv"
    conda:
        ENVIRONMENT
    resources:
        mem_mb=growing(500),
        runtime=growing(5),
    params:
        code=code("measure_registration.py"),
    message:
        "Measuring the registration of {wildcards.specimen} against its known pose"
    script:
        "../scripts/measure_registration.py"


rule draw_registration:
    input:
        ct=f"{SPECIMEN}/ct.nii",
        microct=f"{SPECIMEN}/microct.nii",
        mask=f"{SPECIMEN}/mask.nii",
        trace=f"{SPECIMEN}/registration/trace.tsv",
    output:
        report(
            f"{SPECIMEN}/qc/registration.png",
            category="Quality",
            subcategory="Registration",
            labels={"specimen": "{specimen}"},
            caption="../docs/captions/qc_registration.rst",
        ),
        f"{SPECIMEN}/qc/registration.pdf",
    log:
        f"{LOGS}/draw_registration/{{specimen}}.log",
    benchmark:
        f"{BENCHMARKS}/draw_registration/{{specimen}}.tsv"
    conda:
        ENVIRONMENT
    resources:
        mem_mb=growing(2000),
        runtime=growing(10),
    params:
        label=STUDY.label,
        figures=settings(STUDY.figures, include={"dpi"}),
        ct_window_hu=STUDY.normalisation.ct_window_hu,
        code=code("draw_registration.py"),
    message:
        "Drawing the registration of {wildcards.specimen}"
    script:
        "../scripts/draw_registration.py"
