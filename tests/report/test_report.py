"""The page: whole, on its own, and with the figures that it was given."""

import json
import re
from html.parser import HTMLParser

import pytest
from click.testing import CliRunner

from hwgen import cli
from hwgen.bench.masks import lumpy
from hwgen.bench.reasons import REASONS
from hwgen.bench.whole import Case, compare
from hwgen.config import load
from hwgen.report import page
from hwgen.report.svg import Axis, number
from hwgen.simulator.rtl import MemoryModel
from models.zoo.synthetic import every_kind

VOID = {"meta", "rect", "circle", "polyline", "path", "line", "br", "img"}


class Checker(HTMLParser):
    """Every element that is opened is closed, in order."""

    def __init__(self):
        super().__init__()
        self.open, self.texts, self.addresses, self.seen = [], [], [], []

    def handle_starttag(self, tag, attributes):
        self.seen.append(tag)
        self.addresses += [v for k, v in attributes if k in ("src", "href", "xlink:href")]
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attributes):
        self.seen.append(tag)

    def handle_endtag(self, tag):
        if tag not in VOID:
            assert self.open.pop() == tag

    def handle_data(self, data):
        self.texts.append(data)


def checked(text: str) -> str:
    """The words of a page that is whole and loads nothing."""
    checker = Checker()
    checker.feed(text)
    assert checker.open == []
    assert checker.addresses == []
    assert not {"script", "link", "iframe", "img"} & set(checker.seen)
    assert not re.search(r"url\((?!#)|@import", text)
    return " ".join(checker.texts)


@pytest.fixture(scope="module")
def bench() -> dict:
    import numpy as np

    network = every_kind(5)
    rng = np.random.default_rng(0)
    masks = {n.name: lumpy((1, *n.output.shape), 0.3, rng) for n in network.gated}
    cases = [Case.of(network, load(name), masks) for name in ("cgnet8", "baseline8")]
    runs = []
    for width in (8, 16):
        result = compare(*cases, MemoryModel(20, width / 16))
        runs.append(
            {"subject": "<b>&net</b>", "masks": "made up", "batch": 1, "bytes_a_cycle": width}
            | {"density": 0.3, "accuracy": 0.875, **result}
        )
    sweep = [
        {"density": d, "batch": b, "speedup": 2 - d, "ideal": 3 - 2 * d, "reached": 0.6}
        for d in (0.1, 0.5, 1.0)
        for b in (1, 16)
    ]
    return {
        "format": "hwgen-bench",
        "latency": 20,
        "settings": ["array.queue=8"],
        "runs": runs,
        "densities": sweep,
    }


AREA = {
    "format": "hwgen-comparison", "target": "ecp5", "first": "cgnet8", "second": "baseline8",
    "percent": {"lut": 12.5}, "total": {"first": {"lut": 4321}, "second": {"lut": 3841}},
}  # fmt: skip
CHECK = {
    "format": "hwgen-check", "network": "net", "images": 10_000, "accuracy": 0.8755,
    "cycles": 17_000.0, "cycles_least": 16_000, "cycles_most": 18_500, "samples": 4,
    "samples_equal": 4,
}  # fmt: skip


def test_a_page_of_everything(bench):
    words = checked(page(load("cgnet8"), bench, [AREA], [CHECK]))
    for heading in ("Gated against dense", "Memory bandwidth", "Where the cycles went", "Area"):
        assert heading in words
    assert "<b>&net</b>" in words and "array.queue=8" in words
    for row in bench["runs"][1]["gated"]["layers"]:
        if row["cycles"]:
            assert row["layer"] in words
    assert f"{bench['runs'][1]['speedup']:.2f}×" in words
    assert all(text in words for text in REASONS.values())
    assert "87.55%" in words and "4 of 4" in words and "+12.5 %" in words and "4,321" in words
    assert load("cgnet8").hash[:16] in words


def test_a_page_of_a_configuration_alone():
    words = checked(page(load("tiny")))
    assert "array.clusters" in words
    assert "Gated against dense" not in words and "Area" not in words


def test_bars_are_as_long_as_their_cycles(bench):
    """Of a layer's stack the widths add up, and those of two layers are in proportion."""
    from hwgen.report import charts

    row = bench["runs"][0]
    boxes = re.findall(
        r'width="([\d.]+)" height="10.00" class="\w+ gated-bar"><title>(.*?), gated',
        charts.layers(row),
    )
    widths: dict[str, float] = {}
    for width, layer in boxes:
        widths[layer] = widths.get(layer, 0) + float(width)
    cycles = {r["layer"]: r["cycles"] for r in row["gated"]["layers"] if r["cycles"]}
    assert widths.keys() == cycles.keys()
    scale = max(widths.values()) / max(cycles.values())
    for layer, count in cycles.items():
        assert widths[layer] == pytest.approx(count * scale, abs=0.1)


def test_lines_can_be_told_apart(bench):
    from hwgen.report import charts

    rows = [row | {"batch": batch} for batch in range(1, 10) for row in bench["runs"]]
    kinds = re.findall(r'class="key"><rect [^>]*class="([^"]*)"', charts.against_bandwidth(rows))
    assert len(set(kinds)) == len(kinds) == 9


@pytest.mark.parametrize("low, high, logarithmic", [
    (0, 1, False), (0, 4.2, False), (0, 123_456, False), (0.3, 80, True), (1, 4096, True),
])  # fmt: skip
def test_marks_lie_on_the_axis_and_are_few(low, high, logarithmic):
    axis = Axis("", low, high, logarithmic)
    marks = axis.marks()
    assert 3 <= len(marks) <= 13
    assert all(0 <= axis.part(mark) <= 1 for mark in marks)


@pytest.mark.parametrize("value, text", [
    (0, "0"), (0.25, "0.25"), (12.3, "12"), (999, "999"), (5000, "5 k"), (1.814e9, "1.81 G"),
])  # fmt: skip
def test_numbers_for_people(value, text):
    assert number(value) == text


class TestCommand:
    def test_writes_the_page(self, bench, tmp_path):
        from hwgen.cli.report import command

        for name, document in (("bench", bench), ("area", AREA), ("check", CHECK)):
            (tmp_path / name).write_text(json.dumps(document))
        out = tmp_path / "new" / "page.html"
        arguments = ["tiny", "--out", out]
        for name in ("bench", "area", "check"):
            arguments += [f"--{name}", tmp_path / name]
        arguments += ["--bench", tmp_path / "more"]
        more = bench | {"runs": [row | {"subject": "another"} for row in bench["runs"]]}
        more["runs"].append(bench["runs"][1] | {"speedup": 7.65})  # once more, measured later
        (tmp_path / "more").write_text(json.dumps(more))
        CliRunner().invoke(command, list(map(str, arguments)), catch_exceptions=False)
        words = checked(out.read_text())
        assert "<b>&net</b>, batch 1" in words and "another, batch 1" in words
        assert f"{bench['runs'][1]['speedup']:.2f}×" in words  # of the other network
        assert words.count(" 7.65×") == 3  # a card, a bar and a row of the table

    @pytest.mark.parametrize(
        "content, expected",
        [
            (None, "No such file"),
            ("{", "must be a file of JSON"),
            ("[]", "must have the format hwgen-bench, not None"),
            ('{"format": "hwgen-check"}', "must have the format hwgen-bench, not hwgen-check"),
        ],
    )
    def test_refuses_other_files(self, tmp_path, capsys, content, expected):
        path = tmp_path / "bench.json"
        if content is not None:
            path.write_text(content)
        with pytest.raises(SystemExit) as exit:
            cli.main(["report", "--bench", str(path), "--out", str(tmp_path / "page.html")])
        err = capsys.readouterr().err
        assert exit.value.code == 2
        assert err.count("\n") == 1 and expected in err
        assert not (tmp_path / "page.html").exists()
