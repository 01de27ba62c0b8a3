"""The report: one page that tells the story of the study and where its numbers come from."""


# It names the root, so it comes after the sealing and is itself no part of the records: what it
# shows is, and it is made anew whenever the root is.
rule write_report:
    input:
        root=ROOT_OF_RECORDS,
        published="config/published.csv",
        captions=sorted(map(str, Path("docs/captions").glob("*.rst"))),
    output:
        REPORT,
    log:
        f"{LOGS}/write_report.log",
    benchmark:
        f"{BENCHMARKS}/write_report.tsv"
    localrule: True
    conda:
        ENVIRONMENT
    resources:
        mem_mb=growing(2000),
        runtime=growing(20),
    params:
        looks=lambda wildcards: digests_of_looks(),
        code=code("write_report.py"),
    message:
        "Writing the report, {output}"
    script:
        "../scripts/write_report.py"
