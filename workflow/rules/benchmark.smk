# Scenes by methods by depth supervision by seeds, for `benchmark:` in config.yaml: `snakemake results/benchmarks/NAME/table.html`.
# Every run is one of the usual rules in a folder of its own; all runs of a scene share what comes before training.
use rule train_osn as train_osn_of_benchmark with:
    output:
        checkpoint=run_folder("osn", "checkpoint.pt"),
        history=run_folder("osn", "history.csv"),
        scales=run_folder("osn", "scales.csv"),
        record=run_folder("osn", "records/train_osn.json"),
    log:
        run_folder("osn", "logs/train_osn.log"),
    benchmark:
        run_folder("osn", "benchmarks/train_osn.tsv")
    params:
        depth=scene_path("depth"),
        options=run_options("train_osn"),


use rule train_semantic_flow as train_semantic_flow_of_benchmark with:
    output:
        checkpoint=run_folder("semantic_flow", "checkpoint.pt"),
        history=run_folder("semantic_flow", "history.csv"),
        record=run_folder("semantic_flow", "records/train_semantic_flow.json"),
    log:
        run_folder("semantic_flow", "logs/train_semantic_flow.log"),
    benchmark:
        run_folder("semantic_flow", "benchmarks/train_semantic_flow.tsv")
    params:
        labels=scene_path("labels"),
        depth=scene_path("depth"),
        weights=WEIGHTS,
        options=run_options("train_semantic_flow"),


use rule train_baseline as train_baseline_of_benchmark with:
    output:
        checkpoint=run_folder("{baseline}", "checkpoint.pt"),
        history=run_folder("{baseline}", "history.csv"),
        record=run_folder("{baseline}", "records/train_{baseline}.json"),
    log:
        run_folder("{baseline}", "logs/train_{baseline}.log"),
    benchmark:
        run_folder("{baseline}", "benchmarks/train_{baseline}.tsv")
    params:
        depth=scene_path("depth"),
        options=run_options("train_baseline"),


use rule render_views as render_views_of_benchmark with:
    input:
        checkpoint=run_folder("{method}", "checkpoint.pt"),
        scene="results/{scene}/scene.h5",
        info="results/{scene}/frames.json",
        depth=scene_files("depth"),
        truth=scene_files("truth"),
        code=sources("pipeline.render_views"),
    output:
        renders=directory(run_folder("{method}", "renders")),
        record=run_folder("{method}", "records/render_views_{method}.json"),
    log:
        run_folder("{method}", "logs/render_views_{method}.log"),
    benchmark:
        run_folder("{method}", "benchmarks/render_views_{method}.tsv")


use rule evaluate as evaluate_of_benchmark with:
    input:
        scene="results/{scene}/scene.h5",
        info="results/{scene}/frames.json",
        flow="results/{scene}/flow.h5",
        masks="results/{scene}/masks.h5",
        geometry="results/{scene}/geometry.json",
        checkpoints=run_folder("{method}", "checkpoint.pt"),
        renders=run_folder("{method}", "renders"),
        splats=[],
        records=run_records,
        truth=scene_files("truth"),
        labels=scene_files("labels"),
        weights=weights_files,
        code=sources("pipeline.evaluate"),
    output:
        metrics=run_folder("{method}", "metrics.csv"),
        notes=run_folder("{method}", "evaluation.json"),
        record=run_folder("{method}", "records/evaluate.json"),
    log:
        run_folder("{method}", "logs/evaluate.log"),
    benchmark:
        run_folder("{method}", "benchmarks/evaluate.tsv")


rule tabulate_benchmark:
    input:
        metrics=benchmark_runs("metrics.csv"),
        renders=benchmark_runs("renders"),
        histories=benchmark_runs("history.csv"),
        inputs=benchmark_inputs,
        truths=benchmark_truths,
        code=sources("pipeline.tabulate_benchmark") + TABLE_TEMPLATE,
    output:
        csv="results/benchmarks/{bench}/table.csv",
        tex="results/benchmarks/{bench}/table.tex",
        html="results/benchmarks/{bench}/table.html",
        record="results/benchmarks/{bench}/records/tabulate_benchmark.json",
    log:
        "results/benchmarks/{bench}/logs/tabulate_benchmark.log",
    benchmark:
        "results/benchmarks/{bench}/benchmarks/tabulate_benchmark.tsv"
    conda:
        "../../envs/torch.yaml"
    threads: 1
    resources:
        mem_mb=4000,
        runtime=20,
    params:
        runs=benchmark_runs(""),
    message:
        "The table of {wildcards.bench}"
    shell:
        "python -m pipeline.tabulate_benchmark"
        " --runs {params.runs:q} --truths {input.truths:q} --csv {output.csv:q} --tex {output.tex:q} --html {output.html:q}"
        " --record {output.record:q} --threads {threads} 2>&1 | tee {log:q}"
