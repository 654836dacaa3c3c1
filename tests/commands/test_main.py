"""`kerasr COMMAND`: the same commands as `python -m kerasr.COMMAND`, called as they were called before."""

import sys
from pathlib import Path

import pytest

from kerasr import __main__ as program
from kerasr import __version__, env
from kerasr.core import cli

HOUSE = Path(program.__file__).parent


@pytest.fixture
def call(monkeypatch, capsys):
    """Call a command line of `kerasr`; its exit status, what it says and what it complains of."""

    def call(*arguments, by=("kerasr",)):
        monkeypatch.setattr(cli, "_program", ())
        monkeypatch.setattr(sys, "argv", ["/somewhere/bin/kerasr", *map(str, arguments)])
        try:
            program.main(*by)
            status = 0
        except SystemExit as end:
            status = end.code or 0
        return status, *capsys.readouterr()

    return call


def test_every_command_is_listed(call):
    modules = {path.stem for path in HOUSE.glob("*.py") if "run_command(main)" in path.read_text("utf-8")}
    packages = {path.parent.name for path in HOUSE.glob("*/__main__.py")}
    assert set(program.COMMANDS) == modules | packages
    for arguments in ((), ("--help",)):
        status, out, _ = call(*arguments)
        assert status == 0
        assert all(f"\n  {name} " in out for name in program.COMMANDS)
        assert max(map(len, out.splitlines())) <= 80
    assert call("--version") == (0, f"kerasr {__version__}\n", "")


def test_a_mistyped_command_is_answered_with_the_nearest(call):
    status, out, complaint = call("trian")
    assert (status, out) == (2, "")
    assert complaint.startswith("error[command-not-found]: trian: ")
    assert "`kerasr train`" in complaint
    assert "`python -m kerasr --help`" in call("xyz", by=("python", "-m", "kerasr"))[2]


@pytest.mark.parametrize("by", [("kerasr",), ("python", "-m", "kerasr")])
def test_what_to_type_next_is_called_in_the_same_way(call, by, tmp_path):
    words = " ".join(by)
    assert f"; {words} train makes one" in call("runs", "--out", tmp_path, by=by)[1]
    status, out, _ = call("runs", "--help", by=by)
    assert status == 0
    assert out.startswith(f"usage: {words} runs ")
    assert f"\n  {words} runs --clean " in out


def test_ctrl_c_ends_it_as_it_ends_the_module(call, monkeypatch):
    def stop(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.setattr(cli, "parse", stop)
    assert call("runs", "--out", "my runs") == (130, "", "stopped\nnext    kerasr runs --out 'my runs'\n")


def test_env_says_what_is_installed(capsys, tmp_path, monkeypatch):
    monkeypatch.setenv("KERASR_CACHE", str(tmp_path / "cache"))
    monkeypatch.setitem(env.EXTRAS, "voices", env.EXTRAS["voices"].__class__("", ("no_such_package",)))
    env.main([])
    out = capsys.readouterr().out
    assert f"kerasr      {__version__}, in {HOUSE}\n" in out
    assert f"{tmp_path / 'cache'}, 0 bytes" in out
    assert 'missing: pip install "espeakng-loader>=' in out
    assert "(backend " in out
