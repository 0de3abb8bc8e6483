"""Where this workflow's own files are: its folder, also when another workflow uses it as a module, or a copy of it."""

import os
import sys
import tarfile
import tempfile
from pathlib import Path

from snakemake.sourcecache import HostingProviderFile, LocalSourceFile


def own_place(rules):
    """The workflow's folder, for the folder of its rules; what lies in a git repository is laid out on disk once."""
    if isinstance(rules, LocalSourceFile):
        return Path(rules.get_path_or_uri(secret_free=True)).parents[1]
    import git  # asks for the program, which only this needs

    hosted = isinstance(rules, HostingProviderFile)
    repository = rules.hosted_repo.repo if hosted else git.Repo(rules.repo_path)
    copies = Path(workflow.sourcecache.cache_path) / "monoverse"
    place = copies / repository.commit(rules.ref).hexsha
    if not place.exists():
        copies.mkdir(parents=True, exist_ok=True)
        lay_out(repository, place)
    return place


def lay_out(repository, place):
    """Every file of a commit, in a folder of its name, whole or not at all."""
    with tempfile.TemporaryDirectory(dir=place.parent) as folder:
        archive, partial = Path(folder, "all.tar"), Path(folder, "whole")
        with archive.open("wb") as file:
            repository.archive(file, treeish=place.name)
        with tarfile.open(archive) as tar:
            tar.extractall(partial, filter="data")
        try:
            partial.rename(place)
        except OSError:
            if not place.exists():
                raise


PLACE = own_place(workflow.current_basedir)
HERE = PLACE == Path.cwd()

sys.path.insert(0, str(PLACE))


def own(path):
    """A path of the workflow's own as jobs open it: as it is where they run in the workflow's folder."""
    return path if HERE else str(PLACE / path)
