"""View sets that several tests share."""

from dataclasses import replace

from trifeature.views.sets import ALL, ALL_WITHOUT_CROP, CLEAN, LIGHT

BARE = replace(CLEAN, mean=None, std=None)
"""No transform at all: each test adds the one it looks at."""

PRESETS = {"all": ALL, "all without crop": ALL_WITHOUT_CROP, "light": LIGHT, "clean": CLEAN}
