"""Files of settings before Snakemake reads them, which says neither line nor cause and takes the last of two keys."""

from pathlib import Path

from snakemake.exceptions import WorkflowError

from pipeline.runtime.errors import StageError
from workflow.config_yaml import check_yaml

# The folder's own settings, else the workflow's; a module gets them from the workflow that uses it.
CONFIG_YAML = "config.yaml" if Path("config.yaml").exists() else own("config.yaml")

try:
    for file in workflow.config_settings.configfiles:
        check_yaml(Path(file))
    if not workflow.modifier.skip_configfile:
        check_yaml(Path(CONFIG_YAML))
except StageError as error:
    raise WorkflowError(str(error)) from None
