"""config.yaml before Snakemake reads it, which says neither line nor cause and takes the last of two keys."""

import sys
from pathlib import Path

from snakemake.exceptions import WorkflowError

sys.path.insert(0, str(workflow.basedir))

from pipeline.runtime.errors import StageError
from workflow.config_yaml import check_yaml

try:
    check_yaml(Path("config.yaml"))
except StageError as error:
    raise WorkflowError(str(error)) from None
