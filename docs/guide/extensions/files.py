"""Links to files beside the pages: copied to the same place in the site, and opened there.

Sphinx would hand such a file out as a download under another name. A page like the playground is
to be opened, not saved, and a script of the course keeps its place beside the notebooks. What
follows the file's name, a query and a fragment, belongs to the link: MyST drops both, so they are
taken off before it reads the link and put back when the link is written.
"""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable
from functools import wraps
from pathlib import Path
from typing import Any

from docutils import nodes
from myst_parser.mdit_to_docutils.sphinx_ import SphinxRenderer
from sphinx import addnodes
from sphinx.application import Sphinx
from sphinx.environment import BuildEnvironment
from sphinx.transforms.post_transforms import SphinxPostTransform

Render = Callable[[Any, Any], None]


def divided(target: str) -> tuple[str, str]:
    """A link as the file that it names and what follows it, from the first ? or # on."""
    file, suffix = re.fullmatch(r"([^?#]*)(.*)", target, re.DOTALL).groups()  # type: ignore[union-attr]
    return file, suffix


def keeping_suffix(render: Render) -> Render:
    """A renderer of links whose references to files know the query and fragment in `suffix`."""

    @wraps(render)
    def rendered(self: Any, token: Any) -> None:
        file, suffix = divided(str(token.attrGet("href") or ""))
        env = self.sphinx_env
        path = Path(env.relfn2path(file, env.docname)[1]) if file and suffix else None
        if path is None or not path.is_file() or env.path2doc(str(path)):
            render(self, token)
            return
        token.attrs["href"] = file
        render(self, token)
        self.current_node.children[-1]["suffix"] = suffix

    return rendered


class OpenLocalFiles(SphinxPostTransform):
    """Turn a download of a file inside the source folder into a link to its copy."""

    default_priority = 5
    formats = ("html",)

    def run(self, **_: Any) -> None:
        """Replace the references of one page and copy what they name."""
        source, out = Path(self.app.srcdir), Path(self.app.outdir)
        page = Path(self.env.docname)
        for node in list(self.document.findall(addnodes.download_reference)):
            _, file = self.env.relfn2path(node["reftarget"], self.env.docname)
            if not Path(file).is_relative_to(source):
                continue
            place = Path(file).relative_to(source)
            (out / place).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(file, out / place)
            target = "../" * len(page.parent.parts) + place.as_posix() + node.get("suffix", "")
            node.replace_self(nodes.reference("", "", *node.children, refuri=target))


def forget_copies(app: Sphinx, env: BuildEnvironment) -> list[str]:
    """Keep Sphinx from copying what is opened in place to `_downloads` as well.

    Sphinx lists every download while it reads, before the transform, by its path from the source
    folder.
    """
    if app.builder.format == "html":
        for name in list(env.dlfiles):
            if not str(name).startswith(".."):
                del env.dlfiles[name]
    return []


def setup(app: Sphinx) -> dict[str, Any]:
    """Register the transform, and keep what follows the names of files."""
    if not hasattr(SphinxRenderer.render_link_unknown, "__wrapped__"):
        SphinxRenderer.render_link_unknown = keeping_suffix(SphinxRenderer.render_link_unknown)
    app.add_post_transform(OpenLocalFiles)
    app.connect("env-updated", forget_copies)
    return {"parallel_read_safe": True, "parallel_write_safe": False}
