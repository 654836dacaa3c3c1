"""The image and the deployment of `kerasr.serve` say what the server takes: arguments, ports, files."""

import configparser
import re

from _deployment import ROOT, container, last, probes, resources, stages, words

from kerasr.core.cli import parse
from kerasr.serve import ServeConfig
from kerasr.serving.options import ServerOptions


def server_told(arguments):
    return parse(ServeConfig, arguments, command="serve", description="", extensible=False)


def test_both_tell_the_server_what_it_takes_and_to_listen_beyond_the_container():
    assert words(last("serve", "ENTRYPOINT")) == ["python", "-m", "kerasr.serve"]
    image, pod = server_told(words(last("serve", "CMD"))), server_told(container()["args"])
    assert image == pod
    assert image.options == ServerOptions(host="0.0.0.0")
    (mount,) = (mount for mount in container()["volumeMounts"] if mount["name"] == "models")
    assert (mount["mountPath"], mount["readOnly"]) == (pod.path, True)


def test_ports_are_the_servers():
    options = ServerOptions()
    ports = {port["name"]: port["containerPort"] for port in container()["ports"]}
    assert ports == {"grpc": options.grpc_port, "rest": options.rest_port}
    assert {*map(int, last("serve", "EXPOSE").split())} == {*ports.values()}
    for probe in probes():
        assert ports.get(str(probe.port), probe.port) == ports["grpc" if probe.kind == "grpc" else "rest"]
    service = resources()["Service"]["spec"]
    assert {(port["port"], port["targetPort"]) for port in service["ports"]} == {(ports[name], name) for name in ports}
    template = resources()["Deployment"]["spec"]["template"]["metadata"]
    assert service["selector"].items() <= template["labels"].items()


def test_neither_image_runs_as_root():
    user = resources()["Deployment"]["spec"]["template"]["spec"]["securityContext"]["runAsUser"]
    for stage in ("train", "serve"):
        instructions = [name for name, _ in stages()[stage]]
        assert int(last(stage, "USER")) == user > 0
        assert "RUN" not in instructions[instructions.index("USER") :]


def test_extras_are_those_that_there_are():
    metadata = configparser.ConfigParser()
    metadata.read(ROOT / "setup.cfg", encoding="utf-8")
    for stage in ("train", "serve"):
        (extras,) = re.findall(r"whl\)\[([\w,]+)\]", " ".join(rest for _, rest in stages()[stage]))
        assert {*extras.split(",")} <= {*metadata["options.extras_require"]}


def test_the_builder_is_given_what_a_wheel_is_made_of_and_no_more():
    lines = (ROOT / ".dockerignore").read_text(encoding="utf-8").splitlines()
    rules = [line for line in lines if line and not line.startswith("#")]
    assert rules[0] == "*"
    given = {rule[1:] for rule in rules if rule.startswith("!")}
    assert given == {"kerasr", "LICENSE", "README.md", "pyproject.toml", "setup.cfg"}
    assert all((ROOT / name).exists() for name in given)
