"""The root of the hash tree of all records: what anyone audits the study against."""


rule seal_records:
    input:
        results=[*FIGURES, *TABLES, *QUALITY_FIGURES],
        tables=study_tables(),
        raw=[
            path
            for specimen in ([] if IS_PHANTOM else SPECIMENS)
            for name in ("ct", "microct")
            for path in raw_files(specimen, name)
        ],
        landmarks=[landmarks_of(ear) for ear in SPECIMENS if landmarks_of(ear)],
    output:
        report(
            f"{RESULTS}/records/root.json",
            category="Provenance",
            labels={"root": "The root of all records"},
            caption="../docs/captions/root.rst",
        ),
    log:
        f"{LOGS}/seal_records.log",
    benchmark:
        f"{BENCHMARKS}/seal_records.tsv"
    localrule: True
    conda:
        ENVIRONMENT
    resources:
        mem_mb=growing(500),
        runtime=growing(5),
    params:
        facts={
            "study": STUDY.study,
            "label": STUDY.label,
            "configuration": settings(STUDY, exclude=CIRCUMSTANTIAL_KEYS),
        },
        # Records change with the code of any job, even where its results stay the same. The report
        # comes after them and leaves none.
        code=lambda wildcards: {
            name: digest
            for script in sorted(SCRIPTS.glob("*.py"))
            if script.name != "write_report.py"
            for name, digest in code_of_methods(script.name)(wildcards).items()
        },
    message:
        "Sealing the records of all jobs"
    script:
        "../scripts/seal_records.py"
