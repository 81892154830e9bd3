"""Configurations: what is accepted, and the one line that a mistake gets."""

import itertools
import tomllib
from importlib import resources

import pytest
from pydantic import ValidationError

from hwgen.config import Config, load, shipped_names
from hwgen.config.loading import accepted, fields
from hwgen.config.values import Choice, PowerOfTwo, Range, Values
from hwgen.errors import UserError


def message(*arguments, **keywords) -> str:
    """The text of the UserError that load raises; one line, always."""
    with pytest.raises(UserError) as caught:
        load(*arguments, **keywords)
    text = str(caught.value)
    assert len(text.splitlines()) == 1
    return text


@pytest.fixture
def file(tmp_path):
    """Write a TOML file and return its path."""

    def write(content: str | bytes, name: str = "mine.toml"):
        path = tmp_path / name
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        return path

    return write


class TestShipped:
    def test_the_promised_ones_are_there(self):
        assert {"cgnet8", "baseline8", "tiny"} <= set(shipped_names())

    @pytest.mark.parametrize("name", shipped_names())
    def test_it_loads_under_its_own_name_and_says_what_it_is(self, name):
        config = load(name)
        assert config.name == name
        assert config.description

    @pytest.mark.parametrize("name", shipped_names())
    def test_it_spells_out_every_field(self, name):
        """A shipped file is also the template that users copy."""
        text = (resources.files("hwgen") / "configs" / f"{name}.toml").read_text()
        data = tomllib.loads(text)
        written = set()
        for key, value in data.items():
            written |= {f"{key}.{k}" for k in value} if isinstance(value, dict) else {key}
        assert written == {name for name, _ in fields()}

    def test_the_reference_configuration(self):
        config = load("cgnet8")
        array = config.array
        assert (array.clusters, array.engines, array.lanes) == (4, 8, 8)
        assert (array.slots, array.group, array.queue, array.rows) == (8, 4, 8, 512)
        assert array.gated and array.mac == "parallel"
        assert config.bus.data_width == 128
        assert config.macs == 256
        assert config.channels_per_pass == 64
        assert config.groups == 2
        assert config.channels_per_group == 32
        assert config.positions_per_cluster == 64
        assert config.positions_per_tile == 256

    def test_the_baseline_differs_in_nothing_but_the_gate(self):
        ours, base = load("cgnet8").model_dump(), load("baseline8").model_dump()
        assert ours["array"].pop("gated") and not base["array"].pop("gated")
        for config in (ours, base):
            del config["name"], config["description"]
        assert ours == base

    def test_defaults_are_the_reference_configuration(self):
        config = load("cgnet8")
        assert Config(name="cgnet8", description=config.description) == config


class TestFields:
    @pytest.mark.parametrize("name, info", fields(), ids=[name for name, _ in fields()])
    def test_each_is_documented(self, name, info):
        assert info.description.endswith(".")
        assert info.json_schema_extra["area"].endswith(".")
        assert info.json_schema_extra["speed"].endswith(".")
        assert accepted(info)

    @pytest.mark.parametrize(
        "values, good, bad",
        [
            (Range(2, 5), {2, 3, 4, 5}, {-1, 0, 1, 6}),
            (PowerOfTwo(2, 8), {2, 4, 8}, {-2, 0, 1, 3, 6, 16}),
            (Choice("a", "b"), {"a", "b"}, {"", "c", "ab"}),
        ],
    )
    def test_kinds_of_values(self, values, good, bad):
        assert {value for value in good | bad if values.accepts(value)} == good

    def test_the_json_schema_has_the_same_ranges(self):
        definitions = Config.model_json_schema()["$defs"]
        array = definitions["ArrayConfig"]["properties"]
        assert array["engines"]["minimum"] == 1 and array["engines"]["maximum"] == 32
        assert array["lanes"]["enum"] == [2, 4, 8, 16, 32]
        assert array["mac"]["enum"] == ["parallel", "serial", "bricks", "subword", "xnor"]

    @pytest.mark.parametrize("name, info", fields(), ids=[name for name, _ in fields()])
    def test_integers_are_refused_outside_of_their_range(self, name, info):
        (values,) = [item for item in info.metadata if isinstance(item, Values)] or [None]
        if not isinstance(values, Range | PowerOfTwo):
            assert info.annotation in (str, bool, tuple[str, ...])
            return
        for value in (values.low - 1, values.high + 1):
            assert message("cgnet8", {name: value}) == (
                f"SET {name}: must be {values}, not {value}"
            )

    def test_a_configuration_cannot_be_changed(self):
        config = load("tiny")
        with pytest.raises(ValidationError, match="frozen"):
            config.array.lanes = 8


class TestOverrides:
    def test_a_list_is_written_with_commas(self):
        config = load("tiny", ["array.mac=bricks", 'array.modes=["8x8", "4x2"]'])
        assert config.array.modes == ("8x8", "4x2")
        config = load("tiny", ["array.mac=bricks", "array.modes=8x8, 4x2"])
        assert config.array.modes == ("8x8", "4x2")
        assert config.override(["array.modes="]).array.modes == ()

    def test_texts_get_the_type_of_their_field(self):
        config = load("tiny", ["array.lanes=8", "array.gated=false", "array.mac=serial", "name=x"])
        assert config.array.lanes == 8
        assert config.array.gated is False
        assert config.array.mac == "serial"
        assert config.name == "x"

    def test_a_value_may_hold_an_equals_sign(self):
        assert load("tiny", ["description=a=b"]).description == "a=b"

    def test_the_last_one_wins(self):
        assert load("tiny", ["array.lanes=8", "array.lanes=16"]).array.lanes == 16

    def test_of_a_loaded_configuration(self):
        config = load("cgnet8").override({"array.group": 8})
        assert config.array.group == 8
        assert config == load("cgnet8", ["array.group=8"])

    @pytest.mark.parametrize(
        "setting, expected",
        [
            ("array.lanes=7", "SET array.lanes: must be a power of two from 2 to 32, not 7"),
            ("array.lanes=x", "SET array.lanes: must be a power of two from 2 to 32, not 'x'"),
            ("array.lanes=", "SET array.lanes: must be a power of two from 2 to 32, not ''"),
            ("array.lanes=8.0", "SET array.lanes: must be a power of two from 2 to 32, not '8.0'"),
            ("array.gated=1", "SET array.gated: must be true or false, not '1'"),
            (
                "array.mac=fast",
                'SET array.mac: must be "parallel", "serial", "bricks", "subword" or "xnor", '
                "not 'fast'",
            ),
            (
                "array.modes=8x8,4x17",
                "SET array.modes: must be a list of up to 16 different pairs of "
                'widths from 1 to 16 (activations x weights), like ["8x8", "4x4"], not '
                "['8x8', '4x17']",
            ),
            ("array.lanes", "SET: must be field=value, as in array.lanes=16, not 'array.lanes'"),
            ("=3", "SET: must be field=value, as in array.lanes=16, not '=3'"),
        ],
    )
    def test_mistakes(self, setting, expected):
        assert message("cgnet8", [setting]) == expected

    @pytest.mark.parametrize("name", ["array.lane", "lanes", "array", "array.lanes.x", "bsu.burst"])
    def test_unknown_fields(self, name):
        text = message("cgnet8", [f"{name}=1"])
        assert text.startswith(f"SET {name}: must be a field of the configuration")

    def test_unknown_fields_get_a_suggestion(self):
        assert message("cgnet8", ["array.lane=1"]).endswith("did you mean array.lanes?")


class TestFiles:
    def test_it_names_only_what_differs(self, file):
        config = load(file("[array]\nlanes = 16\n"))
        assert config.name == "mine"
        assert config.array.lanes == 16
        assert config.array.engines == load("cgnet8").array.engines

    def test_a_path_may_be_a_text(self, file):
        assert load(str(file("name = 'other'"))).name == "other"

    @pytest.mark.parametrize(
        "content, expected",
        [
            ("[array]\nlanes = 7", "array.lanes: must be a power of two from 2 to 32, not 7"),
            ("[array]\nlanes = '8'", "array.lanes: must be a power of two from 2 to 32, not '8'"),
            ("[array]\nlanes = 8.0", "array.lanes: must be a power of two from 2 to 32, not 8.0"),
            ("[array]\nlanes = true", "array.lanes: must be a power of two from 2 to 32, not true"),
            ("[array]\ngated = 1", "array.gated: must be true or false, not 1"),
            ("[array]\nlanez = 8", "array.lanez: unknown field; did you mean array.lanes?"),
            ("[aray]\nlanes = 8", "aray: unknown field; did you mean array?"),
            ("array = 3", "array: must be a table, not 3"),
            ("array = []", "array: must be a table, not []"),
            ("description = 3", "description: must be one line of up to 200 characters"),
            ('description = "a\\nb"', "description: must be one line of up to 200 characters"),
            ("name = 'Chip'", "name: must be a lower-case letter, then up to 62 lower-case"),
            ("[array]\nlanes = 7\nslots = 0", "(and 1 more)"),
            ("lanes = ", "must be TOML: Invalid value (at end of document)"),
            ("a = 1\na = 2", "must be TOML: Cannot overwrite a value"),
            (b"name = '\xff'", "must be UTF-8 text, not byte 8 of it"),
        ],
    )
    def test_mistakes(self, file, content, expected):
        path = file(content)
        text = message(path)
        assert text.startswith(f"{path}: ")
        assert expected in text

    def test_unreadable(self, tmp_path):
        assert "No such file" in message(tmp_path / "none.toml")
        assert "Is a directory" in message(tmp_path)
        assert "No such file" in message("./none")

    def test_unknown_names_list_the_known_ones(self):
        text = message("cgnet9")
        assert all(name in text for name in shipped_names())
        assert text.endswith("did you mean cgnet8?")

    def test_a_table_is_replaced_by_a_setting(self, file):
        path = file("array = 3")
        assert message(path, ["array.lanes=8"]) == f"{path}: array: must be a table, not 3"


class TestCombinations:
    @pytest.mark.parametrize(
        "settings, expected",
        [
            (
                {"array.group": 16},
                "array.group: must be a divisor of array.engines (8), not 16",
            ),
            (
                {"array.engines": 6},
                "array.group: must be a divisor of array.engines (6), not 4",
            ),
            (
                {"array.rows": 16, "array.slots": 32},
                "array.rows: must be at least array.slots (32)",
            ),
            (
                {"memory.activation_words": 64, "array.rows": 512},
                "memory.activation_words: must be at least 128",
            ),
            (
                {"memory.activation_words": 65536, "array.clusters": 8},
                "memory.activation_words: must be at most 32768",
            ),
            (
                {"memory.weight_words": 32},
                "memory.weight_words: must be at least 64",
            ),
            (
                {"array.mac": "serial", "array.modes": ["4x8", "4x16"]},
                "array.modes: must be 1x1 to 16x8 with array.mac = serial, not 4x16",
            ),
            (
                {"array.mac": "xnor", "drain.pool": False},
                "drain.pool: must be true with several activations in a byte",
            ),
            (
                {"drain.lanes": 4},
                "drain.lanes: must be at most 2, the groups of a cluster",
            ),
            (
                {"memory.weight_slots": 8},
                "memory.weight_slots: must be at most array.group (4)",
            ),
            (
                {"memory.weight_slots": 1, "array.lanes": 2},
                "memory.weight_slots: must be at least 2 with array.lanes = 2",
            ),
            (
                {"array.group": 1, "array.lanes": 2, "drain.lanes": 1},
                "array.group: must be at least 2 with array.lanes = 2",
            ),
            (
                {"memory.parameter_words": 32},
                "memory.parameter_words: must be at least the 64 output channels of a pass",
            ),
            (
                {"bus.data_width": 256, "bus.burst": 129},
                "bus.burst: must be at most 128 beats of bus.data_width = 256 bits",
            ),
        ],
    )
    def test_that_cannot_work(self, settings, expected):
        assert message("cgnet8", settings).startswith(f"cgnet8: {expected}")

    @pytest.mark.parametrize(
        "setting, accepted, value",
        [
            ("array.engines=2", "1", "2"),
            ("array.gated=true", "false", "true"),
            ("array.mac=serial", "parallel", "serial"),
            ("array.modes=8x8", "[]", '["8x8"]'),
            ("bus.burst=4", "an integer from 8 to 256", "4"),
            ("control.queue_depth=2", "0", "2"),
        ],
    )
    def test_that_cannot_take_turns(self, setting, accepted, value):
        field = setting.partition("=")[0]
        assert message("micro", ["control.sequential=true", setting]) == (
            f"micro: {field}: must be {accepted} with control.sequential, not {value}"
        )

    @pytest.mark.parametrize(
        "settings",
        [
            {"bus.data_width": 256, "bus.burst": 128},
            {"memory.weight_words": 64},
            {"memory.parameter_words": 64},
            {"drain.lanes": 2},
            {"memory.activation_words": 128},
            {"memory.activation_words": 65536},
            {"array.engines": 12},
            {"array.rows": 16},
        ],
    )
    def test_that_just_work(self, settings):
        load("cgnet8", settings)


class TestHash:
    def test_it_does_not_depend_on_how_a_field_was_given(self, file):
        spelled = load("cgnet8")
        text = f"name = 'cgnet8'\ndescription = '{spelled.description}'\n[memory]\nweight_slots = 1"
        short = load(file(text))
        assert short.hash == spelled.hash
        assert spelled.override(["array.lanes=8"]).hash == spelled.hash

    def test_every_field_changes_it(self):
        config = load("tiny")
        other = {
            int: lambda value: value * 2,
            str: lambda value: "x",
            bool: lambda value: not value,
        }
        replaced = {"array.mac": "serial", "memory.style": "macro", "bus.address_width": 40}
        replaced["array.modes"] = ["8x8"]
        replaced |= {"control.bases": 4, "control.token_bits": 7}
        # Fields with a single accepted value; and those whose neighbours bound them.
        fixed = {"array.activation_bits", "array.weight_bits"}
        together = {
            "array.group": {"array.engines": 4, "array.group": 4},
            "memory.weight_slots": {"memory.weight_slots": 2},
            "drain.lanes": {"array.engines": 4, "drain.lanes": 2},
            "drain.multiplier_bits": {"drain.multiplier_bits": 17},
            "drain.shift_max": {"drain.shift_max": 32},
            "array.trim_planes": {
                "array.mac": "serial",
                "array.modes": ["8x8", "4x8"],
                "array.gated": False,
                "array.trim_planes": True,
            },
        }
        # `tiny` is too large for it.
        micro = load("micro", {"control.sequential": False})
        assert micro.hash != micro.override({"control.sequential": True}).hash
        fixed.add("control.sequential")
        hashes = {config.hash}
        names = [name for name, _ in fields() if name not in fixed]
        for name, info in fields():
            if name in fixed:
                continue
            value = config
            for part in name.split("."):
                value = getattr(value, part)
            change = {name: replaced[name] if name in replaced else other[info.annotation](value)}
            hashes.add(config.override(together.get(name, change)).hash)
        assert len(hashes) == len(names) + 1

    def test_shipped_ones_differ(self):
        for one, two in itertools.combinations(shipped_names(), 2):
            assert load(one).hash != load(two).hash
