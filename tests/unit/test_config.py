"""The configuration: what is shipped, and what is rejected in which words."""

import copy
import re
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from safe_pit_cm import config
from safe_pit_cm.errors import UserError

ROOT = Path(__file__).parents[2]
CONFIG_TEXT = (ROOT / "config.yaml").read_text(encoding="utf-8")
SHIPPED: dict[str, Any] = yaml.safe_load(CONFIG_TEXT)
SCHEMA: dict[str, Any] = yaml.safe_load((ROOT / "workflow/schemas/config.schema.yaml").read_text(encoding="utf-8"))
PARAMETERS = config.parameters(SCHEMA)
SECTIONS = [name for name, value in SHIPPED.items() if isinstance(value, dict)]


def changed(**values: Any) -> dict[str, Any]:
    """The shipped config with other values at dotted names, a dot written as two underscores."""
    new = copy.deepcopy(SHIPPED)
    for name, value in values.items():
        *sections, key = name.split("__")
        section = new
        for part in sections:
            section = section[part]
        section[key] = value
    return new


def at(name: str, value: Any) -> dict[str, Any]:
    """The shipped config with another value at one dotted name."""
    return changed(**{name.replace(".", "__"): value})


def without(name: str) -> dict[str, Any]:
    """The shipped config without one key."""
    new = copy.deepcopy(SHIPPED)
    *sections, key = name.split(".")
    section = new
    for part in sections:
        section = section[part]
    del section[key]
    return new


def problems(bad: dict[str, Any]) -> list[str]:
    """Sentences with which a config is rejected: none if it is accepted."""
    try:
        config.validate(bad, SCHEMA)
    except UserError as error:
        return str(error).splitlines()
    return []


def the_problem(bad: dict[str, Any]) -> str:
    """Sentence with which a config is rejected, when it must be one alone."""
    (sentence,) = problems(bad)
    return sentence


def assert_told(cases: Iterable[tuple[dict[str, Any], str]]) -> None:
    """Every config is rejected by one sentence alone, all of which its pattern matches; all that are not are told."""
    told = [(pattern, problems(bad)) for bad, pattern in cases]
    assert told
    wrong = [
        f"wanted {pattern!r}, got {sentences}"
        for pattern, sentences in told
        if len(sentences) != 1 or not re.fullmatch(pattern, sentences[0])
    ]
    assert not wrong, "\n".join(wrong)


def test_the_shipped_config_is_accepted() -> None:
    config.validate(SHIPPED, SCHEMA)


def marks(text: str) -> dict[str, str]:
    """Mark of every parameter of a config, read from the comment on its line."""
    found: dict[str, str] = {}
    sections: list[tuple[int, str]] = []
    for line in text.splitlines():
        match = re.match(r"^( *)(\w+):([^#]*)(?:# *(\w+)\b)?", line)
        if match is None:
            continue
        indent, key, value, word = len(match[1]), match[2], match[3].strip(), match[4]
        sections = [section for section in sections if section[0] < indent]
        if value:
            found[".".join([*(name for _, name in sections), key])] = word
        else:
            sections.append((indent, key))
    return found


def test_every_mark_in_the_shipped_config_is_the_source_in_the_schema() -> None:
    assert marks(CONFIG_TEXT) == {name: entry["source"] for name, entry in PARAMETERS.items()}


def test_the_config_and_the_schema_have_the_same_parameters() -> None:
    assert set(config.flatten(SHIPPED)) == set(PARAMETERS)


def test_every_parameter_is_described_and_typed_and_has_a_source() -> None:
    types, sources = {"integer", "number", "string", "boolean", "array"}, {"stated", "derived", "inferred", "chosen"}
    incomplete = {
        name: entry
        for name, entry in PARAMETERS.items()
        if not entry.get("description", "").strip()
        or entry.get("type") not in types
        or entry.get("source") not in sources
    }
    assert not incomplete


def test_a_missing_key_or_section_is_named() -> None:
    assert_told((without(name), re.escape(f"{name} is missing")) for name in [*PARAMETERS, *SECTIONS])


def test_an_unknown_key_is_named_beside_the_known_ones() -> None:
    known = {"sead": SHIPPED, **{f"{section}.sead": SHIPPED[section] for section in SECTIONS}}
    assert_told(
        (at(name, 1), re.escape(f"{name} is not a known key; ") + ".*" + re.escape(", ".join(keys)))
        for name, keys in known.items()
    )


def test_a_section_that_is_not_a_section_is_named() -> None:
    assert_told(
        (at(section, value), re.escape(f"{section} must be a section with keys, not ") + ".*")
        for section in SECTIONS
        for value in (None, 3, "text", [1])
    )


NUMERIC = {name: entry["type"] for name, entry in PARAMETERS.items() if entry["type"] in {"integer", "number"}}
WANTED = {"integer": "a whole number", "number": "a number"}


def mistyped(name: str, value: str) -> str:
    """Pattern of the opening of the sentence about a number of the wrong type."""
    return re.escape(f"{name} must be {WANTED[NUMERIC[name]]}, not {value}")


def test_a_parameter_of_the_wrong_type_is_named_with_what_it_must_be() -> None:
    assert_told(
        (at(name, value), mistyped(name, repr(value)) + ".*" + re.escape(PARAMETERS[name]["description"]) + ".*")
        for name in NUMERIC
        for value in (True, None, [1], {"a": 1})
    )


def test_a_parameter_given_as_a_word_is_named_and_no_number_is_proposed() -> None:
    assert_told((at(name, "many"), mistyped(name, "the text 'many'") + "(?!.*YAML).*") for name in NUMERIC)


def test_a_number_that_yaml_reads_as_text_is_explained() -> None:
    # This is what YAML 1.1 makes of it, or the sentence would be wrong.
    assert yaml.safe_load("1e-3") == "1e-3"
    hint = re.escape("; YAML reads 1e-3 as text, write 0.001")
    assert_told((at(name, "1e-3"), mistyped(name, "the text '1e-3'") + ".*" + hint + ".*") for name in NUMERIC)


@settings(deadline=None, derandomize=True, max_examples=100)
@given(number=st.floats(min_value=1e-30, max_value=1e30))
def test_what_the_sentence_says_to_write_is_the_number_that_was_meant(number: float) -> None:
    sentence = the_problem(at("grid.spacing", f"{number!r}e0" if "e" not in repr(number) else repr(number)))
    written = re.search(r"write (\S+)", sentence)
    assert written is not None
    assert float(yaml.safe_load(written[1])) == number


def test_a_count_must_be_a_whole_number() -> None:
    # 20.0 too: NumPy takes no such number for a size, so it would fail only once a job runs.
    assert_told(
        (at(name, value), mistyped(name, repr(value)) + ".*")
        for name, kind in NUMERIC.items()
        if kind == "integer"
        for value in (2.5, 20.0, float("inf"), float("nan"))
    )


def test_a_number_must_be_finite() -> None:
    assert_told(
        (at(name, value), re.escape(f"{name} must be ") + rf"[^(]* not {value}( \(.*)?")
        for name, kind in NUMERIC.items()
        if kind == "number"
        for value in (float("inf"), float("-inf"), float("nan"))
    )


BOUNDS = [
    (name, keyword)
    for name, entry in PARAMETERS.items()
    for keyword in ("minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum")
    if keyword in entry
]
OUTSIDE: dict[str, Callable[[float], float]] = {
    "minimum": lambda bound: bound - 1,
    "maximum": lambda bound: bound + 1,
    "exclusiveMinimum": lambda bound: bound,
    "exclusiveMaximum": lambda bound: bound,
}
WORDS = {
    "minimum": "at least",
    "maximum": "at most",
    "exclusiveMinimum": "greater than",
    "exclusiveMaximum": "less than",
}


def test_a_value_out_of_range_is_named_with_its_bound() -> None:
    outside = [(*key, PARAMETERS[key[0]][key[1]]) for key in BOUNDS]
    assert_told(
        (at(name, value), re.escape(f"{name} must be {WORDS[keyword]} {bound}, not {value}") + ".*")
        for name, keyword, bound in outside
        for value in [OUTSIDE[keyword](bound)]
    )


def test_every_number_has_a_lower_bound() -> None:
    # Counts, lengths, times and rates: none of them means anything below zero.
    assert {name for name, keyword in BOUNDS if keyword in {"minimum", "exclusiveMinimum"}} == set(NUMERIC)


def test_every_number_and_every_number_of_a_list_has_an_upper_bound() -> None:
    ranges = {name: entry.get("items", entry) for name, entry in PARAMETERS.items()}
    numbers = {name: entry for name, entry in ranges.items() if entry["type"] in {"integer", "number"}}
    assert numbers.keys() > NUMERIC.keys()
    assert not [name for name, entry in numbers.items() if not {"maximum", "exclusiveMaximum"} & entry.keys()]


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("seed", 2**63),
        ("replication.datasets", [2**63]),
        ("training.epochs", 10**9),
        ("ablation.substeps", [1, 2**63 - 1]),
        ("robustness.crop_widths", [2**63]),
    ],
)
def test_an_absurdly_large_number_is_refused(name: str, value: Any) -> None:
    largest = value[-1] if isinstance(value, list) else value
    assert re.match(rf"{re.escape(name)}(\.\d)? must be at most \d+, not {largest}", the_problem(at(name, value)))


@pytest.mark.parametrize(
    ("values", "names"),
    [
        pytest.param({"time__save_interval": 51}, ["time.save_interval", "time.steps"], id="interval-divides-steps"),
        pytest.param({"time__save_interval": 10000}, ["time.save_interval", "time.steps"], id="interval-beyond-steps"),
        pytest.param(
            {"microstructure__grains_min": 36}, ["microstructure.grains_min", "microstructure.grains_max"], id="grains"
        ),
        pytest.param(
            {"transport__magnitude_min": 0.71},
            ["transport.magnitude_min", "transport.magnitude_max"],
            id="magnitudes",
        ),
        pytest.param(
            {"loss__magnitude_low": 1e6}, ["loss.magnitude_low", "loss.magnitude_high"], id="magnitudes-of-the-loss"
        ),
        pytest.param(
            {"ablation__sensitivity__interface_width": [0.5, 6.2]},
            ["ablation.sensitivity.interface_width (6.2)"],
            id="other-interface-wider-than-grain",
        ),
        pytest.param(
            {"ablation__sensitivity__microstructures": [{"interface_width": 6.2, "roughness": 0.3}]},
            ["ablation.sensitivity.microstructures (6.2)"],
            id="other-pair-wider-than-grain",
        ),
        pytest.param(
            {"lost_choices__magnitude_min": [0.1, 0.7]},
            ["lost_choices.magnitude_min (0.7)", "transport.magnitude_max"],
            id="magnitudes-of-the-lost-choices",
        ),
        pytest.param(
            {"ablation__sensitivity__magnitude_min": [0.1, 0.71]},
            ["ablation.sensitivity.magnitude_min (0.71)", "transport.magnitude_max"],
            id="other-magnitudes",
        ),
        pytest.param(
            {"microstructure__interface_width": 6.2},
            ["microstructure.interface_width"],
            id="interface-wider-than-grain",
        ),
        pytest.param(
            {"dataset__test_parents": 46},
            ["dataset.validation_parents", "dataset.test_parents", "dataset.parents"],
            id="none-to-train-on",
        ),
        pytest.param({"estimator__heads": 5}, ["estimator.features", "estimator.heads"], id="heads"),
        pytest.param({"estimator__pooled_size": 65}, ["estimator.pooled_size", "grid.size"], id="pooled"),
        pytest.param({"time__step": 10.0}, ["time.step"], id="unstable"),
        pytest.param({"time__step": 0.25, "time__largest_step_reduction": 2}, ["time.step"], id="unstable-by-limit"),
        pytest.param(
            {"ablation__collapse_magnitudes": [0.1, 1e4]},
            ["ablation.collapse_magnitudes", "|α| = 10000"],
            id="unstable-without-sub-steps",
        ),
        pytest.param({"ablation__frame_steps": [101, 200]}, ["ablation.frame_steps", "at most 100"], id="one-frame"),
        pytest.param({"robustness__noise": [0.0]}, ["robustness.noise", "greater than 0"], id="no-noise"),
        pytest.param(
            {"microstructure__interface_width": 0.049},
            ["microstructure.interface_width (0.049)", "grid.spacing (0.5)"],
            id="interface-between-grid-points",
        ),
        # 101 frames of 4096² float32 take 6.8 GB.
        pytest.param(
            {"grid__size": 4096, "time__save_interval": 40}, ["grid.size (4096)", "126 frames", "8.46 GB"], id="memory"
        ),
    ],
)
def test_values_that_exclude_each_other_are_rejected_by_name(values: dict[str, Any], names: list[str]) -> None:
    sentence = the_problem(changed(**values))
    assert sentence.startswith(names[0])
    for name in names:
        assert name in sentence


@pytest.mark.parametrize(
    "values",
    [
        pytest.param({"time__save_interval": 5000}, id="interval-is-steps"),
        pytest.param({"microstructure__grains_min": 35}, id="grains-equal"),
        pytest.param({"transport__magnitude_min": 0.7}, id="magnitudes-equal"),
        # 32 across, 35 grains: a grain of the mean area is a circle of 2·32/√(35π) = 6.10 across.
        pytest.param({"microstructure__interface_width": 6.1}, id="interface-narrower-than-grain"),
        pytest.param({"microstructure__interface_width": 0.05}, id="interface-just-seen"),
        pytest.param({"grid__size": 4096}, id="memory"),
        pytest.param({"dataset__test_parents": 45}, id="one-to-train-on"),
        pytest.param({"estimator__pooled_size": 64}, id="pooled-is-grid"),
        pytest.param({"ablation__frame_steps": [100, 200]}, id="two-frames"),
        pytest.param({"ablation__collapse_magnitudes": [1e3]}, id="stable-without-sub-steps"),
        pytest.param({"ablation__substeps": [5]}, id="one-number-of-sub-steps"),
        # |α| Δt λ_max = 0.7 · 0.25 · 32 = 5.6: stable once Δt is divided by 3.
        pytest.param({"time__step": 0.25, "time__largest_step_reduction": 3}, id="unstable-but-mended"),
    ],
)
def test_values_at_the_edge_of_what_is_possible_are_accepted(values: dict[str, Any]) -> None:
    config.validate(changed(**values), SCHEMA)


def test_an_unstable_step_is_answered_with_a_step_that_is_stable() -> None:
    sentence = the_problem(changed(time__step=10.0))
    # |α| Δt λ_max = 0.7 · 10 · 32.
    assert "|α| Δt λ_max = 224 must not exceed 2" in sentence
    proposed = re.search(r"at most ([\d.e-]+)", sentence)
    assert proposed is not None
    assert float(proposed[1]) == pytest.approx(2.0 / (0.7 * 32.0), rel=1e-2)
    config.validate(changed(time__step=float(proposed[1])), SCHEMA)


def test_every_wrong_key_of_a_config_is_reported() -> None:
    bad = changed(grid__size="big", time__step=-1.0, transport__magnitude_max=True, seeds=1)
    del bad["zero_shot"]["steps"]
    sentences = problems(bad)
    assert len(sentences) == 5
    for name in ("grid.size must", "time.step must", "transport.magnitude_max must", "seeds is", "zero_shot.steps is"):
        assert any(sentence.startswith(name) for sentence in sentences), name


def test_every_missing_key_of_one_section_is_reported_once() -> None:
    assert problems(at("grid", {})) == ["grid.size is missing", "grid.spacing is missing"]


def test_every_unknown_key_of_one_section_is_reported() -> None:
    sentences = problems(changed(grid__height=1, grid__width=2))
    assert [sentence.split(" ")[0] for sentence in sentences] == ["grid.height", "grid.width"]


def test_every_impossible_combination_is_reported() -> None:
    sentences = problems(changed(time__save_interval=51, estimator__heads=5, transport__magnitude_min=1.0))
    assert [sentence.split(" ")[0] for sentence in sentences] == [
        "time.save_interval",
        "transport.magnitude_min",
        "estimator.features",
    ]


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("100", 100),
        ("0.001", 0.001),
        ("1.0e-3", 0.001),
        ("true", True),
        ("word", "word"),
        # Left as text, so that the schema can say why it is wrong.
        ("1e-3", "1e-3"),
        # Not YAML at all: text, too.
        ("@", "@"),
        ("[1", "[1"),
    ],
)
def test_a_leaf_of_the_command_line_gets_the_type_that_yaml_gives_it(text: str, value: object) -> None:
    typed = config.retype({"section": {"key": text}})["section"]["key"]
    assert (typed, type(typed)) == (value, type(value))


def test_leaves_in_nested_sections_and_lists_are_retyped_and_the_input_is_left_alone() -> None:
    given_: dict[str, Any] = {"a": {"steps": "100", "deep": {"rates": ["0.5", ["2"], {"x": "3"}]}}, "b": 4, "c": None}
    before = copy.deepcopy(given_)
    assert config.retype(given_) == {
        "a": {"steps": 100, "deep": {"rates": [0.5, [2], {"x": 3}]}},
        "b": 4,
        "c": None,
    }
    assert given_ == before


def test_a_text_number_from_the_command_line_is_accepted_once_retyped() -> None:
    text = at("zero_shot.steps", "100")
    assert the_problem(text).startswith("zero_shot.steps must be a whole number")
    config.validate(config.retype(text), SCHEMA)


def test_flatten_names_leaves_by_their_sections() -> None:
    assert config.flatten({"seed": 1, "grid": {"size": 2, "deep": {"er": [3]}}}) == {
        "seed": 1,
        "grid.size": 2,
        "grid.deep.er": [3],
    }


LEAVES = st.integers() | st.text(max_size=3) | st.lists(st.integers(), max_size=2)
KEYS = st.text("abc", min_size=1, max_size=2)
# No empty section: it has no leaf to name.
TREES = st.recursive(
    st.dictionaries(KEYS, LEAVES, min_size=1, max_size=3),
    lambda children: st.dictionaries(KEYS, LEAVES | children, min_size=1, max_size=3),
    max_leaves=8,
)


@settings(deadline=None, derandomize=True, max_examples=50)
@given(tree=TREES)
def test_flatten_keeps_every_leaf_where_its_name_says(tree: dict[str, Any]) -> None:
    rebuilt: dict[str, Any] = {}
    for name, value in config.flatten(tree).items():
        *sections, key = name.split(".")
        section = rebuilt
        for part in sections:
            section = section.setdefault(part, {})
        section[key] = value
    assert rebuilt == tree


def test_parameters_are_the_leaves_of_the_schema_by_dotted_name() -> None:
    leaf, other = {"type": "integer"}, {"type": "number"}
    schema = {"properties": {"seed": leaf, "grid": {"properties": {"spacing": other}}}}
    assert config.parameters(schema) == {"seed": leaf, "grid.spacing": other}


@pytest.mark.parametrize(
    ("name", "symbol"), [("grid.spacing", "Δx"), ("time.step", "Δt"), ("safe_operator.substeps", "S")]
)
def test_a_parameter_with_a_symbol_in_the_paper_carries_it(name: str, symbol: str) -> None:
    assert PARAMETERS[name]["symbol"] == symbol


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("training.coder_rate", "training.autoencoder_rate"),
        ("training.frozen_share", "training.frozen_fraction"),
        ("training.gradient_limit", "training.maximum_gradient_norm"),
        ("variants.degeneracy_coder_rate", "variants.degeneracy_autoencoder_rate"),
    ],
)
def test_a_key_that_was_renamed_is_refused_with_its_new_name(old: str, new: str) -> None:
    assert new in PARAMETERS
    assert problems(at(old, 1)) == [f"{old} is now called {new}; change the name, the value keeps its meaning"]
