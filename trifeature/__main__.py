"""`python -m trifeature` is `trifeature`."""

from trifeature.cli import trifeature_main

trifeature_main()
