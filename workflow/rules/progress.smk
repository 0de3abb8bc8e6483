"""How far this run is: its jobs, what they may take, and who follows them."""

from workflow.expected_time import Job, expected_seconds
from workflow.job_size import DEMANDS
from workflow.run_progress import RunJob, RunProgress


def run_jobs():
    """The jobs of this run that leave a record, as far as the graph is known by now.

    Asked from another thread than that which changes the graph: the jobs are copied in one step.
    """
    jobs = list(workflow.dag.needrun_jobs(exclude_finished=False))
    return [
        RunJob(
            path.parent.parent,
            job.rule.name.removesuffix(OF_BENCHMARK),
            path.stem,
            str(Path(job.log[0]).relative_to(path.parent.parent)),
            job.wildcards,
        )
        for job in jobs
        for path in map(Path, job.output)
        if path.parent.name == "records" and job.log and is_of_scenes(job)
    ]


def is_of_scenes(job):
    """Whether a job is of one scene, or of those that are trained as one model; a benchmark's table is of none."""
    return bool({"scene", "group"} & set(job.wildcards.keys()))


def expected_time(job):
    """Seconds that a job of this run may take, and what says so."""
    size, steps = size_of(job.wildcards), minutes_of_steps(job.rule, job.wildcards)
    return expected_seconds(
        Job(job.rule, job.stage, size, steps), job.results.name, job.results.parent
    )


PROGRESS = RunProgress(
    run_jobs, expected_time, ["simulate_scene", "import_dataset", *PREPARING, *DEMANDS]
)
