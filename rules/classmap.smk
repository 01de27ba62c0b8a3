"""Air, soft tissue and bone from the micro-CT (method 4)."""


rule make_class_map:
    input:
        microct=f"{SPECIMEN}/microct.nii",
        mask=f"{SPECIMEN}/mask.nii",
    output:
        classmap=f"{SPECIMEN}/classmap.nii",
        thresholds=f"{SPECIMEN}/classmap.json",
    log:
        f"{LOGS}/make_class_map/{{specimen}}.log",
    benchmark:
        f"{BENCHMARKS}/make_class_map/{{specimen}}.tsv"
    conda:
        ENVIRONMENT
    resources:
        mem_mb=growing(3000),
        runtime=growing(20),
    params:
        classmap=settings(STUDY.classmap),
        code=code("make_class_map.py"),
    message:
        "Thresholding the micro-CT of {wildcards.specimen}"
    script:
        "../scripts/make_class_map.py"


rule draw_histogram:
    input:
        microct=f"{SPECIMEN}/microct.nii",
        mask=f"{SPECIMEN}/mask.nii",
        thresholds=f"{SPECIMEN}/classmap.json",
    output:
        report(
            f"{SPECIMEN}/qc/histogram.png",
            category="Quality",
            subcategory="Class maps",
            labels={"specimen": "{specimen}"},
            caption="../docs/captions/qc_histogram.rst",
        ),
        f"{SPECIMEN}/qc/histogram.pdf",
    log:
        f"{LOGS}/draw_histogram/{{specimen}}.log",
    benchmark:
        f"{BENCHMARKS}/draw_histogram/{{specimen}}.tsv"
    conda:
        ENVIRONMENT
    resources:
        mem_mb=growing(2000),
        runtime=growing(10),
    params:
        classmap=settings(STUDY.classmap),
        label=STUDY.label,
        figures=settings(STUDY.figures, include={"dpi"}),
        code=code("draw_histogram.py"),
    message:
        "Drawing the histogram of {wildcards.specimen} with its thresholds"
    script:
        "../scripts/draw_histogram.py"


rule score_class_map:
    input:
        classmap=f"{SPECIMEN}/classmap.nii",
        mask=f"{SPECIMEN}/mask.nii",
        labels=f"{RESULTS}/phantom/{{specimen}}/labels.nii.gz",
    output:
        f"{SPECIMEN}/classmap_scores.json",
    log:
        f"{LOGS}/score_class_map/{{specimen}}.log",
    benchmark:
        f"{BENCHMARKS}/score_class_map/{{specimen}}.tsv"
    conda:
        ENVIRONMENT
    resources:
        mem_mb=growing(2000),
        runtime=growing(10),
    params:
        code=code("score_class_map.py"),
    message:
        "Comparing the class map of {wildcards.specimen} with the phantom's exact classes"
    script:
        "../scripts/score_class_map.py"
