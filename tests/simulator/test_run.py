"""``hwgen run``: what it compares, what it tells, what it refuses, what an interruption leaves."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from hwgen import cli, processes, tools
from hwgen.compiler.file import program_bytes
from hwgen.compiler.network import compile_network
from hwgen.config import load
from hwgen.errors import UserError
from hwgen.simulator import compare as module
from hwgen.simulator.compare import Comparison, where
from hwgen.simulator.rtl import build
from models.netfile import Builder, save
from models.reference import run as reference
from models.zoo import fashion_sample, load_shipped, shipped
from models.zoo.synthetic import every_kind, random_parameters
from sim.networks import example

ROOT = Path(__file__).parents[2]


@pytest.fixture
def run(capsys):
    """Call ``hwgen run``; (exit code, standard output, standard error)."""

    def call(*arguments) -> tuple[int, str, str]:
        with pytest.raises(SystemExit) as exit:
            cli.main(["run", *map(str, arguments)])
        captured = capsys.readouterr()
        return exit.value.code or 0, captured.out, captured.err

    return call


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    """A folder of networks and images."""
    folder = tmp_path_factory.mktemp("files")
    save(every_kind(5), folder / "every.safetensors")
    save(example(), folder / "small.safetensors")
    rng = np.random.default_rng(0)
    net = Builder("kernel")
    x = net.input((4, 20, 20))
    full = random_parameters(rng, 4, 4 * 17 * 17)
    weights = rng.integers(-127, 128, (4, 4, 17, 17))
    net.output(net.conv("first", x, weights, full=full))
    save(net.build(), folder / "kernel.safetensors")
    net = Builder("wide")
    net.output(net.maxpool("first", net.input((4, 5, 1500)), (3, 3), (2, 2)))
    save(net.build(), folder / "wide.safetensors")
    for name, arrays in {
        "real": {"images": rng.random((2, 5, 5, 4))},
        "shape": {"images": np.zeros((2, 5, 5, 5), np.uint8)},
        "high": {"images": np.full((2, 5, 5, 4), 256)},
        "labels": {"images": np.zeros((2, 5, 5, 4), np.uint8), "labels": np.zeros(3)},
        "names": {"pictures": np.zeros(3), "labels": np.zeros(3)},
        "good": {
            "images": rng.integers(0, 256, (3, 5, 5, 4)).astype(np.uint8),
            "labels": np.zeros(3, int),
        },
    }.items():
        np.savez(folder / f"{name}.npz", **arrays)
    (folder / "empty").mkdir()
    (folder / "text.npz").write_text("no archive")
    program = program_bytes(compile_network(example(), load("tiny")))
    (folder / "program.safetensors").write_bytes(program)
    data = bytearray((folder / "small.safetensors").read_bytes())
    (folder / "cut.safetensors").write_bytes(data[:-100])
    return folder


class TestRefusals:
    @pytest.mark.parametrize(
        "arguments, expected",
        [
            (
                ["every.safetensors", "--set", "drain.pool=false"],
                "layer maximum: it needs the vector",
            ),
            (["wide.safetensors"], "layer first: one output row needs"),
            (["kernel.safetensors"], "layer first (conv): kernel (17, 17) is larger than 15"),
            (["cut.safetensors"], "cut.safetensors"),
            (["program.safetensors"], "a compiled program; what is needed is the network"),
            (["good.npz"], "good.npz: no safetensors header: not a network file"),
            (["none.safetensors"], "none.safetensors"),
            (["small.safetensors", "real.npz"], "holds real numbers; accepted are bytes"),
            (["small.safetensors", "shape.npz"], "images are [5, 5, 5], network example takes"),
            (["small.safetensors", "high.npz"], "holds 256 … 256, network example takes 0 … 255"),
            (["small.safetensors", "labels.npz"], "2 images, but labels [3]"),
            (["small.safetensors", "names.npz"], "'images' is what is needed"),
            (["small.safetensors", "text.npz"], "not a whole .npz"),
            (["small.safetensors", "none.npz"], "there is no such file"),
            (["small.safetensors", "empty"], "holds none of t10k-images"),
            (["small.safetensors", "--config", "none"], "CONFIG: must be one of"),
            (["small.safetensors", "--bandwidth", "2"], "'--bandwidth': 2.0 is not in the range"),
            (["small.safetensors", "--from", "3"], "say with --trace FILE"),
            (["small.safetensors", "--trace", "x.fst"], "--trace: the backend must be rtl"),
            (
                ["small.safetensors", "--backend", "rtl", "--trace", "none/x.fst"],
                "none must be a folder that can be written",
            ),
            (
                ["small.safetensors", "--backend", "rtl", "--trace", "x.fst", "--to", "4"]
                + ["--from", "4"],
                "--to: must be above --from (4), not 4",
            ),
        ],
    )
    def test_are_one_line(self, run, files, monkeypatch, arguments, expected):
        monkeypatch.chdir(files)
        before = sorted(files.iterdir())
        code, out, err = run("--config", "tiny", "--backend", "functional", *arguments)
        assert (code, out, err.count("\n")) == (2, "", 1), err
        assert err.startswith("hwgen: ")
        assert expected in err
        assert sorted(files.iterdir()) == before

    @pytest.mark.parametrize("missing", ["c++", "make", "perl"])
    def test_a_simulator_that_cannot_be_built(self, monkeypatch, tmp_path, missing):
        monkeypatch.setenv("HWGEN_CACHE", str(tmp_path / "cache"))
        found = tools.find
        monkeypatch.setattr(tools, "find", lambda name: None if name == missing else found(name))
        with pytest.raises(UserError, match=r"not found; install .*apt-get install"):
            build("module top; endmodule", top="top", beat_bytes=8)
        assert not (tmp_path / "cache").exists()

    def test_a_simulator_that_does_not_compile(self, monkeypatch, tmp_path):
        monkeypatch.setenv("HWGEN_CACHE", str(tmp_path))
        with pytest.raises(UserError, match=r"top: the simulator could not be built; see .*\.log"):
            build("module top; nonsense", top="top", beat_bytes=8)
        assert [path.suffix for path in (tmp_path / "rtl").iterdir()] == [".log"]


class TestTrace:
    def test_of_a_window(self, run, files, tmp_path, monkeypatch):
        """Or, where the libraries of FST are not installed, how one gets them."""
        path = tmp_path / "x.fst"
        arguments = [files / "small.safetensors", "--config", "tiny", "--images", 1, "--json"]
        window = ["--trace", path, "--from", 700, "--to", 900]
        code, out, err = run(*arguments, *window)
        if code == 2 and "h, which FST files need; install it (apt-get install " in err:
            assert err.count("\n") == 1 and not path.exists()
            return
        assert code == 0 and json.loads(out)["wrong"] == 0
        data = path.read_bytes()
        # Header block: type 0, length, first and last time. Two times a cycle; reset takes eight.
        first, last = (int.from_bytes(data[n : n + 8], "big") for n in (9, 17))
        assert data[0] == 0
        assert (first, last) == (2 * (8 + 700), 2 * (8 + 900) - 1)
        assert [p.name for p in tmp_path.iterdir()] == ["x.fst"]

        code, out, err = run(*arguments, "--trace", tmp_path / "y.fst", "--from", 10_000_000)
        assert code == 2
        assert "--from: must be below the " in err
        assert [p.name for p in tmp_path.iterdir()] == ["x.fst"]

    def test_headers_that_are_missing(self, monkeypatch, tmp_path):
        monkeypatch.setenv("HWGEN_CACHE", str(tmp_path))
        here = sys.modules["hwgen.simulator.rtl.build"]
        monkeypatch.setattr(here, "TRACE_HEADERS", {"no_such.h": "package"})
        with pytest.raises(UserError, match=r"does not find no_such.h, .*apt-get install package"):
            build("module top; endmodule", top="top", beat_bytes=8, trace=True)


class TestComparison:
    def test_a_wrong_edge_is_told_by_layer_and_image(self):
        edges = {"a": np.arange(8).reshape(2, 4), "b": np.zeros((2, 3), int)}
        comparison = Comparison(edges)
        for image in range(2):
            check = comparison.checker(image)
            check("a", edges["a"][image])
            check("b", edges["b"][image] + (image == 1))
        facts = comparison.facts()
        assert (facts["edges_compared"], facts["wrong"]) == (4, 1)
        assert facts["first_wrong"] == "layer b, image 1"
        assert [row["wrong"] for row in facts["layers"]] == [0, 1]

    def test_the_command_fails_if_anything_differs(self, run, files, monkeypatch):
        honest = module._functional

        def spoilt(compiled, image, inspect):
            honest(compiled, image, lambda name, got: inspect(name, got + (name == "beside")))

        monkeypatch.setattr(module, "_functional", spoilt)
        code, out, _ = run(
            files / "small.safetensors", files / "good.npz", "--config", "tiny", "--backend",
            "functional",
        )  # fmt: skip
        assert code == 1
        assert "the first: layer beside, image 0" in out

    def test_checksums_do_not_depend_on_the_backend(self, run, files):
        told = []
        for backend in ("functional", "rtl", "cycle"):
            code, out, _ = run(
                files / "small.safetensors", files / "good.npz", "--config", "tiny", "--json",
                "--backend", backend,
            )  # fmt: skip
            assert code == 0
            told.append(json.loads(out))
        assert told[0]["layers"] == told[1]["layers"] != []
        assert told[0]["accuracy"] == told[1]["accuracy"]
        assert told[1]["cycles_least"] <= told[1]["cycles"] <= told[1]["cycles_most"]
        assert told[2]["layers"] == told[1]["layers"]
        assert told[2]["counters"] == told[1]["counters"]

    def test_bytes_become_what_the_network_reads(self, run):
        """The network of signs says in its file how a byte becomes a thermometer."""
        names = [shipped("fashion_binary"), shipped("fashion_binary").parent / "fashion_sample.npz"]
        options = ["--config", "bnn", "--backend", "functional", "--images", 2, "--json"]
        code, out, _ = run(*names, *options)
        facts = json.loads(out)
        assert (code, facts["wrong"]) == (0, 0)
        images, labels = fashion_sample()
        network = load_shipped("fashion_binary")
        # (byte + B + 1) >> 1 is at least 1 from the threshold 1 - B on.
        thresholds = 1 - network.tensor(network.input.full.B)[:, None, None]
        signs = np.where(images[:2] >= thresholds, 1, -1)
        assert set(np.unique(signs)) == {-1, 1}
        classes = reference(network, signs).classes
        assert facts["classes"] == classes.tolist()
        assert facts["accuracy"] == np.mean(classes == labels[:2])

    def test_images_of_another_size_for_a_thermometer(self, run, tmp_path):
        path = tmp_path / "large.npy"
        np.save(path, np.zeros((2, 32, 32), np.uint8))
        code, _, err = run(shipped("fashion_binary"), path, "--config", "bnn")
        assert (code, err.count("\n")) == (2, 1)
        assert (
            "large.npy: images are [1, 32, 32], network fashion-binary takes [16, 28, 28] or "
            "[1, 28, 28]"
        ) in err

    def test_shares_of_the_cycles_sum_to_one(self):
        config = load("cgnet8")
        counters = {"CYCLES": 100, "ARRAY_BUSY": 400, "ARRAY_STARVED": 80}
        counters |= {"ARRAY_UNLOADED": 40, "ARRAY_INTERLOCKED": 8}
        shares = where(config, counters)
        assert shares["computing"] == 0.5
        assert shares["no pass to do"] == pytest.approx(1 - 528 / 800)


def running(group: int) -> list[str]:
    """Processes of a group that have not ended. Zombies have: they only wait to be reaped."""
    found = []
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            name, _, rest = path.read_text().rpartition(")")
        except OSError:  # it has just ended
            continue
        state, _parent, its_group = rest.split()[:3]
        if int(its_group) == group and state != "Z":
            found.append(name)
    return found


class TestInterruption:
    """Only the process that waits is told, as by ``kill``; a terminal tells all of them."""

    SCRIPT = (
        "import sys\n"
        "from hwgen.processes import ending_as_if_interrupted, run\n"
        "with ending_as_if_interrupted():\n"
        "    run(['sh', '-c', 'sleep 600 & sleep 600 & echo $$ > ' + sys.argv[1] + '; wait'])\n"
    )

    @pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
    def test_ends_all_children(self, tmp_path, number):
        told = tmp_path / "group"
        # A shell that runs the tests in the background has made us ignore SIGINT, nohup SIGHUP.
        script = (
            "import signal\n"
            "signal.signal(signal.SIGINT, signal.default_int_handler)\n"
            "signal.signal(signal.SIGHUP, signal.SIG_DFL)\n"
        ) + self.SCRIPT
        parent = subprocess.Popen(
            [sys.executable, "-c", script, told],
            env=os.environ | {"PYTHONPATH": str(ROOT)},
            stderr=subprocess.DEVNULL,
        )
        while not (told.exists() and told.read_text().strip()):
            assert parent.poll() is None
            time.sleep(0.02)
        group = int(told.read_text())
        os.killpg(group, 0)
        parent.send_signal(number)
        assert parent.wait() in (128 + number, -number)
        for _ in range(200):  # killed, they take a moment to go
            if not running(group):
                return
            time.sleep(0.02)
        raise AssertionError(running(group))

    def test_of_a_traced_run_leaves_no_file(self, monkeypatch, tmp_path, files):
        from hwgen.simulator.trace import Trace, traced

        class Simulator:
            cycle = 0

            def trace(self, path, first, last):
                path.write_text("half")

            def close(self):
                pass

        with pytest.raises(KeyboardInterrupt):
            with traced(Simulator(), Trace(tmp_path / "x.fst")):
                raise KeyboardInterrupt
        assert list(tmp_path.iterdir()) == []

    def test_output_of_a_process_that_ends_well(self):
        result = processes.run(["sh", "-c", "echo out; echo err >&2; exit 3"])
        assert (result.returncode, result.stdout, result.stderr) == (3, "out\n", "err\n")
