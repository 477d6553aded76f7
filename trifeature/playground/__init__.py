"""The playground: one static page to touch redundancy, uniqueness and synergy in.

`trifeature playground OUT.html` writes it; docs/playground/ holds the built one.
"""

from trifeature.playground.build import build_page, write_page

__all__ = ["build_page", "write_page"]
