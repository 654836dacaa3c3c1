"""All commands under one name: `kerasr train` is `python -m kerasr.train`."""

import difflib
import runpy
import sys

from kerasr import __version__
from kerasr.core.cli import called_by, run_command
from kerasr.errors import UserError

COMMANDS = {
    "train": "train a recogniser or a voice on recordings",
    "predict": "recognise words or transcribe sentences in recordings",
    "synthesize": "say texts with a voice",
    "evaluate": "measure a run again, and write its report",
    "compare": "set runs side by side, with intervals",
    "search": "search the settings of a training",
    "record": "take recordings of words from the microphone",
    "listen": "detect words in a stream of sound",
    "export": "make files for servers, phones and ONNX Runtime",
    "serve": "serve exported models with TensorFlow Serving's protocol",
    "models": "list the architectures",
    "runs": "list the runs, and clean them",
    "cache": "list what is kept in the cache, and clean it",
    "env": "say what is installed here: versions, devices, extras, cache",
}

HELP = """\
usage: {program} COMMAND ...

Small speech models in Keras, from recordings to a trained recogniser.

{commands}

{program} COMMAND --help says more of each.
{program} --version says which kerasr this is."""


def main(*program: str) -> None:
    """Call the command that the process's arguments name, as its own module would.

    Args:
        program: the words by which the user has called this; `kerasr` for none.
    """
    program = program or ("kerasr",)
    called_by(*program)
    name, *arguments = sys.argv[1:] or ["--help"]
    if name in COMMANDS:
        sys.argv[1:] = arguments
        runpy.run_module(f"kerasr.{name}", run_name="__main__", alter_sys=True)
    else:
        run_command(lambda _: answer(name, " ".join(program)))


def answer(name: str, program: str) -> None:
    """Print what was asked for in place of a command.

    Raises:
        UserError: there is no such command; the message names the nearest.
    """
    if name in ("-h", "--help"):
        lines = (f"  {command:12}{purpose}" for command, purpose in COMMANDS.items())
        print(HELP.format(program=program, commands="\n".join(lines)))
    elif name == "--version":
        print(f"kerasr {__version__}")
    else:
        near = difflib.get_close_matches(name.lower(), COMMANDS, n=1)
        advice = f"did you mean `{program} {near[0]}`?" if near else f"`{program} --help` lists them"
        raise UserError("command-not-found", f"{name}: there is no such command; {advice}")


if __name__ == "__main__":
    main("python", "-m", "kerasr")
