"""Digests of code and settings: equal for equal meaning, different for every difference that runs."""

import ast
import json
import random
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from importlib import metadata
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rules import items, rules
from safe_pit_cm.data import provenance

ROOT = Path(__file__).parents[2]
PACKAGE = ROOT / "src/safe_pit_cm"
SCRIPTS = ROOT / "workflow/scripts"

# A script and modules beside the real ones. `runs` is what the script imports; each module reaches the next.
SCRIPT = '''"""A script."""

from safe_pit_cm import probe_a

RATE = 0.5


def run(log, progress, seen):
    """Run."""
    if RATE > probe_a.VALUE:
        raise ValueError(f"the rate {RATE:.2f} is " "too high")
    log.info("rate %g, value %g", RATE, seen["value"])
    progress("running", 0.5)
    return probe_a.VALUE * RATE
'''
MODULES = {
    "probe_a.py": '"""First."""\n\nfrom safe_pit_cm import probe_b\n\nVALUE = probe_b.VALUE + 1  # one more\n',
    "probe_b.py": '"""Second."""\n\nVALUE = 2\n',
    "probe_c.py": '"""Imported by nobody."""\n\nVALUE = 3\n',
    "probe_package/__init__.py": '"""A package inside."""\n\nNAME = "package"\n',
    "probe_package/inner.py": '"""Inside."""\n\nVALUE = 4\n',
    "probe_package/other.py": '"""Inside, too."""\n\nVALUE = 5\n',
}

ASK = """
import json, sys
from safe_pit_cm.data import provenance
closure = [path.as_posix() for path in provenance.import_closure(sys.argv[1])]
digest = provenance.code_digest(sys.argv[1], messages=sys.argv[2] == "True")
print(json.dumps([provenance.__file__, digest, closure]))
"""


class Checkout:
    """A throw-away copy of the package with a script."""

    def __init__(self, place: Path, script: str = SCRIPT) -> None:
        self.package = place / "src/safe_pit_cm"
        shutil.copytree(PACKAGE, self.package, ignore=shutil.ignore_patterns("__pycache__"))
        for name, text in MODULES.items():
            (self.package / name).parent.mkdir(exist_ok=True)
            (self.package / name).write_text(text, encoding="utf-8")
        self.script = place / "workflow/scripts/script.py"
        self.script.parent.mkdir(parents=True)
        self.script.write_text(script, encoding="utf-8")

    def ask(self, messages: bool = False) -> tuple[str, set[str]]:
        """Digest of the script and the names of its closure, from a process that runs this copy."""
        finished = subprocess.run(
            # Without site packages: the digest needs the standard library alone, and this starts faster.
            [sys.executable, "-S", "-B", "-c", ASK, self.script, str(messages)],
            env={"PYTHONPATH": str(self.package.parent)},
            capture_output=True,
            text=True,
            check=True,
        )
        module, digest, closure = json.loads(finished.stdout)
        assert Path(module) == self.package / "data/provenance.py"
        names = {path.removeprefix(f"{self.package.as_posix()}/") for path in closure if path != self.script.as_posix()}
        assert len(names) == len(closure) - 1
        return digest, names

    def digest(self, messages: bool = False) -> str:
        """Digest of the script."""
        return self.ask(messages)[0]

    def edit(self, name: str, old: str, new: str) -> None:
        """Replace text in the script or in a module."""
        path = self.script if name == "script.py" else self.package / name
        text = path.read_text(encoding="utf-8")
        assert old in text
        path.write_text(text.replace(old, new), encoding="utf-8")


@pytest.fixture
def checkout(tmp_path: Path) -> Checkout:
    return Checkout(tmp_path / "checkout")


@pytest.fixture(scope="module")
def unchanged(tmp_path_factory: pytest.TempPathFactory) -> str:
    """Digest of the script before any change."""
    return Checkout(tmp_path_factory.mktemp("unchanged")).digest()


def test_a_digest_is_sixteen_hexadecimal_digits_and_the_same_again(checkout: Checkout) -> None:
    first = checkout.digest()
    assert re.fullmatch("[0-9a-f]{16}", first)
    assert checkout.digest() == first


def test_a_digest_does_not_depend_on_the_place_of_the_checkout(checkout: Checkout, tmp_path: Path) -> None:
    assert Checkout(tmp_path / "elsewhere with a space/deep").digest() == checkout.digest()


REWORDINGS = {
    "comment": ("probe_a.py", "# one more", "# one more than the second; see there"),
    "comment-gone": ("probe_a.py", "  # one more", ""),
    "comment-in-script": ("script.py", "RATE = 0.5", "# of change\nRATE = 0.5"),
    "module-docstring": ("probe_b.py", '"""Second."""', '"""The second module.\n\nAt length.\n"""'),
    "module-docstring-gone": ("probe_b.py", '"""Second."""', ""),
    "function-docstring": ("script.py", '"""Run."""', "'''Run it all.'''"),
    "function-docstring-gone": ("script.py", '    """Run."""\n', ""),
    "blank-lines": ("probe_a.py", "\n\n", "\n\n\n\n\n"),
    "line-breaks": ("script.py", "probe_a.VALUE * RATE", "(\n        probe_a.VALUE\n        * RATE\n    )"),
    "spaces": ("probe_a.py", "VALUE = probe_b.VALUE + 1", "VALUE=(probe_b.VALUE+1)"),
    "number-spelt-otherwise": ("script.py", "RATE = 0.5", "RATE = 5e-1"),
    "words-of-an-error": ("script.py", 'is " "too high', "exceeds what"),
    "digits-of-an-error": ("script.py", "{RATE:.2f}", "{RATE!r:>8}"),
    "error-without-words": ("script.py", 'f"the rate {RATE:.2f} is " "too high"', "RATE"),
    "words-of-a-log": ("script.py", "rate %g, value %g", "the rate is %.3f, the value %.3f"),
    "words-of-progress": ("script.py", '"running"', '"busy"'),
}


@pytest.mark.parametrize(("name", "old", "new"), REWORDINGS.values(), ids=REWORDINGS)
def test_a_change_that_means_nothing_changes_no_digest(
    checkout: Checkout, unchanged: str, name: str, old: str, new: str
) -> None:
    checkout.edit(name, old, new)
    assert checkout.digest() == unchanged


CHANGES = {
    "constant-in-script": ("script.py", "RATE = 0.5", "RATE = 0.25"),
    "constant-in-progress": ("script.py", '"running", 0.5', '"running", 0.25'),
    "what-a-log-reads": ("script.py", 'seen["value"]', 'seen["other"]'),
    "kind-of-an-error": ("script.py", "ValueError", "KeyError"),
    "condition-of-an-error": ("script.py", "RATE > probe_a", "RATE >= probe_a"),
    "constant-in-imported": ("probe_a.py", "+ 1", "+ 2"),
    "constant-in-what-that-imports": ("probe_b.py", "VALUE = 2", "VALUE = 3"),
    "operator": ("script.py", "* RATE", "/ RATE"),
    "text-that-is-no-docstring": ("probe_b.py", "VALUE = 2", 'VALUE = 2\nNOTE = "a note"'),
    # Importing a module of the package runs this one first.
    "statement-in-the-package-itself": ("__init__.py", "The package imports nothing heavy", '"""\nX = 1\n"""More'),
}


@pytest.mark.parametrize(("name", "old", "new"), CHANGES.values(), ids=CHANGES)
def test_a_change_that_runs_changes_the_digest(
    checkout: Checkout, unchanged: str, name: str, old: str, new: str
) -> None:
    checkout.edit(name, old, new)
    assert checkout.digest() != unchanged


MESSAGES = [
    ("data/stores.py", "does not exist; build it", "is not there; build it"),
    ("data/stores.py", "its content differs from what was written", "its content has changed"),
    ("data/stores.py", "is missing", "is absent"),
    ("data/reporting.py", "free some space", "delete something"),
    ("data/reporting.py", "done in %.2f s", "ended after %.1f s"),
    ("equations/stability.py", "choose a time step of at most", "take a time step of at most"),
]


@pytest.mark.parametrize(("name", "old", "new"), MESSAGES, ids=[old for _, old, _ in MESSAGES])
def test_another_message_changes_no_digest_but_of_a_script_that_writes_messages_to_its_results(
    tmp_path: Path, name: str, old: str, new: str
) -> None:
    script = "from safe_pit_cm.data import reporting\nfrom safe_pit_cm.simulation import integration\n"
    script += "from safe_pit_cm.data import stores\n"
    before, after = Checkout(tmp_path / "before", script), Checkout(tmp_path / "after", script)
    after.edit(name, old, new)
    assert name in after.ask()[1]
    assert after.digest() == before.digest()
    assert after.digest(messages=True) != before.digest(messages=True)


@pytest.mark.parametrize("name", ["probe_c.py", "probe_package/inner.py", "data/stores.py", "safe/zero_shot.py"])
def test_a_change_in_a_module_that_is_not_imported_changes_nothing(
    checkout: Checkout, unchanged: str, name: str
) -> None:
    path = checkout.package / name
    path.write_text(path.read_text(encoding="utf-8") + "\nCHANGED = True\n", encoding="utf-8")
    assert checkout.digest() == unchanged


def test_a_module_that_moves_changes_the_digest(checkout: Checkout, unchanged: str) -> None:
    # Equal text under another name: what runs is another import.
    (checkout.package / "probe_b.py").rename(checkout.package / "probe_moved.py")
    checkout.edit("probe_a.py", "from safe_pit_cm import probe_b", "from safe_pit_cm import probe_moved as probe_b")
    digest, closure = checkout.ask()
    assert "probe_moved.py" in closure
    assert digest != unchanged


INIT, INNER = "probe_package/__init__.py", "probe_package/inner.py"
IMPORTS = {
    "from-package": ("from safe_pit_cm import probe_c", {"probe_c.py"}),
    "from-package-as": ("from safe_pit_cm import probe_c as other", {"probe_c.py"}),
    "several-from-package": ("from safe_pit_cm import probe_b, probe_c", {"probe_b.py", "probe_c.py"}),
    "from-module": ("from safe_pit_cm.probe_c import VALUE", {"probe_c.py"}),
    "star-from-module": ("from safe_pit_cm.probe_c import *", {"probe_c.py"}),
    "module": ("import safe_pit_cm.probe_c", {"probe_c.py"}),
    "module-as": ("import os, safe_pit_cm.probe_c as other", {"probe_c.py"}),
    # An import of a module inside a package runs the package's own module first.
    "from-inner-package": ("from safe_pit_cm.probe_package import inner", {INIT, INNER}),
    "from-inner-module": ("from safe_pit_cm.probe_package.inner import VALUE", {INIT, INNER}),
    "inner-module": ("import safe_pit_cm.probe_package.inner", {INIT, INNER}),
    "inner-package": ("import safe_pit_cm.probe_package", {INIT}),
    "in-a-function": ("def late():\n    from safe_pit_cm import probe_c\n", {"probe_c.py"}),
    "in-a-condition": ("if RATE:\n    import safe_pit_cm.probe_c\n", {"probe_c.py"}),
    "in-a-try": ("try:\n    from safe_pit_cm.probe_c import X\nexcept ImportError:\n    X = 0\n", {"probe_c.py"}),
    "for-type-checkers": (
        "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    import safe_pit_cm.probe_c\n",
        set(),
    ),
    "for-type-checkers-in-full": ("import typing\nif typing.TYPE_CHECKING:\n    import safe_pit_cm.probe_c\n", set()),
    "for-type-checkers-or-else": (
        "from typing import TYPE_CHECKING\n"
        "if TYPE_CHECKING:\n    import safe_pit_cm.probe_b\nelse:\n    import safe_pit_cm.probe_c\n",
        {"probe_c.py"},
    ),
    "not-of-the-package": ("import json, os.path\nfrom safe_pit_cm_other import probe_c\n", set()),
}


@pytest.mark.parametrize(("statement", "found"), IMPORTS.values(), ids=IMPORTS)
def test_every_way_to_import_is_followed_and_nothing_else(tmp_path: Path, statement: str, found: set[str]) -> None:
    checkout = Checkout(tmp_path, f"RATE = 1\n{statement}\n")
    wanted = found | ({"__init__.py"} if found else set())
    assert checkout.ask()[1] == wanted


RELATIVE = {
    "sibling": (INNER, "from . import other", {"probe_package/other.py"}),
    "from-sibling": (INNER, "from .other import VALUE as V", {"probe_package/other.py"}),
    "above": (INNER, "from .. import probe_c", {"probe_c.py"}),
    "from-above": (INNER, "from ..probe_c import VALUE as V", {"probe_c.py"}),
    "in-the-package-itself": (INIT, "from . import other", {"probe_package/other.py"}),
    "above-the-package-itself": (INIT, "from ..probe_c import VALUE as V", {"probe_c.py"}),
}


@pytest.mark.parametrize(("module", "statement", "found"), RELATIVE.values(), ids=RELATIVE)
def test_relative_imports_are_followed(tmp_path: Path, module: str, statement: str, found: set[str]) -> None:
    checkout = Checkout(tmp_path, "from safe_pit_cm.probe_package import inner\n")
    path = checkout.package / module
    path.write_text(path.read_text(encoding="utf-8") + statement + "\n", encoding="utf-8")
    assert checkout.ask()[1] == {"__init__.py", INIT, INNER} | found


def test_modules_that_import_each_other_are_followed_once(tmp_path: Path) -> None:
    checkout = Checkout(tmp_path)
    checkout.edit("probe_b.py", "VALUE = 2", "import safe_pit_cm.probe_a\nVALUE = 2")
    assert checkout.ask()[1] == {"__init__.py", "probe_a.py", "probe_b.py"}


def closure_of(entry: Path) -> set[str]:
    """Names, below the package, of what a script of the workflow or a module runs."""
    return {
        path.relative_to(PACKAGE).as_posix()
        for path in provenance.import_closure(entry)
        if path.is_relative_to(PACKAGE)
    }


def uses_torch(module: str) -> bool:
    return re.search(r"^\s*(import|from) torch\b", (PACKAGE / module).read_text(encoding="utf-8"), re.M) is not None


def test_the_closure_of_a_script_has_the_script_itself() -> None:
    assert SCRIPTS / "simulate.py" in provenance.import_closure(SCRIPTS / "simulate.py")


def test_simulating_runs_the_integrator_and_its_stability_check_and_no_table_or_figure() -> None:
    closure = closure_of(SCRIPTS / "simulate.py")
    assert {
        "simulation/integration.py",
        "equations/stability.py",
        "data/stores.py",
        "data/files.py",
        "data/randomness.py",
    } <= closure
    assert not [module for module in closure if module.startswith("paper/")]
    assert not [module for module in closure if uses_torch(module)]


# Figures 1 and 2 draw the model itself.
@pytest.mark.parametrize("item", sorted({*items(), "main_page", "page"} - {"figure_1", "figure_2"}))
def test_an_item_of_the_paper_reads_results_and_depends_on_no_model(item: str) -> None:
    closure = closure_of(SCRIPTS / f"{item}.py") if item in ("main_page", "page") else closure_of(SCRIPTS / "item.py")
    closure |= closure_of(PACKAGE / f"paper/{item}.py") if item in items() else set()
    assert "data/reporting.py" in closure
    assert not [module for module in closure if uses_torch(module)]


def test_the_zero_shot_fit_runs_the_operator_and_the_estimator() -> None:
    closure = closure_of(SCRIPTS / "zero_shot.py")
    assert {"safe/zero_shot.py", "safe/operator.py", "safe/loss.py", "safe/attention_estimator.py"} <= closure
    # Or the two tests above would show nothing.
    assert uses_torch("safe/operator.py")


def test_every_script_and_item_of_the_workflow_has_a_digest_of_its_own() -> None:
    digests = {rule.code for rule in rules().values()}
    assert None not in digests
    assert len(digests) == len({name if rule.script == "item" else rule.script for name, rule in rules().items()})


SETTINGS = st.dictionaries(
    st.text("abc", min_size=1, max_size=2),
    st.integers() | st.floats(allow_nan=False) | st.text(max_size=3),
    min_size=1,
    max_size=5,
)


@settings(deadline=None, derandomize=True, max_examples=50)
@given(values=SETTINGS, shuffle=st.randoms(use_true_random=False))
def test_the_order_of_settings_does_not_matter(values: dict[str, object], shuffle: random.Random) -> None:
    items = list(values.items())
    shuffle.shuffle(items)
    nested = {"section": values, "other": 1}
    assert provenance.settings_digest(dict(items)) == provenance.settings_digest(values)
    assert provenance.settings_digest({"other": 1, "section": dict(items)}) == provenance.settings_digest(nested)


SWAPS: dict[str, Callable[[dict[str, object]], dict[str, object]]] = {
    "two-keys-swap-values": lambda s: s | {"size": s["steps"], "steps": s["size"]},
    "a-value": lambda s: s | {"size": 65},
    "a-rounding": lambda s: s | {"rate": 0.10000000000000002},
    "a-type": lambda s: s | {"size": "64"},
    "a-key-more": lambda s: s | {"other": None},
    "a-key-less": lambda s: {"size": s["size"], "rate": s["rate"]},
}


@pytest.mark.parametrize("change", SWAPS.values(), ids=SWAPS)
def test_other_settings_have_another_digest(change: Callable[[dict[str, object]], dict[str, object]]) -> None:
    values: dict[str, object] = {"size": 64, "steps": 200, "rate": 0.1}
    assert provenance.settings_digest(change(values)) != provenance.settings_digest(values)
    assert re.fullmatch("[0-9a-f]{16}", provenance.settings_digest(values))


def test_a_record_has_the_version_the_code_and_the_settings_and_nothing_that_varies() -> None:
    values = {"size": 64}
    assert provenance.record("0123456789abcdef", values) == {
        "package_version": metadata.version("safe-pit-cm"),
        "source_revision": "0123456789abcdef",
        "config_digest": provenance.settings_digest(values),
    }


def test_the_digest_of_known_code_is_known() -> None:
    # It must not depend on the version of Python, or a new one would rerun everything; the syntax here has changed its
    # tree, its dump or its unparsed text between versions.
    code = (
        "def f(x, *, y=1):\n    match x:\n        case [1, *z] if (n := y):\n            return f'{x!r:>{n}} {z}' 'k'\n"
    )
    assert provenance._canonical(ast.parse(code)) == (
        "Module(body=[FunctionDef(name='f', args=arguments(args=[arg(arg='x')], kwonlyargs=[arg(arg='y')], "
        "kw_defaults=[Constant(value=1)]), body=[Match(subject=Name(id='x', ctx=Load()), cases=[match_case("
        "pattern=MatchSequence(patterns=[MatchValue(value=Constant(value=1)), MatchStar(name='z')]), "
        "guard=NamedExpr(target=Name(id='n', ctx=Store()), value=Name(id='y', ctx=Load())), "
        "body=[Return(value=JoinedStr(values=[FormattedValue(value=Name(id='x', ctx=Load()), conversion=114, "
        "format_spec=JoinedStr(values=[Constant(value='>'), "
        "FormattedValue(value=Name(id='n', ctx=Load()), conversion=-1)])), "
        "Constant(value=' '), "
        "FormattedValue(value=Name(id='z', ctx=Load()), conversion=-1), Constant(value='k')]))])])])])"
    )
