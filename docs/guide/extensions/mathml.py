"""Formulas as MathML, which browsers draw by themselves: no script, no font, no network."""

from __future__ import annotations

import re
from typing import Any

from docutils import nodes
from latex2mathml.converter import convert
from sphinx.application import Sphinx
from sphinx.util import logging

logger = logging.getLogger(__name__)


def to_mathml(latex: str, *, block: bool) -> str:
    r"""A formula as a `math` element.

    Args:
        latex: What stands between the dollars.
        block: On a line of its own, or within a sentence.

    Raises:
        ValueError: the converter does not know a command; it would print it as it is.

    >>> to_mathml(r"\tau", block=False)[-28:]
    '<mi>&#x003C4;</mi></mrow></math>'[-28:]
    """
    mathml = convert(latex, display="block" if block else "inline")
    if unknown := re.search(r">\s*(\\[A-Za-z]+)", mathml):
        raise ValueError(f"unknown command {unknown[1]} in the formula {latex}")
    return mathml


def _render(node: nodes.Element, *, block: bool) -> str:
    try:
        return to_mathml(node.astext(), block=block)
    except Exception as problem:  # noqa: BLE001 - whatever the converter raises names the formula
        logger.warning("formula: %s", problem, location=node, type="mathml")
        return ""


def visit_inline(writer: Any, node: nodes.math) -> None:
    """Write a formula within a sentence."""
    writer.body.append(_render(node, block=False))
    raise nodes.SkipNode


def visit_block(writer: Any, node: nodes.math_block) -> None:
    """Write a formula on a line of its own; a wide one scrolls inside its box."""
    formula = _render(node, block=True)
    writer.body.append(f'<div class="math" tabindex="0">{formula}</div>\n')
    raise nodes.SkipNode


def setup(app: Sphinx) -> dict[str, Any]:
    """Register `html_math_renderer = "mathml"`."""
    app.add_html_math_renderer("mathml", (visit_inline, None), (visit_block, None))
    return {"parallel_read_safe": True, "parallel_write_safe": True}
