rule render_views:
    input:
        checkpoint="results/{scene}/{method}/checkpoint.pt",
        scene="results/{scene}/scene.h5",
        info="results/{scene}/frames.json",
        truth=truth_path,
        code=sources("pipeline.render_views"),
    output:
        renders=directory("results/{scene}/{method}/renders"),
        record="results/{scene}/records/render_views_{method}.json",
    log:
        "results/{scene}/logs/render_views_{method}.log",
    benchmark:
        "results/{scene}/benchmarks/render_views_{method}.tsv"
    conda:
        "../../envs/torch.yaml"
    threads: 8
    resources:
        mem_mb=6000,
        runtime=120,
        gpu=1,
    params:
        options=options("render_views"),
    message:
        "Views of {wildcards.scene} by {wildcards.method}"
    shell:
        "python -m pipeline.render_views"
        " --checkpoint {input.checkpoint:q} --scene {input.scene:q} --info {input.info:q} --truth {input.truth:q}"
        " --renders {output.renders:q}"
        " --options {params.options:q} --record {output.record:q} --threads {threads} 2>&1 | tee {log:q}"
