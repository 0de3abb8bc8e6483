rule render_views:
    input:
        checkpoint="results/{scene}/{method}/checkpoint.pt",
        scene="results/{scene}/scene.h5",
        info="results/{scene}/frames.json",
        depth=scene_files("depth"),
        truth=scene_files("truth"),
        code=sources("pipeline.render_views"),
    output:
        renders=report(
            directory("results/{scene}/{method}/renders"),
            patterns=["{views}.mp4"],
            caption="../report/renders.rst",
            category="Views",
            subcategory="{scene}",
            labels={"scene": "{scene}", "method": "{method}", "views": "{views}"},
        ),
        record="results/{scene}/records/render_views_{method}.json",
    log:
        "results/{scene}/logs/render_views_{method}.log",
    benchmark:
        "results/{scene}/benchmarks/render_views_{method}.tsv"
    conda:
        "../../envs/torch.yaml"
    threads: 8
    resources:
        mem_mb=memory("render_views"),
        runtime=run_time("render_views"),
        gpu=GPU,
    params:
        truth=scene_path("truth"),
        depth=scene_path("depth"),
        options=options("render_views"),
    message:
        "Views of {wildcards.scene} by {wildcards.method}"
    shell:
        "python -m pipeline.render_views"
        " --checkpoint {input.checkpoint:q} --scene {input.scene:q} --info {input.info:q} --depth {params.depth:q} --truth {params.truth:q}"
        " --renders {output.renders:q}"
        " --options {params.options:q} --record {output.record:q} --threads {threads} 2>&1 | tee {log:q}"


rule export_splats:
    input:
        checkpoint="results/{scene}/{method}/checkpoint.pt",
        scene="results/{scene}/scene.h5",
        code=sources("pipeline.export_splats"),
    output:
        splats=directory("results/{scene}/{method}/splats"),
        record="results/{scene}/records/export_splats_{method}.json",
    log:
        "results/{scene}/logs/export_splats_{method}.log",
    benchmark:
        "results/{scene}/benchmarks/export_splats_{method}.tsv"
    conda:
        "../../envs/torch.yaml"
    threads: 8
    resources:
        mem_mb=memory("export_splats"),
        runtime=run_time("export_splats"),
        gpu=GPU,
    params:
        options=options("export_splats"),
    message:
        "Splats of the objects of {wildcards.scene} by {wildcards.method}"
    shell:
        "python -m pipeline.export_splats"
        " --checkpoint {input.checkpoint:q} --scene {input.scene:q} --splats {output.splats:q}"
        " --options {params.options:q} --record {output.record:q} --threads {threads} 2>&1 | tee {log:q}"


rule evaluate:
    input:
        scene="results/{scene}/scene.h5",
        info="results/{scene}/frames.json",
        flow="results/{scene}/flow.h5",
        masks="results/{scene}/refined/masks.h5",
        geometry="results/{scene}/refined/geometry.json",
        checkpoints=trained("results/{scene}/{method}/checkpoint.pt"),
        renders=trained("results/{scene}/{method}/renders"),
        splats=with_objects("results/{scene}/{method}/splats"),
        records=records_before_evaluation,
        truth=scene_files("truth"),
        labels=scene_files("labels"),
        weights=weights_files,
        code=sources("pipeline.evaluate"),
    output:
        metrics=report(
            "results/{scene}/metrics.csv",
            caption="../report/metrics.rst",
            category="Numbers",
            subcategory="{scene}",
            labels={"scene": "{scene}", "table": "metrics of all stages and methods"},
        ),
        notes="results/{scene}/evaluation.json",
        record="results/{scene}/records/evaluate.json",
    log:
        "results/{scene}/logs/evaluate.log",
    benchmark:
        "results/{scene}/benchmarks/evaluate.tsv"
    conda:
        "../../envs/torch.yaml"
    threads: 4
    resources:
        mem_mb=memory("evaluate"),
        runtime=run_time("evaluate"),
        gpu=GPU,
    params:
        truth=scene_path("truth"),
        labels=scene_path("labels"),
        weights=WEIGHTS,
        options=options("evaluate"),
    message:
        "Numbers of {wildcards.scene}"
    shell:
        "python -m pipeline.evaluate"
        " --scene {input.scene:q} --info {input.info:q} --flow {input.flow:q} --masks {input.masks:q}"
        " --geometry {input.geometry:q} --checkpoints {input.checkpoints:q} --renders {input.renders:q}"
        " --splats {input.splats:q} --records {input.records:q} --truth {params.truth:q} --labels {params.labels:q} --weights {params.weights:q}"
        " --metrics {output.metrics:q} --notes {output.notes:q}"
        " --options {params.options:q} --record {output.record:q} --threads {threads} 2>&1 | tee {log:q}"


rule report:
    input:
        frames="results/{scene}/frames",
        info="results/{scene}/frames.json",
        flow="results/{scene}/flow.h5",
        masks="results/{scene}/refined/masks.h5",
        objects="results/{scene}/refined/objects.json",
        geometry="results/{scene}/refined/geometry.json",
        scene="results/{scene}/scene.h5",
        histories=trained("results/{scene}/{method}/history.csv"),
        renders=trained("results/{scene}/{method}/renders"),
        splats=with_objects("results/{scene}/{method}/splats"),
        metrics="results/{scene}/metrics.csv",
        notes="results/{scene}/evaluation.json",
        records=all_records,
        method=method_choice,
        inputs="results/{scene}/inputs.json",
        depth=estimated_depth,
        truth=scene_files("truth"),
        code=sources("pipeline.report") + REPORT_TEMPLATES,
    output:
        report=report(
            "results/{scene}/report.html",
            caption="../report/scene.rst",
            category="Scenes",
            labels={"scene": "{scene}", "page": "report"},
        ),
        record="results/{scene}/records/report.json",
    log:
        "results/{scene}/logs/report.log",
    benchmark:
        "results/{scene}/benchmarks/report.tsv"
    conda:
        "../../envs/torch.yaml"
    threads: 2
    resources:
        mem_mb=memory("report"),
        runtime=run_time("report"),
    params:
        truth=scene_path("truth"),
        options=options("report"),
    message:
        "Report of {wildcards.scene}"
    shell:
        "python -m pipeline.report"
        " --frames {input.frames:q} --info {input.info:q} --flow {input.flow:q} --masks {input.masks:q}"
        " --objects {input.objects:q} --geometry {input.geometry:q} --scene {input.scene:q}"
        " --histories {input.histories:q} --renders {input.renders:q} --splats {input.splats:q} --metrics {input.metrics:q} --notes {input.notes:q}"
        " --records {input.records:q} --method {input.method:q} --inputs {input.inputs:q} --depth {input.depth:q}"
        " --truth {params.truth:q} --report {output.report:q}"
        " --options {params.options:q} --record {output.record:q} --threads {threads} 2>&1 | tee {log:q}"


# What it compares is found, not made: a look at old runs must not train anything.
rule compare_runs:
    input:
        code=sources("pipeline.compare_runs") + REPORT_TEMPLATES,
    output:
        compare="results/compare.html",
    log:
        "results/logs/compare_runs.log",
    benchmark:
        "results/logs/compare_runs.tsv"
    conda:
        "../../envs/torch.yaml"
    threads: 1
    resources:
        mem_mb=2000,
        runtime=15,
    params:
        runs=compared_folders,
        seen=times_of_numbers,
    message:
        "Runs compared"
    shell:
        "python -m pipeline.compare_runs"
        " --runs {params.runs:q} --compare {output.compare:q} --threads {threads} 2>&1 | tee {log:q}"
