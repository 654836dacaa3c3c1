"""An export that is one file: converted, checked, and only then written, with a `.json` of what it is beside it.

Converters run in a process of their own: they may take it down with them, and say a great deal.
`python -m kerasr.exporters.files MODULE:FUNCTION RUN FILE [OPTION...]` is that process.
"""

import contextlib
import importlib
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from kerasr.core import atomic
from kerasr.core.extras import require_extra
from kerasr.core.imports import FLAG, import_asked
from kerasr.errors import UserError
from kerasr.exporters.check import Check, check_export, child_environment
from kerasr.exporters.describe import describe, describe_input
from kerasr.runs.run import Run, load_run
from kerasr.streaming.step_model import StreamingStep

C = TypeVar("C")


@dataclass(frozen=True)
class Bounds:
    """How far a file's answers may be from its run's.

    Attributes:
        agreement: least share of the clips in which both answer the same.
        wer_loss: of transcripts of real clips, by so much the file's word error rate may be higher, whatever the share
            of the same ones; None where the share alone counts.
    """

    agreement: float
    wer_loss: float | None = None

    def why_not(self, check: Check) -> str | None:
        """What is too far, in words; None where all is well."""
        if self.wer_loss is not None and check.wer_before is not None and check.wer_after is not None:
            # (One word of two hundred is half a point, whatever a float makes of it.)
            if round(check.wer_after - check.wer_before, 9) <= self.wer_loss:
                return None
            return (
                f"the file makes word errors of {check.wer_after:.2%} where the run makes {check.wer_before:.2%} on "
                f"{check.num_clips} clips, and {100 * self.wer_loss:g} points more is the most (--least-agreement goes "
                "by the share of the same transcripts instead)"
            )
        if check.agreement >= self.agreement:
            return None
        return (
            f"the file gives the run's answer in {check.agreement:.1%} of {check.num_clips} clips, and "
            f"{self.agreement:.1%} is the least (--least-agreement)"
        )


def export_recogniser(
    run: Run, to: str | os.PathLike[str], kind: str, bounds: Bounds, *options: str
) -> tuple[Path, Check]:
    """Let `convert` of the module `kerasr.exporters.KIND` make a file of a run that reads recordings.

    Args:
        run: a finished run, or a preset.
        to: the file.
        kind: `litert` or `onnx`.
        bounds: how far its answers may be from the run's.
        options: what `convert` takes beside the run.

    Raises:
        UserError: the format's extra is not installed, the converter failed, or the file answers otherwise
            than the run; nothing is left behind.
        OSError: the file cannot be written.
    """
    run.check_front_end("an export")
    stream = StreamingStep(run, run.network).facts if "stream" in options else None

    def examine(file: str) -> tuple[Check, dict[str, Any]]:
        check = check_export(run, kind, file, stream)
        if why := bounds.why_not(check):
            raise UserError("export-differs", f"{why}: nothing was written")
        facts = {"input": describe_input(kind, run.config.features), **describe(run, check, stream)}
        return check, {**facts, "format": [kind, *options]}

    return export_file(run, to, kind, f"kerasr.exporters.{kind}:convert", examine, *options)


def export_file(
    run: Run,
    to: str | os.PathLike[str],
    kind: str,
    converter: str,
    examine: Callable[[str], tuple[C, dict[str, Any]]],
    *options: str,
) -> tuple[Path, C]:
    """Make a file, and write it, with its facts beside it, once it has been examined.

    Args:
        run: a finished run, or a preset.
        to: the file.
        kind: `litert` or `onnx`.
        converter: `MODULE:FUNCTION`, from a run and `options` to the file's bytes.
        examine: from the file's path to what was measured and what stands beside it; raises where it will not do.
        options: what the function takes beside the run.

    Raises:
        UserError: as of `export_recogniser`.
        OSError: the file cannot be written.
    """
    require_extra(kind, f"--format {kind}")
    to = Path(to)
    if to.is_dir():
        raise UserError("name-invalid", f"{to}: is a folder; name a file, which may be in it")
    to.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder, to.name)
        _convert_apart(run, file, kind, converter, *options)
        check, facts = examine(str(file))
        content = file.read_bytes()
    # The words of one model beside another would be wrong, and none are told.
    beside = Path(f"{to}.json")
    beside.unlink(missing_ok=True)
    atomic.write_bytes(to, content)
    atomic.write_bytes(beside, f"{json.dumps(facts, indent=2, ensure_ascii=False)}\n".encode())
    return to, check


def _convert_apart(run: Run, file: Path, kind: str, converter: str, *options: str) -> None:
    command = [sys.executable, "-m", "kerasr.exporters.files", converter, str(run.path), str(file), *options]
    if run.config.runtime.imports:
        command += [FLAG, ",".join(run.config.runtime.imports)]
    done = subprocess.run(
        command, env=child_environment(), stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, errors="replace"
    )
    if done.returncode != 0:
        lines = done.stderr.strip().splitlines() or ["it said nothing"]
        raise UserError(
            "export-failed",
            f"{run.path}: the {kind} converter ended with code {done.returncode} ({lines[-1]}); nothing was written",
        )


def main(converter: str, path: str, file: str, *options: str) -> None:
    """The process's part."""
    module, _, function = converter.partition(":")
    with contextlib.redirect_stdout(sys.stderr):
        content = getattr(importlib.import_module(module), function)(load_run(path), *options)
    Path(file).write_bytes(content)


if __name__ == "__main__":
    main(*import_asked(sys.argv[1:])[0])
