// SPDX-License-Identifier: GPL-3.0-or-later
// Job type of Flamenco 3.8 or later: bakes the talking heads of a .blend in chunks of frames.
// Put it into the folder `scripts` of the Flamenco Manager. docs/farm.md describes it.

const JOB_TYPE = {
    label: "Talking Head Bake",
    description: "Bake the talking heads of a .blend (extension EGSTalker) to pictures",
    settings: [
        { key: "frames", type: "string", required: true,
          eval: "f'{C.scene.frame_start}-{C.scene.frame_end}'",
          evalInfo: { showLinkButton: true, description: "Frame range of the scene" },
          description: "Frames to bake, such as 47, 1-30 or 3,5-10" },
        { key: "chunk_size", type: "int32", default: 250, propargs: { min: 1 },
          description: "Frames of one task" },
        { key: "output", type: "string", subtype: "dir_path", required: true,
          eval: "str(Path(abspath('//frames')) / jobname)",
          evalInfo: { showLinkButton: true, description: "Folder beside the .blend" },
          description: "Folder of the pictures, on a drive that every worker sees" },
        { key: "object", type: "string", required: false, default: "",
          description: "Name of one head; empty for all that are not disabled in renders" },
        { key: "camera", type: "string", choices: ["training", "scene"], default: "training",
          description: "Camera of the training video, or of the scene" },
        { key: "format", type: "string", choices: ["png", "exr", "exr-multilayer"], default: "png",
          description: "File format of the pictures" },
        { key: "size", type: "string", required: false, default: "", visible: "submission",
          description: "Size in pixels, such as 512x512; empty for the camera's own" },
        { key: "engine", type: "string", choices: ["auto", "builtin", "worker"], default: "auto",
          visible: "submission", description: "Engine that computes the frames" },
        { key: "script", type: "string", required: true, visible: "submission",
          eval: "bpy.types.EGSTALKER_OT_write_farm_job.BATCH",
          evalInfo: { showLinkButton: true, description: "That of this Blender's extension" },
          description: "Path of the extension's batch.py on the workers" },
        { key: "blendfile", type: "string", required: true, visible: "web",
          description: "The .blend that is baked" },
    ],
};

function compileJob(job) {
    const settings = job.settings;
    if (settings.chunk_size < 1) {
        throw `Chunk size ${settings.chunk_size} must be 1 or more`;
    }
    // One worker tries everything that a bake needs before the others begin.
    const check = author.Task("check", "blender");
    check.addCommand(bakeCommand(settings, settings.frames, ["--check"], 1));
    job.addTask(check);
    for (const chunk of frameChunker(settings.frames, settings.chunk_size)) {
        const task = author.Task(`bake-${chunk}`, "blender");
        task.addCommand(bakeCommand(settings, chunk, [], frameCount(chunk)));
        task.addDependency(check);
        job.addTask(task);
    }
}

function bakeCommand(settings, frames, options, steps) {
    const args = ["--python-exit-code", "1", "--python", settings.script, "--",
        "--out", settings.output, "--frames", frames, "--progress", "flamenco", "--skip-existing",
        "--camera", settings.camera, "--format", settings.format, "--engine", settings.engine];
    if (settings.object) {
        args.push(`--object=${settings.object}`);
    }
    if (settings.size) {
        args.push("--size", settings.size);
    }
    return author.Command("blender-render", {
        exe: "{blender}",
        exeArgs: "{blenderArgs}",
        argsBefore: [],
        blendfile: settings.blendfile,
        args: args.concat(options),
    }, steps);
}
