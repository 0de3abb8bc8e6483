# The code of a training stage is `ancient`: an edited comment must not discard a night. The checkpoint stores the commit.
rule train_osn:
    input:
        scene="results/{scene}/scene.h5",
        depth=scene_files("depth"),
        code=ancient(sources("pipeline.train_osn")),
    output:
        checkpoint="results/{scene}/osn/checkpoint.pt",
        history=report(
            "results/{scene}/osn/history.csv",
            caption="../report/history.rst",
            category="Numbers",
            subcategory="{scene}",
            labels={"scene": "{scene}", "table": "training of osn"},
        ),
        scales=report(
            "results/{scene}/osn/scales.csv",
            caption="../report/scales.rst",
            category="Numbers",
            subcategory="{scene}",
            labels={"scene": "{scene}", "table": "valid scenes of osn"},
        ),
        record="results/{scene}/records/train_osn.json",
    log:
        "results/{scene}/logs/train_osn.log",
    benchmark:
        "results/{scene}/benchmarks/train_osn.tsv"
    conda:
        "../../envs/torch.yaml"
    threads: 8
    resources:
        mem_mb=memory("train_osn"),
        runtime=run_time("train_osn"),
        gpu=GPU,
    params:
        depth=scene_path("depth"),
        options=options("train_osn"),
    message:
        "Training OSN on {wildcards.scene}"
    shell:
        "python -m pipeline.train_osn"
        " --scene {input.scene:q} --depth {params.depth:q} --checkpoint {output.checkpoint:q} --history {output.history:q} --scales {output.scales:q}"
        " --options {params.options:q} --record {output.record:q} --threads {threads} 2>&1 | tee {log:q}"


rule train_semantic_flow:
    input:
        scene="results/{scene}/scene.h5",
        labels=scene_files("labels"),
        depth=scene_files("depth"),
        weights=encoder_files,
        start_from=start_checkpoint,
        code=ancient(sources("pipeline.train_semantic_flow")),
    output:
        checkpoint="results/{scene}/semantic_flow/checkpoint.pt",
        history=report(
            "results/{scene}/semantic_flow/history.csv",
            caption="../report/history.rst",
            category="Numbers",
            subcategory="{scene}",
            labels={"scene": "{scene}", "table": "training of semantic_flow"},
        ),
        record="results/{scene}/records/train_semantic_flow.json",
    log:
        "results/{scene}/logs/train_semantic_flow.log",
    benchmark:
        "results/{scene}/benchmarks/train_semantic_flow.tsv"
    conda:
        "../../envs/torch.yaml"
    threads: 8
    resources:
        mem_mb=memory("train_semantic_flow"),
        runtime=run_time("train_semantic_flow"),
        gpu=GPU,
    params:
        labels=scene_path("labels"),
        depth=scene_path("depth"),
        weights=WEIGHTS,
        options=options("train_semantic_flow"),
    message:
        "Training Semantic Flow on {wildcards.scene}"
    shell:
        "python -m pipeline.train_semantic_flow"
        " --scene {input.scene:q} --labels {params.labels:q} --depth {params.depth:q} --weights {params.weights:q}"
        " --start-from {input.start_from:q} --checkpoint {output.checkpoint:q} --history {output.history:q}"
        " --options {params.options:q} --record {output.record:q} --threads {threads} 2>&1 | tee {log:q}"


rule train_baseline:
    input:
        scene="results/{scene}/scene.h5",
        depth=scene_files("depth"),
        code=ancient(sources("pipeline.train_baseline")),
    output:
        checkpoint="results/{scene}/{baseline}/checkpoint.pt",
        history=report(
            "results/{scene}/{baseline}/history.csv",
            caption="../report/history.rst",
            category="Numbers",
            subcategory="{scene}",
            labels={"scene": "{scene}", "table": "training of {baseline}"},
        ),
        record="results/{scene}/records/train_{baseline}.json",
    log:
        "results/{scene}/logs/train_{baseline}.log",
    benchmark:
        "results/{scene}/benchmarks/train_{baseline}.tsv"
    wildcard_constraints:
        baseline="|".join(BASELINES),
    conda:
        "../../envs/torch.yaml"
    threads: 8
    resources:
        mem_mb=memory("train_baseline"),
        runtime=run_time("train_baseline"),
        gpu=GPU,
    params:
        depth=scene_path("depth"),
        options=baseline_options,
    message:
        "Training {wildcards.baseline} on {wildcards.scene}"
    shell:
        "python -m pipeline.train_baseline"
        " --scene {input.scene:q} --depth {params.depth:q} --checkpoint {output.checkpoint:q} --history {output.history:q}"
        " --options {params.options:q} --record {output.record:q} --threads {threads} 2>&1 | tee {log:q}"


# One model of several scenes, for the scenes that config.yaml lists under shared_semantics.
rule train_shared_semantics:
    input:
        scenes=shared_scenes,
        weights=encoder_files,
        code=ancient(sources("pipeline.train_shared_semantics")),
    output:
        checkpoint="results/{group}/shared_semantics/checkpoint.pt",
        history="results/{group}/shared_semantics/history.csv",
        record="results/{group}/records/train_shared_semantics.json",
    log:
        "results/{group}/logs/train_shared_semantics.log",
    benchmark:
        "results/{group}/benchmarks/train_shared_semantics.tsv"
    wildcard_constraints:
        group=r"[^/]+",
    conda:
        "../../envs/torch.yaml"
    threads: 8
    resources:
        mem_mb=memory("train_shared_semantics"),
        runtime=run_time("train_shared_semantics"),
        gpu=GPU,
    params:
        weights=WEIGHTS,
        options=group_options,
    message:
        "Training Semantic Flow on the scenes of {wildcards.group} as one model"
    shell:
        "python -m pipeline.train_shared_semantics"
        " --scenes {input.scenes:q} --weights {params.weights:q}"
        " --checkpoint {output.checkpoint:q} --history {output.history:q}"
        " --options {params.options:q} --record {output.record:q} --threads {threads} 2>&1 | tee {log:q}"


# Not part of a report: `snakemake --cores 4 results/NAME/osn/objects` for whoever goes on with the objects elsewhere.
rule export_objects:
    input:
        checkpoint="results/{scene}/osn/checkpoint.pt",
        scene="results/{scene}/scene.h5",
        splats="results/{scene}/osn/splats",
        code=sources("pipeline.export_objects"),
    output:
        objects=directory("results/{scene}/osn/objects"),
        record="results/{scene}/records/export_objects.json",
    log:
        "results/{scene}/logs/export_objects.log",
    benchmark:
        "results/{scene}/benchmarks/export_objects.tsv"
    conda:
        "../../envs/torch.yaml"
    threads: 2
    resources:
        mem_mb=memory("export_objects"),
        runtime=run_time("export_objects"),
    params:
        options=options("export_objects"),
    message:
        "Meshes, points and splats of the objects of {wildcards.scene}"
    shell:
        "python -m pipeline.export_objects"
        " --checkpoint {input.checkpoint:q} --scene {input.scene:q} --splats {input.splats:q} --objects {output.objects:q}"
        " --options {params.options:q}"
        " --record {output.record:q} --threads {threads} 2>&1 | tee {log:q}"
