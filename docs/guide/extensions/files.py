"""Links to files beside the pages: copied to the same place in the site, and opened there.

Sphinx would hand such a file out as a download under another name. A page like the playground is
to be opened, not saved, and a script of the course keeps its place beside the notebooks.
"""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

from docutils import nodes
from sphinx import addnodes
from sphinx.application import Sphinx
from sphinx.transforms.post_transforms import SphinxPostTransform


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
            up = "../" * len(page.parent.parts)
            link = nodes.reference("", "", *node.children, refuri=up + place.as_posix())
            node.replace_self(link)


def setup(app: Sphinx) -> dict[str, Any]:
    """Register the transform."""
    app.add_post_transform(OpenLocalFiles)
    return {"parallel_read_safe": True, "parallel_write_safe": False}
