"""Training runs on generated data: learning, stopping, going on, and refusing."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from click.testing import CliRunner

from hwgen.cli.train import command
from hwgen.errors import UserError
from models.training import Place, load_config, load_data, load_run, train
from models.training.build import build
from models.training.config import Schedule
from models.training.evaluate import evaluate
from models.training.plot import curves, plot
from models.training.precision import half_type
from models.training.schedule import parameter_groups, rate_at
from models.training.trainer import Trainer

HERE = Place(0, 1, torch.device("cpu"))
RUN = """
seed = 3
from_twin = true
checkpoint_seconds = 1e-6
[network]
name = "fashion-small"
options = { width = 16 }
[data]
name = "generated"
options = { train = 320, test = 64 }
augment = { flip = true, crop = 2 }
[schedule]
epochs = 2
batch = 16
[twin]
epochs = 2
batch = 16
[gating]
target = 1.0
penalty = 1e-2
options = { part = 4, norms = 2 }
[quantization]
[distillation]
"""


SHORT = ("schedule.epochs=1", "twin.epochs=1", "data.options.train=32")


@pytest.fixture
def config_file(tmp_path):
    path = tmp_path / "run.toml"
    path.write_text(RUN)
    return path


class Killed(Exception):
    """Stands for a kill: nothing after it runs."""


def _killer(title_of_death, at):
    def begin(title):
        def progress(step, steps, shown):
            if title == title_of_death and step == at:
                raise Killed

        return progress

    return begin


def _state(folder):
    return torch.load(folder / "checkpoint.pt", weights_only=True)["model"]


def _train(config, folder, **options):
    return train(config, load_data(config, None), folder, HERE, **options)


def test_a_run_learns_and_reports(config_file, tmp_path):
    settings = ("twin.epochs=4", "data.options.train=1280", "schedule.rate=0.05")
    summary = _train(load_config(config_file, settings), tmp_path / "out")
    assert summary.accuracy > 0.4 and summary.twin_accuracy > 0.4  # chance is 0.1
    assert summary.reduction_gated > 1.2
    assert [layer.name for layer in summary.layers] == ["features.4", "features.7", "features.10"]
    written = json.loads((tmp_path / "out" / "summary.json").read_text())
    assert written["accuracy"] == summary.accuracy
    file = tmp_path / "out" / "metrics.jsonl"
    rows = [json.loads(line) for line in file.read_text().splitlines()]
    steps = [row["step"] for row in rows]
    assert steps == sorted(set(steps)) and steps[-1] == 2 * 80
    assert all(0 < row["penalty"] < row["loss"] for row in rows)
    assert "penalty" not in (tmp_path / "out" / "twin" / "metrics.jsonl").read_text()
    assert any((tmp_path / "out" / "tensorboard").iterdir())
    plot(tmp_path / "out", tmp_path / "curve.png")
    assert (tmp_path / "curve.png").read_bytes().startswith(b"\x89PNG")
    with pytest.raises(UserError, match=r"metrics\.jsonl: no such file"):
        plot(tmp_path, tmp_path / "curve.png")
    drawn = {line.get_label(): line for line in curves(tmp_path / "out").axes[0].get_lines()}
    without = [row["loss"] - row["penalty"] for row in rows]
    assert list(drawn["gated"].get_ydata()) == without
    # A record from before penalties were noted has only what held-out images say.
    for row in rows:
        del row["penalty"]
    file.write_text("".join(json.dumps(row) + "\n" for row in rows))
    drawn = {line.get_label(): line for line in curves(tmp_path / "out").axes[0].get_lines()}
    tested = [row["test_loss"] for row in rows if "test_loss" in row]
    assert list(drawn["gated"].get_ydata()) == tested


def test_only_validation_images_are_looked_at_before_the_end(config_file, tmp_path, monkeypatch):
    from models.training import trainer

    config = load_config(config_file, (*SHORT, "data.validation=8", "data.limit_test=40"))
    data = load_data(config, None)
    assert (len(data.train), len(data.validation), len(data.test)) == (24, 8, 40)
    whole = load_data(load_config(config_file, SHORT), None).train.images
    drawn = torch.cat(
        [part.batch(torch.arange(len(part)))[0] for part in (data.train, data.validation)]
    )
    assert sorted(image.sum().item() for image in drawn) == sorted(w.sum().item() for w in whole)
    seen = []
    monkeypatch.setattr(
        trainer,
        "evaluate",
        lambda m, source, *a: seen.append(len(source)) or evaluate(m, source, *a),
    )
    summary = train(config, data, tmp_path / "out", HERE)
    assert seen == [8, 40, 8, 40]  # the twin: after its epoch, at its end; the gated network
    last = json.loads((tmp_path / "out" / "metrics.jsonl").read_text().splitlines()[-1])
    assert summary.validation_accuracy == last["accuracy"]
    with pytest.raises(UserError, match=r"data\.validation: must be less than 32, not 32"):
        load_data(load_config(config_file, (*SHORT, "data.validation=32")), None)


@pytest.mark.parametrize(("title", "at"), [("twin", 40), ("fashion-small", 40)])
def test_a_killed_run_continues_to_the_same_bits(config_file, tmp_path, title, at):
    config = load_config(config_file)
    _train(config, tmp_path / "whole")
    with pytest.raises(Killed):
        _train(config, tmp_path / "killed", progress=_killer(title, at))
    _train(config, tmp_path / "killed")
    whole, continued = _state(tmp_path / "whole"), _state(tmp_path / "killed")
    assert whole.keys() == continued.keys()
    assert all(torch.equal(whole[name], continued[name]) for name in whole)
    metrics = [(tmp_path / run / "metrics.jsonl").read_text() for run in ("whole", "killed")]
    assert metrics[0] == metrics[1]


@pytest.mark.parametrize("found", ["avx512_bf16", "amx_bf16", "avx2"])
def test_mixed_precision_follows_the_processor(config_file, tmp_path, monkeypatch, found):
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: {found: True})
    expected = None if found == "avx2" else torch.bfloat16
    assert half_type(torch.device("cpu")) == expected
    config = load_config(config_file, ("mixed_precision=true", *SHORT))
    data = load_data(config, None)
    types = []
    for folder in ("a", "b"):
        model = build(config, data)
        model.classifier.register_forward_hook(lambda *a: types.append(a[-1].dtype))
        (tmp_path / folder).mkdir()
        Trainer(config, model, data, tmp_path / folder, HERE).run()
    weights = [load_run(tmp_path / folder)[1].state_dict() for folder in ("a", "b")]
    assert all(torch.equal(weights[0][name], weights[1][name]) for name in weights[0])
    assert all(t.dtype != torch.bfloat16 for t in weights[0].values())
    assert (torch.bfloat16 in types) == (expected is not None)


def test_the_seed_decides_weights_and_order(config_file, tmp_path):
    weights, orders = [], []
    for seed in (3, 3, 4):
        config = load_config(config_file, (f"seed={seed}",))
        data = load_data(config, None)
        model = build(config, data)
        weights.append(model.classifier.weight)
        orders.append(Trainer(config, model, data, tmp_path, HERE)._order(0))
    for drawn in (weights, orders):
        assert torch.equal(drawn[0], drawn[1]) and not torch.equal(drawn[0], drawn[2])


def test_a_checkpoint_of_another_run_is_refused_and_kept(config_file, tmp_path):
    config = load_config(config_file, SHORT)
    _train(config, tmp_path / "out")
    before = (tmp_path / "out" / "checkpoint.pt").read_bytes()
    other = load_config(config_file, (*SHORT, "gating.target=2.0"))
    with pytest.raises(UserError, match=r"another run: gating\.target was 1\.0 and is 2\.0"):
        _train(other, tmp_path / "out")
    assert (tmp_path / "out" / "checkpoint.pt").read_bytes() == before
    _train(other, tmp_path / "out", fresh=True)


def test_a_checkpoint_from_before_a_field_was_added_continues(config_file, tmp_path):
    config = load_config(config_file, SHORT)
    _train(config, tmp_path / "out")
    path = tmp_path / "out" / "checkpoint.pt"
    content = torch.load(path)
    for field in ("mixed_precision", "checkpoint_seconds"):
        del content["config"][field]
    torch.save(content, path)
    with pytest.raises(UserError, match=r"checkpoint_seconds was 60\.0 and is 1e-06"):
        _train(config, tmp_path / "out")
    content["config"]["checkpoint_seconds"] = config.checkpoint_seconds
    torch.save(content, path)
    _train(config, tmp_path / "out")


def test_nan_stops_and_keeps_the_last_good_checkpoint(config_file, tmp_path):
    settings = ("schedule.rate=1e30", "schedule.epochs=3", "quantization.activations=pact")
    config = load_config(config_file, settings)
    with pytest.raises(UserError, match=r"not a number at step \d+: training stopped"):
        _train(config, tmp_path / "out")
    assert all(t.isfinite().all() for t in _state(tmp_path / "out" / "twin").values())


def test_cut_and_foreign_checkpoints(config_file, tmp_path):
    config = load_config(config_file, SHORT)
    _train(config, tmp_path / "out")
    path = tmp_path / "out" / "checkpoint.pt"
    config_again, model, step = load_run(tmp_path / "out")
    assert config_again == config and step == 2 and not model.training
    content = torch.load(path, weights_only=True)
    content["config"]["network"]["options"]["width"] = 32
    torch.save(content, path)
    with pytest.raises(UserError, match="checkpoint of another network: .* expected"):
        load_run(path)
    content["config"]["network"]["options"]["width"] = 16
    for damage, message in [
        ({"step": None}, "was edited: it has no step"),
        ({"config": {}}, "another version, or edited: network: Field required"),
        ({"model": content["model"] | {"classifier.bias": torch.full((10,), torch.nan)}}, "NaN"),
        ({"model": content["model"] | {"classifier.bias": 1}}, "classifier.bias is no tensor"),
    ]:
        torch.save(content | damage, path)
        with pytest.raises(UserError, match=message):
            load_run(path)
    torch.save(content | {"optimizer": {"state": {}, "param_groups": []}}, path)
    damaged = path.read_bytes()
    with pytest.raises(UserError, match="was edited: optimizer: .* parameter groups"):
        _train(config, tmp_path / "out")
    assert path.read_bytes() == damaged
    content["format"] = 99
    torch.save(content, path)
    with pytest.raises(UserError, match="format 99, this version reads 1"):
        load_run(path)
    whole = path.read_bytes()
    for size in (0, 100, len(whole) // 2):
        path.write_bytes(whole[:size])
        with pytest.raises(UserError, match=f"{size} bytes, not a whole checkpoint"):
            load_run(path)
    with pytest.raises(UserError, match="no such file"):
        load_run(tmp_path / "nowhere")


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        (("schedule.epoch=3",), r"schedule\.epoch.*not permitted"),
        (("schedule.rate=-1",), r"schedule\.rate.*greater than 0, not -1"),
        (("data.name=mnist",), r"data\.name"),
        (("rate",), "must be field=value"),
        (("seed.x=1",), "seed has no fields"),
    ],
)
def test_bad_fields_are_named(config_file, settings, message):
    with pytest.raises(UserError, match=message):
        load_config(config_file, settings)


def test_bad_networks_and_options(config_file):
    for setting, message in [
        ('network.name="lenet"', "must be one of alexnet"),
        ("network.options.depth=3", "fashion-small has width, not 'depth'"),
        ("gating.options.part=1", "part must be an integer"),
        ("gating.options.parts=4", "channel gating has activity, grouping, .*, not 'parts'"),
        ("gating.kind=precision", "precision gating has .*, not 'part'"),
        ("network.options.width=0", r"network\.options\.width: must be an integer from 1, not 0"),
        ("network.options.width=wide", "must be an integer from 1, not 'wide'"),
        ('gating.dense=["nothing"]', "no convolution 'nothing'"),
    ]:
        config = load_config(config_file, (setting,))
        with pytest.raises(UserError, match=message):
            build(config, load_data(config, None))


def test_shipped_configurations_are_valid():
    folder = Path(__file__).parents[2] / "models" / "configs"
    names = [path.stem for path in folder.glob("*.toml")]
    assert "fashion_small" in names
    for name in names:
        config = load_config(name)
        shape = (1, 28, 28) if config.data.name == "fashion-mnist" else (3, 32, 32)

        class Data:
            classes, shape = tuple(range(10)), (1, 28, 28)

        Data.shape = shape
        build(config, Data)


def test_rates():
    steps = Schedule(epochs=4, rate=1.0, policy="steps", at=(1, 3), factor=0.1)
    rates = [rate_at(steps, step, 10) for step in (0, 9, 10, 29, 30)]
    assert rates == pytest.approx([1, 1, 0.1, 0.1, 0.01])
    cycle = Schedule(epochs=4, rate=1.0, warmup=0.25)
    rates = [rate_at(cycle, step, 10) for step in range(40)]
    assert max(rates) == rates[10] == 1 and rates[0] == pytest.approx(1 / 11)
    assert rates[25] == pytest.approx(0.5) and rates[39] < 0.01


def test_only_weights_decay(config_file):
    config = load_config(config_file, ("quantization.weights=lsq", "quantization.activations=pact"))
    model = build(config, load_data(config, None))
    decaying, others = parameter_groups(model, 1e-4)
    names = {id(p): name for name, p in model.named_parameters()}
    assert decaying["weight_decay"] == 1e-4 and others["weight_decay"] == 0
    assert all(names[id(p)].endswith(".weight") for p in decaying["params"])
    kept = {names[id(p)] for p in others["params"]}
    assert "features.4.threshold" in kept
    assert "features.4.weight_quantizer.size" in kept
    assert len(kept) + len(decaying["params"]) == len(names)


def test_command_line(config_file, tmp_path):
    arguments = [str(config_file), "--out", str(tmp_path / "out"), "--json", "--device", "cpu"]
    arguments += ["--set", " ".join(SHORT)]
    result = CliRunner().invoke(command, arguments, catch_exceptions=False)
    assert result.exit_code == 0
    assert json.loads(result.stdout)["network"] == "fashion-small"
    with pytest.raises(UserError, match="--device: must be auto, cpu, cuda or cuda:N, not 'meta'"):
        CliRunner().invoke(command, [*arguments, "--device", "meta"], catch_exceptions=False)
    with pytest.raises(UserError, match="no such file, nor one of .*fashion_small"):
        CliRunner().invoke(command, ["nothing"], catch_exceptions=False)


def test_two_processes_train_one_network(config_file, tmp_path):
    arguments = ["--nproc-per-node", "2", "--standalone", "-m", "hwgen", "train", str(config_file)]
    arguments += ["--out", str(tmp_path / "out"), "--threads", "1", "--device", "cpu"]
    arguments += ["--set", " ".join(SHORT), "--json"]
    environment = os.environ | {"OMP_NUM_THREADS": "1"}
    launcher = [sys.executable, "-W", "ignore", "-m", "torch.distributed.run", *arguments]
    done = subprocess.run(launcher, env=environment, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["epochs"] == 1  # only one process speaks
    assert load_run(tmp_path / "out")[2] == 2
