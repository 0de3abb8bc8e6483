rule simulate_scene:
    input:
        code=sources("pipeline.simulate_scene"),
    output:
        video="results/{scene}/video.mp4",
        truth="results/{scene}/truth.h5",
        record="results/{scene}/records/simulate_scene.json",
    log:
        "results/{scene}/logs/simulate_scene.log",
    benchmark:
        "results/{scene}/benchmarks/simulate_scene.tsv"
    conda:
        "../../envs/torch.yaml"
    threads: 4
    resources:
        mem_mb=memory("simulate_scene"),
        runtime=run_time("simulate_scene"),
    params:
        options=options("simulate_scene"),
    message:
        "Rendering the synthetic scene {wildcards.scene}"
    shell:
        "python -m pipeline.simulate_scene"
        " --video {output.video:q} --truth {output.truth:q}"
        " --options {params.options:q} --record {output.record:q} --threads {threads} 2>&1 | tee {log:q}"


rule import_dataset:
    input:
        dataset=dataset_files,
        code=sources("pipeline.import_dataset"),
    output:
        export=directory("results/{scene}/dataset"),
        record="results/{scene}/records/import_dataset.json",
    log:
        "results/{scene}/logs/import_dataset.log",
    benchmark:
        "results/{scene}/benchmarks/import_dataset.tsv"
    conda:
        "../../envs/torch.yaml"
    threads: 1
    resources:
        mem_mb=memory("import_dataset"),
        runtime=run_time("import_dataset"),
    params:
        dataset=dataset_of,
        options=options("import_dataset"),
    message:
        "The data set of {wildcards.scene}"
    shell:
        "python -m pipeline.import_dataset"
        " --dataset {params.dataset:q} --export {output.export:q}"
        " --options {params.options:q} --record {output.record:q} --threads {threads} 2>&1 | tee {log:q}"


rule extract_frames:
    input:
        video=video_files,
        poses=scene_files("poses"),
        code=sources("pipeline.extract_frames"),
    output:
        frames=directory("results/{scene}/frames"),
        info="results/{scene}/frames.json",
        record="results/{scene}/records/extract_frames.json",
    log:
        "results/{scene}/logs/extract_frames.log",
    benchmark:
        "results/{scene}/benchmarks/extract_frames.tsv"
    conda:
        "../../envs/torch.yaml"
    threads: 2
    resources:
        mem_mb=memory("extract_frames"),
        runtime=run_time("extract_frames"),
    params:
        video=video_path,
        poses=scene_path("poses"),
        options=options("extract_frames"),
    message:
        "Frames of {wildcards.scene}"
    shell:
        "python -m pipeline.extract_frames"
        " --video {params.video:q} --poses {params.poses:q} --frames {output.frames:q} --info {output.info:q}"
        " --options {params.options:q} --record {output.record:q} --threads {threads} 2>&1 | tee {log:q}"


rule check_inputs:
    input:
        info="results/{scene}/frames.json",
        mask_folder=scene_files("masks"),
        poses=scene_files("poses"),
        labels=scene_files("labels"),
        depth=given_depth(scene_files("depth")),
        truth=scene_files("truth"),
        code=sources("pipeline.check_inputs"),
    output:
        inputs="results/{scene}/inputs.json",
        record="results/{scene}/records/check_inputs.json",
    log:
        "results/{scene}/logs/check_inputs.log",
    benchmark:
        "results/{scene}/benchmarks/check_inputs.tsv"
    priority: 50
    conda:
        "../../envs/torch.yaml"
    threads: 1
    resources:
        mem_mb=2000,
        runtime=10,
    params:
        mask_folder=scene_path("masks"),
        poses=scene_path("poses"),
        labels=scene_path("labels"),
        depth=given_depth(scene_path("depth")),
        truth=scene_path("truth"),
        options=input_options,
    message:
        "What was given for {wildcards.scene}"
    shell:
        "python -m pipeline.check_inputs"
        " --info {input.info:q} --mask-folder {params.mask_folder:q} --poses {params.poses:q} --labels {params.labels:q}"
        " --depth {params.depth:q} --truth {params.truth:q} --inputs {output.inputs:q}"
        " --options {params.options:q} --record {output.record:q} --threads {threads} 2>&1 | tee {log:q}"


rule estimate_flow:
    input:
        frames="results/{scene}/frames",
        checked=ancient("results/{scene}/checked"),
        weights=weights_files,
        code=sources("pipeline.estimate_flow"),
    output:
        flow="results/{scene}/flow.h5",
        record="results/{scene}/records/estimate_flow.json",
    log:
        "results/{scene}/logs/estimate_flow.log",
    benchmark:
        "results/{scene}/benchmarks/estimate_flow.tsv"
    conda:
        "../../envs/torch.yaml"
    threads: 4
    resources:
        mem_mb=memory("estimate_flow"),
        runtime=run_time("estimate_flow"),
        gpu=GPU,
    params:
        weights=WEIGHTS,
        options=options("estimate_flow"),
    message:
        "Optical flow between neighbouring frames of {wildcards.scene}"
    shell:
        "python -m pipeline.estimate_flow"
        " --frames {input.frames:q} --weights {params.weights:q} --flow {output.flow:q}"
        " --options {params.options:q} --record {output.record:q} --threads {threads} 2>&1 | tee {log:q}"


rule segment_objects:
    input:
        frames="results/{scene}/frames",
        info="results/{scene}/frames.json",
        flow="results/{scene}/flow.h5",
        mask_folder=scene_files("masks"),
        weights=weights_files,
        network=text_network,
        code=sources("pipeline.segment_objects"),
    output:
        masks="results/{scene}/masks.h5",
        objects="results/{scene}/objects.json",
        record="results/{scene}/records/segment_objects.json",
    log:
        "results/{scene}/logs/segment_objects.log",
    benchmark:
        "results/{scene}/benchmarks/segment_objects.tsv"
    conda:
        "../../envs/torch.yaml"
    threads: 4
    resources:
        mem_mb=memory("segment_objects"),
        runtime=run_time("segment_objects"),
        gpu=GPU,
    params:
        weights=WEIGHTS,
        mask_folder=scene_path("masks"),
        options=options("segment_objects"),
    message:
        "Masks of the objects of {wildcards.scene}"
    shell:
        "python -m pipeline.segment_objects"
        " --frames {input.frames:q} --info {input.info:q} --flow {input.flow:q} --mask-folder {params.mask_folder:q} --weights {params.weights:q}"
        " --masks {output.masks:q} --objects {output.objects:q}"
        " --options {params.options:q} --record {output.record:q} --threads {threads} 2>&1 | tee {log:q}"


# Not part of a report: `snakemake --cores 4 results/NAME/masks` for whoever needs the masks elsewhere.
rule export_masks:
    input:
        frames="results/{scene}/frames",
        info="results/{scene}/frames.json",
        masks="results/{scene}/refined/masks.h5",
        objects="results/{scene}/refined/objects.json",
        inputs="results/{scene}/inputs.json",
        code=sources("pipeline.export_masks"),
    output:
        export=directory("results/{scene}/masks"),
        record="results/{scene}/records/export_masks.json",
    log:
        "results/{scene}/logs/export_masks.log",
    benchmark:
        "results/{scene}/benchmarks/export_masks.tsv"
    conda:
        "../../envs/torch.yaml"
    threads: 2
    resources:
        mem_mb=memory("export_masks"),
        runtime=run_time("export_masks"),
    message:
        "Masks of {wildcards.scene} for other tools"
    shell:
        "python -m pipeline.export_masks"
        " --frames {input.frames:q} --info {input.info:q} --masks {input.masks:q} --objects {input.objects:q}"
        " --export {output.export:q}"
        " --record {output.record:q} --threads {threads} 2>&1 | tee {log:q}"


rule weights:
    log:
        "results/logs/download_weights.log",
    conda:
        "../../envs/torch.yaml"
    params:
        weights=WEIGHTS,
    message:
        "Official weights of RAFT, SAM and LPIPS into weights/"
    shell:
        "python -m pipeline.download_weights --weights {params.weights:q} 2>&1 | tee {log:q}"
