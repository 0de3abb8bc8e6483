"""How far a run is, in lines for a person: one a stage."""

from pipeline.runtime.run_status import RunStatus, StageStatus

RUN_WORDS = {
    "working": "at work",
    "done": "done",
    "failed": "it failed",
    "gone": "the process that ran the graph is gone: run the same snakemake command again to go on",
    "unknown": "no run of the graph is known here",
}
SOURCES = {"record": "", "size": ", by the video's size"}


def status_lines(status: RunStatus) -> list[str]:
    """A line for the run, and one for each stage."""
    who = f" ({status.process})" if status.process else ""
    return [f"{status.scene}: {RUN_WORDS[status.run]}{who}, {progress_words(status)}"] + [
        f"  {stage_line(stage)}" for stage in status.stages
    ]


def progress_words(status: RunStatus) -> str:
    """Stages done, and the time that is left."""
    said = f"{status.count('done')} of {len(status.stages)} stages done"
    if status.count("failed"):
        said += f", {status.count('failed')} failed"
    if not status.open:
        return said
    unknown = any(stage.expected_s is None for stage in status.open)
    if unknown and not status.left_s:
        return said
    return f"{said}, {'at least' if unknown else 'about'} {span(status.left_s)} left"


def stage_line(stage: StageStatus) -> str:
    """A stage, its state, how long it has taken and may take, and what is wrong with it."""
    words = [f"{stage.stage:24s} {stage.state:8s}", time_words(stage)]
    if stage.process:
        words.append(f"({stage.process})")
    if stage.said:
        words.append(f"- {stage.said}")
    if stage.state == "failed" and stage.log:
        words.append(f"- see {stage.log}")
    return " ".join(word for word in words if word)


def time_words(stage: StageStatus) -> str:
    """Elapsed and expected time, as far as they are known."""
    elapsed = "" if stage.elapsed_s is None else span(stage.elapsed_s)
    if stage.expected_s is None:
        return elapsed
    about = f"about {span(stage.expected_s)}{SOURCES.get(stage.expected_from, '')}"
    if stage.state == "done":
        return f"{elapsed}, expected {about}"
    return f"{elapsed} of {about}" if elapsed else about


def span(seconds: float) -> str:
    """A length of time: 8 s, 3 min 05 s, 2 h 10 min."""
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60:02d} s"
    return f"{whole // 3600} h {whole % 3600 // 60:02d} min"
