"""Every table and figure of the paper is made by one function, of the same form in every module."""

import inspect
from importlib import import_module

import pytest

from checkout import ROOT
from rules import items
from safe_pit_cm.paper import table_1


@pytest.mark.parametrize("item", items())
def test_the_module_of_an_item_makes_it_from_the_files_and_parameters_of_its_rule(item: str) -> None:
    module = import_module(f"safe_pit_cm.paper.{item}")
    assert inspect.signature(module.make) == inspect.signature(table_1.make)
    assert module.__doc__


@pytest.mark.parametrize("item", items())
def test_the_caption_of_an_item_is_short_and_starts_with_its_title(item: str) -> None:
    caption = (ROOT / f"workflow/report/{item}.rst").read_text(encoding="utf-8")
    assert caption.startswith("**")
    assert len(caption.split()) <= 120
