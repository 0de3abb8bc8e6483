# Monoverse: a monocular video of a moving scene in, a trained 3D representation and a report out.
# Every job is `python -m pipeline.STAGE`; settings are in config.yaml, facts about the machine in workflow/profiles/.
from snakemake.utils import min_version

min_version("9.0")


include: "workflow/rules/config_yaml.smk"


configfile: "config.yaml"


include: "workflow/rules/common.smk"
include: "workflow/rules/perception.smk"
include: "workflow/rules/geometry.smk"
include: "workflow/rules/training.smk"
include: "workflow/rules/reporting.smk"


wildcard_constraints:
    scene=r"[^/]+",
    method="|".join(METHODS),


onstart:
    for working in still_working(NAMES):
        print(f"at work already, for another run: {working}", file=sys.stderr)
    THIS_RUN.enter_context(noted(RUNS, RUN))
    for name in CONFIG.scenes:
        print(f"scene {name}: preset {preset_of(CONFIG, name)}", file=sys.stderr)


onsuccess:
    for training in finished_trainings(NAMES):
        training.unlink()


onerror:
    print("", *stage_errors(since=STARTED), sep="\n", file=sys.stderr)


localrules:
    all,
    weights,


rule all:
    default_target: True
    input:
        expand("results/{scene}/report.html", scene=CONFIG.scenes),
