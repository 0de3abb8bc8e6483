rule track_points:
    input:
        frames="results/{scene}/frames",
        flow="results/{scene}/flow.h5",
        masks="results/{scene}/masks.h5",
        code=sources("pipeline.track_points"),
    output:
        tracks="results/{scene}/tracks.h5",
        record="results/{scene}/records/track_points.json",
    log:
        "results/{scene}/logs/track_points.log",
    benchmark:
        "results/{scene}/benchmarks/track_points.tsv"
    conda:
        "../../envs/colmap.yaml"
    threads: 4
    resources:
        mem_mb=memory("track_points"),
        runtime=run_time("track_points"),
    params:
        options=options("track_points"),
    message:
        "Points followed through {wildcards.scene}"
    shell:
        "python -m pipeline.track_points"
        " --frames {input.frames:q} --flow {input.flow:q} --masks {input.masks:q} --tracks {output.tracks:q}"
        " --options {params.options:q} --record {output.record:q} --threads {threads} 2>&1 | tee {log:q}"


rule reconstruct_objects:
    input:
        frames="results/{scene}/frames",
        info="results/{scene}/frames.json",
        tracks="results/{scene}/tracks.h5",
        masks="results/{scene}/masks.h5",
        objects="results/{scene}/objects.json",
        poses=scene_files("poses"),
        code=sources("pipeline.reconstruct_objects"),
    output:
        reconstruction=directory("results/{scene}/reconstruction"),
        geometry="results/{scene}/geometry.json",
        record="results/{scene}/records/reconstruct_objects.json",
    log:
        "results/{scene}/logs/reconstruct_objects.log",
    benchmark:
        "results/{scene}/benchmarks/reconstruct_objects.tsv"
    conda:
        "../../envs/colmap.yaml"
    threads: 4
    resources:
        mem_mb=memory("reconstruct_objects"),
        runtime=run_time("reconstruct_objects"),
    params:
        poses=scene_path("poses"),
        options=options("reconstruct_objects"),
    message:
        "Structure from motion of every object of {wildcards.scene}"
    shell:
        "python -m pipeline.reconstruct_objects"
        " --frames {input.frames:q} --info {input.info:q} --tracks {input.tracks:q} --masks {input.masks:q}"
        " --objects {input.objects:q} --poses {params.poses:q}"
        " --reconstruction {output.reconstruction:q} --geometry {output.geometry:q}"
        " --options {params.options:q} --record {output.record:q} --threads {threads} 2>&1 | tee {log:q}"


rule refine_masks:
    input:
        frames="results/{scene}/frames",
        info="results/{scene}/frames.json",
        flow="results/{scene}/flow.h5",
        masks="results/{scene}/masks.h5",
        objects="results/{scene}/objects.json",
        reconstruction="results/{scene}/reconstruction",
        geometry="results/{scene}/geometry.json",
        code=sources("pipeline.refine_masks"),
    output:
        masks="results/{scene}/refined/masks.h5",
        objects="results/{scene}/refined/objects.json",
        reconstruction=directory("results/{scene}/refined/reconstruction"),
        geometry="results/{scene}/refined/geometry.json",
        record="results/{scene}/records/refine_masks.json",
    log:
        "results/{scene}/logs/refine_masks.log",
    benchmark:
        "results/{scene}/benchmarks/refine_masks.tsv"
    conda:
        "../../envs/colmap.yaml"
    threads: 4
    resources:
        mem_mb=memory("refine_masks"),
        runtime=run_time("refine_masks"),
    params:
        options=options("refine_masks"),
    message:
        "Masks of {wildcards.scene}, once more, by what was reconstructed"
    shell:
        "python -m pipeline.refine_masks"
        " --frames {input.frames:q} --info {input.info:q} --flow {input.flow:q} --masks {input.masks:q}"
        " --objects {input.objects:q} --reconstruction {input.reconstruction:q} --geometry {input.geometry:q}"
        " --refined-masks {output.masks:q} --refined-objects {output.objects:q}"
        " --refined-reconstruction {output.reconstruction:q} --refined-geometry {output.geometry:q}"
        " --options {params.options:q} --record {output.record:q} --threads {threads} 2>&1 | tee {log:q}"


rule pack_scene:
    input:
        frames="results/{scene}/frames",
        info="results/{scene}/frames.json",
        flow="results/{scene}/flow.h5",
        masks="results/{scene}/refined/masks.h5",
        objects="results/{scene}/refined/objects.json",
        reconstruction="results/{scene}/refined/reconstruction",
        geometry="results/{scene}/refined/geometry.json",
        code=sources("pipeline.pack_scene"),
    output:
        scene="results/{scene}/scene.h5",
        record="results/{scene}/records/pack_scene.json",
    log:
        "results/{scene}/logs/pack_scene.log",
    benchmark:
        "results/{scene}/benchmarks/pack_scene.tsv"
    conda:
        "../../envs/colmap.yaml"
    threads: 2
    resources:
        mem_mb=memory("pack_scene"),
        runtime=run_time("pack_scene"),
    params:
        options=options("pack_scene"),
    message:
        "Everything training reads of {wildcards.scene}, in one file"
    shell:
        "python -m pipeline.pack_scene"
        " --frames {input.frames:q} --info {input.info:q} --flow {input.flow:q} --masks {input.masks:q}"
        " --objects {input.objects:q} --reconstruction {input.reconstruction:q} --geometry {input.geometry:q}"
        " --scene {output.scene:q}"
        " --options {params.options:q} --record {output.record:q} --threads {threads} 2>&1 | tee {log:q}"


# Of scenes with `depth: estimate` only.
rule estimate_depth:
    input:
        frames="results/{scene}/frames",
        scene="results/{scene}/scene.h5",
        network=depth_network,
        code=sources("pipeline.estimate_depth"),
    output:
        depth=directory("results/{scene}/depth"),
        record="results/{scene}/records/estimate_depth.json",
    log:
        "results/{scene}/logs/estimate_depth.log",
    benchmark:
        "results/{scene}/benchmarks/estimate_depth.tsv"
    conda:
        "../../envs/torch.yaml"
    threads: 4
    resources:
        mem_mb=memory("estimate_depth"),
        runtime=run_time("estimate_depth"),
        gpu=GPU,
    params:
        weights=WEIGHTS,
        options=options("estimate_depth"),
    message:
        "Depth maps of {wildcards.scene}"
    shell:
        "python -m pipeline.estimate_depth"
        " --frames {input.frames:q} --scene {input.scene:q} --weights {params.weights:q} --depth {output.depth:q}"
        " --options {params.options:q} --record {output.record:q} --threads {threads} 2>&1 | tee {log:q}"


# Of `method: auto` only: what is trained is known when this has run.
checkpoint choose_method:
    input:
        geometry="results/{scene}/refined/geometry.json",
        code=sources("pipeline.choose_method"),
    output:
        method="results/{scene}/method.json",
        record="results/{scene}/records/choose_method.json",
    log:
        "results/{scene}/logs/choose_method.log",
    benchmark:
        "results/{scene}/benchmarks/choose_method.tsv"
    conda:
        "../../envs/colmap.yaml"
    resources:
        mem_mb=memory("choose_method"),
        runtime=run_time("choose_method"),
    message:
        "Which method fits {wildcards.scene}"
    shell:
        "python -m pipeline.choose_method"
        " --geometry {input.geometry:q} --method {output.method:q}"
        " --record {output.record:q} --threads {threads} 2>&1 | tee {log:q}"


# Not part of a report: `snakemake --cores 4 results/NAME/export` for whoever goes on with the geometry elsewhere.
rule export_geometry:
    input:
        frames="results/{scene}/frames",
        masks="results/{scene}/refined/masks.h5",
        reconstruction="results/{scene}/refined/reconstruction",
        geometry="results/{scene}/refined/geometry.json",
        inputs="results/{scene}/inputs.json",
        code=sources("pipeline.export_geometry"),
    output:
        export=directory("results/{scene}/export"),
        record="results/{scene}/records/export_geometry.json",
    log:
        "results/{scene}/logs/export_geometry.log",
    benchmark:
        "results/{scene}/benchmarks/export_geometry.tsv"
    conda:
        "../../envs/colmap.yaml"
    threads: 2
    resources:
        mem_mb=memory("export_geometry"),
        runtime=run_time("export_geometry"),
    message:
        "Geometry of {wildcards.scene} for other tools"
    shell:
        "python -m pipeline.export_geometry"
        " --frames {input.frames:q} --masks {input.masks:q} --reconstruction {input.reconstruction:q}"
        " --geometry {input.geometry:q} --export {output.export:q}"
        " --record {output.record:q} --threads {threads} 2>&1 | tee {log:q}"


# Not part of a report either: `snakemake --cores 4 results/NAME/exported_dataset` for whoever trains other methods on the video.
rule export_dataset:
    input:
        frames="results/{scene}/frames",
        info="results/{scene}/frames.json",
        masks="results/{scene}/refined/masks.h5",
        reconstruction="results/{scene}/refined/reconstruction",
        geometry="results/{scene}/refined/geometry.json",
        truth=scene_files("truth"),
        scene=with_dense_depth("results/{scene}/scene.h5"),
        checkpoint=with_dense_depth("results/{scene}/{method}/checkpoint.pt"),
        inputs="results/{scene}/inputs.json",
        code=sources("pipeline.export_dataset"),
    output:
        exported_dataset=directory("results/{scene}/exported_dataset"),
        record="results/{scene}/records/export_dataset.json",
    log:
        "results/{scene}/logs/export_dataset.log",
    benchmark:
        "results/{scene}/benchmarks/export_dataset.tsv"
    conda:
        "../../envs/torch.yaml"
    threads: 2
    resources:
        mem_mb=memory("export_dataset"),
        runtime=run_time("export_dataset"),
    params:
        truth=scene_path("truth"),
        options=options("export_dataset"),
    message:
        "{wildcards.scene} as a data set for other tools"
    shell:
        "python -m pipeline.export_dataset"
        " --frames {input.frames:q} --info {input.info:q} --masks {input.masks:q}"
        " --reconstruction {input.reconstruction:q} --geometry {input.geometry:q}"
        " --truth {params.truth:q} --scene {input.scene:q} --checkpoint {input.checkpoint:q}"
        " --exported-dataset {output.exported_dataset:q}"
        " --options {params.options:q} --record {output.record:q} --threads {threads} 2>&1 | tee {log:q}"
