// Stands in for what the Flamenco Manager gives to a job type, and compiles one:
//     node flamenco.js JOB_TYPE.js SETTINGS.json      prints its settings and tasks as JSON
// Values of SETTINGS.json win over the defaults of the job type.
const fs = require("fs");
const vm = require("vm");

function numbers(range) {
    const found = new Set();
    for (const part of String(range).replaceAll("..", "-").split(",")) {
        const match = part.trim().match(/^(\d+)(?:-(\d+))?$/);
        if (!match) throw new Error(`invalid frame range ${range}`);
        for (let frame = +match[1]; frame <= +(match[2] ?? match[1]); frame++) found.add(frame);
    }
    return [...found].sort((a, b) => a - b);
}

function text(frames) {
    const runs = [];
    for (const frame of frames) {
        const last = runs.at(-1);
        if (last && last[1] === frame - 1) last[1] = frame;
        else runs.push([frame, frame]);
    }
    return runs.map(([a, b]) => (a === b ? `${a}` : `${a}-${b}`)).join(",");
}

class Task {
    constructor(name, type) {
        Object.assign(this, { name, type, commands: [], dependencies: [] });
    }
    addCommand(command) { this.commands.push(command); }
    addDependency(task) { this.dependencies.push(task.name); }
}

const context = vm.createContext({
    print() {},
    frameCount: (range) => numbers(range).length,
    frameChunker(range, size) {
        const all = numbers(range);
        const chunks = [];
        for (let i = 0; i < all.length; i += size) chunks.push(text(all.slice(i, i + size)));
        return chunks;
    },
    author: {
        Task: (name, type) => new Task(name, type),
        Command: (name, parameters, totalStepCount) => ({ name, parameters, totalStepCount }),
    },
});
const source = fs.readFileSync(process.argv[2], "utf8");
vm.runInContext(`${source}\n;globalThis.JOB_TYPE = JOB_TYPE;`, context);
const defaults = context.JOB_TYPE.settings
    .filter((setting) => "default" in setting)
    .map((setting) => [setting.key, setting.default]);
const given = JSON.parse(fs.readFileSync(process.argv[3], "utf8"));
const tasks = [];
context.job = {
    settings: { ...Object.fromEntries(defaults), ...given },
    addTask(task) { tasks.push(task); },
};
vm.runInContext("compileJob(job)", context);
process.stdout.write(JSON.stringify({ label: context.JOB_TYPE.label, settings: context.JOB_TYPE.settings, tasks }));
