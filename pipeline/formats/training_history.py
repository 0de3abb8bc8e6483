"""history.csv: the losses of a training over its steps, a column each; the first column counts the steps."""

from pathlib import Path

import pandas as pd

from pipeline.runtime.errors import StageError


def read_history(path: Path) -> pd.DataFrame:
    """A training history."""
    try:
        return pd.read_csv(path)
    except (OSError, ValueError) as error:
        raise StageError(f"{path} is not a training history ({error}); delete it and train again") from error
