"""Check a configuration before anything runs, and report each error in one sentence."""

import math
from collections.abc import Iterator, Mapping
from decimal import Decimal
from typing import Any, cast

import yaml
from jsonschema import Draft202012Validator
from jsonschema.exceptions import ValidationError
from jsonschema.validators import extend

from safe_pit_cm.equations.stability import limited_step_reduction
from safe_pit_cm.errors import UserError
from safe_pit_cm.former_names import FORMER_KEYS

_TYPES = {
    "integer": "a whole number",
    "number": "a number",
    "object": "a section with keys",
    "array": "a list",
    "string": "text",
    "boolean": "true or false",
}
# Interface width over grid spacing.
_NARROWEST = 0.1
# GB; jobs hold a video several times.
_LARGEST_VIDEO = 8
# JSON Schema accepts 20.0 as an integer; NumPy does not accept it as a size.
_Validator = extend(  # type: ignore[no-untyped-call]
    Draft202012Validator,
    type_checker=Draft202012Validator.TYPE_CHECKER.redefine(
        "integer", lambda _, instance: isinstance(instance, int) and not isinstance(instance, bool)
    ),
)


def retype(value: Any) -> Any:
    """Convert the leaves of a section from the command line to their YAML types.

    ``--config 'zero_shot={steps: 100}'`` has text in every leaf. Text that YAML itself treats as text, such as
    ``1e-3``, or cannot read remains text, so that the schema can reject it.
    """
    if isinstance(value, Mapping):
        return {key: retype(leaf) for key, leaf in value.items()}
    if isinstance(value, list):
        return [retype(leaf) for leaf in value]
    if isinstance(value, str):
        try:
            return yaml.safe_load(value)
        except yaml.YAMLError:
            return value
    return value


def flatten(section: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """Leaves of a nested mapping by their dotted names, such as ``grid.size``."""
    leaves: dict[str, Any] = {}
    for key, value in section.items():
        if isinstance(value, Mapping):
            leaves.update(flatten(value, f"{prefix}{key}."))
        else:
            leaves[f"{prefix}{key}"] = value
    return leaves


def parameters(schema: Mapping[str, Any], prefix: str = "") -> dict[str, dict[str, Any]]:
    """Schemas of all leaf parameters by their dotted names: description, range, source and symbol."""
    leaves: dict[str, dict[str, Any]] = {}
    for key, entry in schema["properties"].items():
        if "properties" in entry:
            leaves.update(parameters(entry, f"{prefix}{key}."))
        else:
            leaves[f"{prefix}{key}"] = entry
    return leaves


def _type_sentence(name: str, error: ValidationError) -> str:
    wanted = _TYPES[str(error.validator_value)]
    if not isinstance(error.instance, str):
        return f"{name} must be {wanted}, not {error.instance!r}"
    hint = ""
    try:
        number = float(error.instance)
    except ValueError:
        pass
    else:
        if math.isfinite(number):
            plain = f"{Decimal(repr(number)):f}".removesuffix(".0")
            hint = f"; YAML reads {error.instance} as text, write {plain}"
    return f"{name} must be {wanted}, not the text '{error.instance}'{hint}"


def _sentences(error: ValidationError) -> Iterator[str]:
    name = ".".join(map(str, error.absolute_path))
    # The annotations of jsonschema include errors that do not come from a schema.
    schema = cast("Mapping[str, Any]", error.schema)
    bound, instance = cast("Any", error.validator_value), cast("Any", error.instance)
    about = f" ({schema['description']})" if "description" in schema else ""
    match error.validator:
        case "additionalProperties":
            keys = ", ".join(schema["properties"])
            for unknown in (key for key in instance if key not in schema["properties"]):
                full = f"{name}.{unknown}" if name else unknown
                if full in FORMER_KEYS:
                    yield f"{full} is now called {FORMER_KEYS[full]}; change the name, the value keeps its meaning"
                    continue
                yield f"{full} is not a known key; the keys {f'of {name} ' if name else ''}are {keys}"
        case "required":
            for missing in (key for key in bound if key not in instance):
                yield f"{f'{name}.' if name else ''}{missing} is missing"
        case "type":
            yield _type_sentence(name, error) + about
        case "minimum":
            yield f"{name} must be at least {bound}, not {instance}{about}"
        case "maximum":
            yield f"{name} must be at most {bound}, not {instance}{about}"
        case "exclusiveMinimum":
            yield f"{name} must be greater than {bound}, not {instance}{about}"
        case "exclusiveMaximum":
            yield f"{name} must be less than {bound}, not {instance}{about}"
        case "enum":
            yield f"{name} must be one of {', '.join(map(str, bound))}, not {instance!r}{about}"
        case "pattern":
            yield f"{name} cannot be {instance!r}{about}"
        case _:
            yield f"{name}: {error.message}{about}"


def _not_finite(config: Mapping[str, Any]) -> Iterator[str]:
    for name, value in flatten(config).items():
        if isinstance(value, float) and not math.isfinite(value):
            yield f"{name} must be a finite number, not {value}"


def _impossible(config: Mapping[str, Any]) -> Iterator[str]:
    """Combinations of values that are allowed individually but not together."""
    grid, time, micro = config["grid"], config["time"], config["microstructure"]
    transport, estimator = config["transport"], config["estimator"]
    ablation, lost = config["ablation"], config["ablation"]["sensitivity"]
    if time["steps"] % time["save_interval"]:
        yield (
            f"time.save_interval ({time['save_interval']}) must divide time.steps ({time['steps']}), "
            "so that the last step is a saved frame"
        )
    for section, low, high in (
        ("microstructure", "grains_min", "grains_max"),
        ("transport", "magnitude_min", "magnitude_max"),
        ("loss", "magnitude_low", "magnitude_high"),
        ("noisy_training", "noise_min", "noise_max"),
    ):
        if config[section][low] > config[section][high]:
            yield (
                f"{section}.{low} ({config[section][low]}) must not exceed {section}.{high} ({config[section][high]})"
            )
    # Diameter of the circle with the mean area of a grain at the largest number of grains.
    grain = 2.0 * grid["size"] * grid["spacing"] / math.sqrt(math.pi * micro["grains_max"])
    if micro["interface_width"] >= grain:
        yield (
            f"microstructure.interface_width ({micro['interface_width']}) must be less than the mean diameter of a "
            f"grain, which is {grain:.3g} with {micro['grains_max']} grains (microstructure.grains_max) in a "
            f"square of side {grid['size'] * grid['spacing']:g}"
        )
    if micro["interface_width"] < _NARROWEST * grid["spacing"]:
        yield (
            f"microstructure.interface_width ({micro['interface_width']}) must be at least {_NARROWEST} grid.spacing "
            f"({grid['spacing']}): a narrower interface falls between the grid points, and nothing is left to diffuse"
        )
    for section in ("dataset", "model"):
        own = config[section]
        held_out = own["validation_parents"] + own["test_parents"]
        if held_out >= own["parents"]:
            yield (
                f"{section}.validation_parents and {section}.test_parents ({held_out} together) must leave some of "
                f"{section}.parents ({own['parents']}) to train on"
            )
    if estimator["features"] % estimator["heads"]:
        yield (
            f"estimator.features ({estimator['features']}) must be a multiple of estimator.heads ({estimator['heads']})"
        )
    for width in lost["interface_width"]:
        if width >= grain:
            yield (
                f"ablation.sensitivity.interface_width ({width}) must be less than the mean diameter of a "
                f"grain, which is {grain:.3g}"
            )
    for pair in lost["microstructures"]:
        if pair["interface_width"] >= grain:
            yield (
                f"ablation.sensitivity.microstructures ({pair['interface_width']}) must have interface widths less "
                f"than the mean diameter of a grain, which is {grain:.3g}"
            )
    for magnitude in config["lost_choices"]["magnitude_min"]:
        if magnitude >= transport["magnitude_max"]:
            yield (
                f"lost_choices.magnitude_min ({magnitude}) must be less than transport.magnitude_max "
                f"({transport['magnitude_max']})"
            )
    for magnitude in lost["magnitude_min"]:
        if magnitude > transport["magnitude_max"]:
            yield (
                f"ablation.sensitivity.magnitude_min ({magnitude}) must not exceed transport.magnitude_max "
                f"({transport['magnitude_max']})"
            )
    if estimator["pooled_size"] > grid["size"]:
        yield f"estimator.pooled_size ({estimator['pooled_size']}) must not exceed grid.size ({grid['size']})"
    # Below one interval no save interval divides the steps, which was said above.
    intervals = time["steps"] // time["save_interval"]
    if 1 <= intervals < min(ablation["frame_steps"]):
        yield (
            f"ablation.frame_steps {ablation['frame_steps']} must contain a number of at most {intervals}, the frame "
            "intervals of a video (time.steps / time.save_interval): greater ones leave a single frame"
        )
    gigabytes = 4e-9 * (intervals + 1) * grid["size"] ** 2
    if gigabytes > _LARGEST_VIDEO:
        yield (
            f"grid.size ({grid['size']}) is too large for {intervals + 1} frames (time.steps / time.save_interval): a "
            f"video takes {gigabytes:.3g} GB, and at most {_LARGEST_VIDEO} are allowed"
        )
    if not any(config["robustness"]["noise"]):
        yield (
            f"robustness.noise {config['robustness']['noise']} must contain a number greater than 0: "
            "errors are drawn against the noise on a logarithmic axis"
        )
    collapse = max(ablation["collapse_magnitudes"])
    magnitude = max(transport["magnitude_max"], collapse)
    try:
        limited_step_reduction(magnitude, time["step"], grid["spacing"], time["largest_step_reduction"])
    except UserError as error:
        name = "ablation.collapse_magnitudes" if collapse > transport["magnitude_max"] else "time.step"
        yield f"{name}: {error}, or raise time.largest_step_reduction"


def mismatches(value: Mapping[str, Any], schema: Mapping[str, Any]) -> list[str]:
    """Where a value does not match its JSON schema: a sentence for each key that is wrong."""
    errors = sorted(_Validator(schema).iter_errors(value), key=lambda error: error.json_path)
    # A value of the wrong type may also be out of range: reporting the type is enough.
    mistyped = {error.json_path for error in errors if error.validator == "type"}
    errors = [error for error in errors if error.validator == "type" or error.json_path not in mistyped]
    # A section raises one error for each missing key, and each error names them all.
    return list(dict.fromkeys(sentence for error in errors for sentence in _sentences(error)))


def validate(config: Mapping[str, Any], schema: Mapping[str, Any]) -> None:
    """Check a configuration against its schema and for combinations that cannot work.

    Parameters
    ----------
    config
        The configuration, nested.
    schema
        Its JSON schema.

    Raises
    ------
    UserError
        Naming every key that is wrong, one sentence each.
    """
    problems = mismatches(config, schema)
    problems = problems or list(_not_finite(config)) or list(_impossible(config))
    if problems:
        raise UserError("\n".join(problems))
