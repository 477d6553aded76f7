"""Data frames of pandas, where it is installed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from trifeature.errors import InputError

if TYPE_CHECKING:
    import pandas as pd


def data_frame(content: Sequence[Mapping[str, Any]] | Mapping[str, Any]) -> pd.DataFrame:
    """A pandas data frame of rows, or of columns by name.

    Raises:
        InputError: pandas is not installed.
    """
    try:
        import pandas as pd  # noqa: PLC0415 - optional: only this function needs it
    except ImportError:
        raise InputError("a data frame needs pandas: pip install pandas") from None
    return pd.DataFrame(content)
