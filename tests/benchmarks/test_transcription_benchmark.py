"""The benchmark of transcripts: what is told of it."""

import json
import runpy
from pathlib import Path

ROOT = Path(__file__).parents[2]


def test_few_errors_are_told_to_a_hundredth_of_a_point(tmp_path):
    study = runpy.run_path(str(ROOT / "benchmarks" / "transcription.py"))
    result = {"seed": 0, "encoder": "BiLSTMEncoder", "parameters": 9, "processor_minutes": 5}
    for way, wer in ((study["GRID"], 0.0103), ("BiLSTMEncoder", 0.1284)):
        errors = {"wer": wer, "wer_lm": wer, "cer": wer}
        (tmp_path / f"{way}-0.json").write_text(json.dumps({"way": way, **result, **errors}))
    tables = study["tables"](tmp_path)
    assert tables["grid"].count("1.03%") == 3
    assert tables["all"].count("12.8%") == 3
    assert tables["encoders"].splitlines()[2] == "| BiLSTMEncoder | 9 | 12.8% | 12.8% |"
    assert "| QuartzNet |  | - | - |" in tables["encoders"]
    # Each target stands beside what it is held against.
    for name in ("others", "targets"):
        assert [tables[name].count(figure) for figure in ("1.03%", "12.8%")] == [2, 2]
    assert "| below 1.0% | 1.03% |" in tables["targets"]
    assert "| at most 13% | 12.8% |" in tables["targets"]
