"""Air, soft tissue and bone from the micro-CT (method 4)."""


rule make_class_map:
    message:
        "Thresholding the micro-CT of {wildcards.specimen}"
    input:
        microct=f"{SPECIMEN}/microct.nii",
        mask=f"{SPECIMEN}/mask.nii",
    output:
        classmap=f"{SPECIMEN}/classmap.nii",
        thresholds=f"{SPECIMEN}/classmap.json",
    params:
        settings=settings(STUDY.classmap),
        code=code("make_class_map.py"),
    log:
        f"{LOGS}/make_class_map/{{specimen}}.log",
    benchmark:
        f"{BENCHMARKS}/make_class_map/{{specimen}}.tsv"
    resources:
        mem_mb=growing(3000),
        runtime=growing(20),
    conda:
        ENVIRONMENT
    script:
        "../scripts/make_class_map.py"


rule draw_histogram:
    message:
        "Drawing the histogram of {wildcards.specimen} with its thresholds"
    input:
        microct=f"{SPECIMEN}/microct.nii",
        mask=f"{SPECIMEN}/mask.nii",
        thresholds=f"{SPECIMEN}/classmap.json",
    output:
        multiext(f"{SPECIMEN}/qc/histogram", ".png", ".pdf"),
    params:
        settings=settings(STUDY.classmap),
        label=STUDY.label,
        figures=settings(STUDY.figures, include={"dpi"}),
        code=code("draw_histogram.py"),
    log:
        f"{LOGS}/draw_histogram/{{specimen}}.log",
    benchmark:
        f"{BENCHMARKS}/draw_histogram/{{specimen}}.tsv"
    resources:
        mem_mb=growing(2000),
        runtime=growing(10),
    conda:
        ENVIRONMENT
    script:
        "../scripts/draw_histogram.py"


rule score_class_map:
    message:
        "Comparing the class map of {wildcards.specimen} with the phantom's exact classes"
    input:
        classmap=f"{SPECIMEN}/classmap.nii",
        mask=f"{SPECIMEN}/mask.nii",
        labels=f"{RESULTS}/phantom/{{specimen}}/labels.nii.gz",
    output:
        f"{SPECIMEN}/classmap_scores.json",
    params:
        code=code("score_class_map.py"),
    log:
        f"{LOGS}/score_class_map/{{specimen}}.log",
    benchmark:
        f"{BENCHMARKS}/score_class_map/{{specimen}}.tsv"
    resources:
        mem_mb=growing(2000),
        runtime=growing(10),
    conda:
        ENVIRONMENT
    script:
        "../scripts/score_class_map.py"
