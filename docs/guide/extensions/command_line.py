"""The page of the command line, made from the commands themselves at every build.

```{commands} trifeature.cli.data:app trifeature
```

writes a section for every command under that app.
"""

from __future__ import annotations

import importlib
from typing import Any, ClassVar

from commands import describe, markdown
from docutils import nodes
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective


class CommandsDirective(SphinxDirective):
    """The directive `commands MODULE:APP NAME`."""

    required_arguments: ClassVar[int] = 2

    def run(self) -> list[nodes.Node]:
        """Parse the generated Markdown in place."""
        module, _, attribute = self.arguments[0].partition(":")
        app = getattr(importlib.import_module(module), attribute)
        text = markdown(describe(app, self.arguments[1]))
        return self.parse_text_to_nodes(text, allow_section_headings=True)


def setup(app: Sphinx) -> dict[str, Any]:
    """Register the directive."""
    app.add_directive("commands", CommandsDirective)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
