"""The playground: one static page to touch redundancy, uniqueness and synergy in.

`trifeature playground OUT.html` writes it; docs/playground/ holds the built one, and its preview
picture, which `write_preview` draws.
"""

from trifeature.playground.build import build_page, write_page
from trifeature.playground.preview import write_preview

__all__ = ["build_page", "write_page", "write_preview"]
