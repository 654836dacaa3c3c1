"""What a run of sentences loses in each format that it can be exported to: word errors on its test speakers.

    python benchmarks/export_sentences.py runs/THE_RUN             every format, of a finished run of AN4
    python benchmarks/export_sentences.py runs/THE_RUN --again     export it once more
    python benchmarks/export_sentences.py --table                  measure nothing, show what there is

    kerasr train an4 --model Conformer                             makes such a run; docs/sentences.md has the encoders

AN4's official test part where the copy has it, else the speakers who are left out of the training. They go through each
export (`kerasr.exporters.check`), whatever it answers: what `kerasr export` would refuse is in the table, too. Decoding
is greedy. Exports stay in --keep.

Results go to benchmarks/results/export_sentences/, one file an encoder.
"""

import argparse
from pathlib import Path
from typing import Any

from _parts import RESULTS, markdown_table, print_tables, read_parts, write_result
from formats import FORMATS, ROOT, export

from kerasr.core.provenance import provenance
from kerasr.runs.run import load_run


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("runs", nargs="*", type=Path, metavar="RUN", help="folders of finished runs of `transcribe`")
    parser.add_argument("--again", action="store_true", help="measure what has been measured once more")
    parser.add_argument("--table", action="store_true", help="measure nothing, show what there is")
    parser.add_argument("--keep", type=Path, default=ROOT / "runs" / "export_sentences", help="folder of the exports")
    parser.add_argument("--results", type=Path, default=RESULTS / "export_sentences", help="where the results are kept")
    arguments = parser.parse_args()
    arguments.results.mkdir(parents=True, exist_ok=True)
    for path in [] if arguments.table else arguments.runs:
        result = arguments.results / f"{load_run(path).config.model.name}.json"
        if arguments.again or not result.exists():
            print(path, flush=True)
            write_result(result, measure(path, arguments.keep / path.name))
    print_tables(tables(arguments.results))


def measure(path: Path, folder: Path) -> dict[str, Any]:
    """Every format of a run, with what the check says of it."""
    run = load_run(path)
    if run.task.name != "transcribe":
        raise SystemExit(f"{path}: is to {run.task.about()}, and this measures runs of the task transcribe")
    return {
        "model": run.config.model.name,
        "parameters": run.facts["parameters"],
        "split_rule": run.split_rule,
        "fingerprint": run.facts["corpus"]["fingerprint"],
        "formats": {name: export(run, name, folder) for name in FORMATS},
        **provenance(),
    }


def tables(folder: Path = RESULTS / "export_sentences") -> dict[str, str]:
    """Word errors, kilobytes and milliseconds, encoder by format; a dash where it has none."""
    results = read_parts(folder)
    cells = {
        "errors": lambda check: f"{check['wer_after']:.1%} ({100 * (check['wer_after'] - check['wer_before']):+.2f})",
        "size": lambda check: f"{check['size'] / 1e3:,.0f}",
        "time": lambda check: f"{check['milliseconds']:.0f}",
    }
    return {
        name: markdown_table(("encoder", *FORMATS), [row(result, cell) for result in results])
        for name, cell in cells.items()
    }


def row(result: dict[str, Any], cell: Any) -> list[str]:
    checks = [result["formats"][name] for name in FORMATS]
    return [result["model"], *("-" if "refused" in check else cell(check) for check in checks)]


if __name__ == "__main__":
    main()
