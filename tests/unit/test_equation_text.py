"""The text of an equation: what it comes to, and that no text executes anything."""

import random
import sys
from typing import Any

import pytest
import sympy

from safe_pit_cm.errors import UserError
from safe_pit_cm.models import catalogue, text
from safe_pit_cm.models.model import Model

_HOSTILE = [
    "__import__('os').system('touch /tmp/owned')",
    "().__class__.__bases__[0].__subclasses__()",
    "(lambda: u)()",
    "[u for u in (1, 2)]",
    "u if u else D",
    "exec('1')",
    "eval('u')",
    "open('/etc/passwd')",
    "f'{u}'",
    "u.__class__",
    "u[0]",
    "D @ u",
    "u and D",
    "not u",
    "~u",
    "u < 1",
    "(v := u)",
    "*u",
    "D*laplace(u), 3",
    "{1: u}",
    "{u}",
    "...",
    "None",
    "True*u",
    "'u'",
    "b'u'",
    "1j*u",
    "9**9**9**9*u",
    "((((9**8)**8)**8)**8)**8*u",
    "u**1000",
    "1e400*u",
    "1/0*u",
    "u/(D - D)",
    "log(0)*u",
    "sqrt(-1)*u",
    "laplace(u, u)",
    "laplace()",
    "laplace(f=u)",
    "laplace(*u)",
    "dx",
    "laplace*u",
    "x*u",
    "t*u",
    "grad(u)",
    "grad(u)*grad(u)",
    "u + grad(u)",
    "div(u)",
    "dot(u, u)",
    "u**u",
    "_a*u",
    "a__b*u",
    "lambda*u",
    "é*u",
    "D*u # comment",
    "D*u\n+u",
    "D*\x00u",
    "u_t = u; u_t = u",
    "u; v",
    "u = D*u",
    "w_t = D*u; = 3",
    "u == D",
    "D",
    "0*u",
    "",
    "   ",
    ";",
    "=",
    "(" * 400 + "u" + ")" * 400,
    "-" * 300 + "u",
    "laplace(" * 60 + "u" + ")" * 60,
    "u" * 2000,
    "1" * 900 + "*u",
    "+".join(["u"] * 600),
    "(a+b+c+d+e+f+g+u)**8*(a+b+c+d+u)**8",
    "laplace(u**2)*u",
    "D^2*u",
    "D*u//2",
    "D%u",
    "D<<u",
    "await u",
    "yield u",
    "u!",
    "u'",
    "D laplace(u)",
    "2(u)",
    "D**",
    "print(u)",
    "sympify(u)",
    "laplace(u)(u)",
    "exp(1000)*u",
]
_EVENTS = ("exec", "os.", "subprocess.", "open", "import", "socket.", "shutil.", "ctypes.", "pty.")
_watched: list[str] | None = None


def _watch(event: str, _: Any) -> None:
    if _watched is not None and event.startswith(_EVENTS):
        _watched.append(event)


def _malformed(count: int) -> list[str]:
    """Hostile texts, and texts of the catalogue damaged at random."""
    draw = random.Random(7)
    alphabet = "uvDrK0123456789.+-*/()[]{}=;:,'\"_ ^!~@#%&|<>\\\n\t\x00λé∂"
    sources = [catalogue.named(name).source for name in catalogue.names()]
    texts = list(_HOSTILE)
    while len(texts) < count:
        source = list(draw.choice([*sources, *_HOSTILE]))
        for _ in range(draw.randint(1, 6)):
            if not source:
                break
            at = draw.randrange(len(source))
            change = draw.random()
            if change < 0.4:
                del source[at]
            elif change < 0.8:
                source.insert(at, draw.choice(alphabet))
            else:
                source[at:at] = list(draw.choice(["(", "laplace(", "**9", "__import__", "exec(", ")(", ".a", "[0]"]))
        texts.append("".join(source))
    return texts


def test_a_thousand_broken_and_hostile_texts_give_a_sentence_each_and_execute_nothing() -> None:
    global _watched
    Model.of_text("exp(u)*D + tanh(dx(u))")  # SymPy imports what it needs
    texts = _malformed(2500)
    sys.addaudithook(_watch)
    refused = []
    _watched = []
    try:
        for each in texts:
            try:
                Model.of_text(each)
            except UserError as error:
                refused.append((each, str(error)))
        executed = list(_watched)
    finally:
        _watched = None
    assert executed == []
    assert len(refused) >= 1000
    assert set(_HOSTILE) <= {each for each, _ in refused}
    for each, sentence in refused:
        assert sentence.startswith(("the equation", "the bounds", "the value")), (each, sentence)
        assert "\n" not in sentence, (each, sentence)
        assert len(sentence) < 400, (each, sentence)


@pytest.mark.parametrize(
    ("source", "column"), [("D*laplace(u) + x*u", 16), ("D*laplace(u)) + u", 13), ("é*u", 1), ("D*u + u[0]", 7)]
)
def test_the_message_names_the_column(source: str, column: int) -> None:
    with pytest.raises(UserError, match=f"at column {column}:"):
        Model.of_text(source)


def test_the_column_of_the_second_of_two_equations_counts_from_the_start_of_the_text() -> None:
    source = "u_t = D*laplace(u); v_t = D*laplace(v) + x"
    with pytest.raises(UserError, match=f"at column {source.index('x') + 1}:"):
        Model.of_text(source)


def test_equal_texts_have_equal_forms() -> None:
    (first, _), (second, _) = (
        Model.of_text(source).split[0] for source in ("D*laplace(u)", "u_t = D*(dx(dx(u)) + dy(dy(u)))")
    )
    assert dict(first.terms) == dict(second.terms)
    (third, _) = Model.of_text("div(D*grad(u))").split[0]
    assert dict(third.terms) == dict(first.terms)


def test_a_flux_of_one_field_becomes_the_laplacian_of_an_integral() -> None:
    _, rest = Model.of_text("div(D0 + D1*u, u)").split[0]
    first, field = sympy.symbols("D1 u")
    assert sympy.simplify(next(iter(rest.terms.values())) - first * field**2 / 2) == 0


def test_names_of_the_catalogue_all_resolve_with_units_and_citation() -> None:
    for name in catalogue.names():
        model = catalogue.named(name)
        assert model.citation
        assert model.split
        assert all("?" not in model.unit(each) for each in model.names), name


def test_units_follow_from_the_equation() -> None:
    model = Model.of_text("D*laplace(u) + r*u*(1 - u/K) - k*sqrt(u)")
    assert [model.unit(name, "µm", "s", "au") for name in ("D", "r", "K")] == ["µm²/s", "1/s", "au"]
    assert model.unit("k", "µm", "s", "au") == "au¹ᐟ²/s"
    assert Model.of_text("M*(u - u**3)").needs_pure_field


def test_a_coefficient_that_is_not_there_is_refused() -> None:
    with pytest.raises(UserError, match="its coefficients are D"):
        Model.of_text("D*laplace(u)", fix={"K": 1.0})
    with pytest.raises(UserError, match="divides by zero"):
        Model.of_text("D*laplace(u) + u/K", fix={"K": 0})
    with pytest.raises(UserError, match="did you mean fisher-kpp"):
        catalogue.named("fisher-kp")


def test_the_reader_knows_the_names_that_it_reserves() -> None:
    for name in sorted(text.RESERVED):
        with pytest.raises(UserError):
            Model.of_text(f"{name}*laplace(u)")
