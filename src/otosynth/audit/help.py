"""What `otosynth audit ... --help` says below the arguments."""

TEXT = "ask a study's records where its numbers come from"
EPILOG = """
Every job of a study leaves a record, and the records form a hash tree; docs/audit.md says what is
recorded. Another study than the phantom is named by --results, its raw scans by --data, both after
the command.

Written: nothing but what `trace --page` and `crate` are asked for.

examples:
  otosynth audit verify
  otosynth audit trace table3 P2 Multi-task
"""
EPILOGS = {
    "verify": """
Looks at raw scans, results, records, the tree of their hashes, this checkout's code and lock, and
the digests that figures, tables and checkpoints carry. For each mismatch it names the file, the
job, and the tables and figures that depend on it.

Written: nothing. Exit status 1 if anything does not match.

examples:
  otosynth audit verify
  otosynth audit verify --results results/mylab --data data/mylab
""",
    "trace": """
Names the chain from a number to raw scans, and checks the hash of every file on the way. A row is
its number, the value of its first column, or KEY=VALUE pairs joined by commas.

Written: nothing, or the page of --page. Exit status 1 if a file is not as recorded.

examples:
  otosynth audit trace table3 P2 Multi-task --page trace.html
  otosynth audit trace fig7 specimen=P2 method=multi_task class=bone
  otosynth audit trace dice "specimen=P2,method=atlas,class=bone" dice
""",
    "recompute": """
Uses none of the study's scoring code: overlaps are SimpleITK's, surface distances come from a k-d
tree, means from numpy in double precision.

Written: nothing. Exit status 1 if a score differs by more than 1 in 10 000.

examples:
  otosynth audit recompute
""",
    "replay": """
Links the job's inputs into a scratch folder and runs it by Snakemake with the configuration of the
records. A training takes its full time. The same bytes are promised on the same type of machine.

Written: nothing that stays. Exit status 1 if the bytes differ.

examples:
  otosynth audit replay tables/table3.csv
  otosynth audit replay predictions/P2/multi_task/seed-1/microct.nii.gz --cores 2
""",
    "leaks": """
Follows every prediction back to the training, the choice of the epoch and the intensity windows
that it used, and looks for the tested ear below them: by name, and by the hashes of its scans.

Written: nothing. Exit status 1 if there is a leak.

examples:
  otosynth audit leaks
""",
    "crate": """
Every file with checksum and size, every job as an action with its settings. Raw scans of a study of
files are named with their hashes and not packed. Only a study that verifies is packed.

Written: the zip.

examples:
  otosynth audit crate study.zip --agent "A lab" --url https://lab.example.org \\
      --licence https://spdx.org/licenses/CC-BY-4.0
""",
    "list": """
A line a result: its name, a tab, its job. The names are what `replay` takes.

Written: nothing.

examples:
  otosynth audit list
  otosynth audit list | grep tables/
""",
}
