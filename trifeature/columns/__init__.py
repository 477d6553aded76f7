"""Columns as people have them, and the one conversion of a column to codes.

`as_columns` reads arrays, tensors, data frames and lists; every column stays by itself, because a
common type would merge values (2**53 + 1 beside a column of floats becomes 2**53). `discrete`
numbers the values that occur. What it decides:

- Missing are None, NaN, NaT, pandas' NA, masked entries, and in text the words `MISSING_WORDS`.
- Text is stripped of surrounding white space. Text that consists of numbers is numbers, so "1",
  "1.0" and "1e0" are one value; but a column with an identifier such as "007" stays text.
- Decimal numbers with many different values look continuous: they are not taken for categories
  without a word.

>>> discrete("rain", ["no", "yes ", "no"]).values
('no', 'yes')
"""

from trifeature.columns.coding import MISSING_WORDS
from trifeature.columns.discretize import (
    BINNINGS,
    CATEGORIES,
    Bins,
    Discrete,
    as_numbers,
    discrete,
    drop_missing,
    is_continuous,
    missing_rows,
)
from trifeature.columns.frames import data_frame
from trifeature.columns.reading import as_columns, require_one_length

__all__ = [
    "BINNINGS",
    "CATEGORIES",
    "MISSING_WORDS",
    "Bins",
    "Discrete",
    "as_columns",
    "as_numbers",
    "data_frame",
    "discrete",
    "drop_missing",
    "is_continuous",
    "missing_rows",
    "require_one_length",
]
