// SPDX-License-Identifier: GPL-3.0-or-later
// A job type of Flamenco 3: put this file into the folder "scripts" beside the Manager's executable.

const JOB_TYPE = {
    label: "Maquette",
    description: "Makes one object of each job folder, and if wanted a .blend of all of them",
    settings: [
        { key: "jobs", type: "string", subtype: "dir_path", required: true, visible: "submission",
          description: "Folder of the job folders, as the workers see it" },
        { key: "names", type: "string", required: true, visible: "submission",
          description: "The job folders in it, one a line" },
        { key: "python", type: "string", subtype: "file_path", required: true, visible: "submission",
          description: "The Python that has the backend's packages" },
        { key: "start", type: "string", subtype: "file_path", required: true, visible: "submission",
          description: "backend/farm/start.py in Maquette's own folder" },
        { key: "options", type: "string", default: "", visible: "hidden",
          description: "What else is said to the backend, one word a line" },
        { key: "blend_file", type: "string", subtype: "file_path", default: "", visible: "submission",
          description: "Import all results and save them here; empty: do not" },
    ],
};

function lines(text) {
    return (text || "").split("\n").map(line => line.trim()).filter(line => line !== "");
}

function compileJob(job) {
    const settings = job.settings;
    const folders = lines(settings.names).map(name => `${settings.jobs}/${name}`);
    if (folders.length === 0) {
        throw "There is no job folder: name at least one in the setting names.";
    }
    const tasks = folders.map(folder => {
        const task = author.Task(folder.split("/").pop(), "misc");
        task.addCommand(author.Command("exec", {
            exe: settings.python,
            args: ["-u", settings.start, "run", folder].concat(lines(settings.options)),
        }));
        return task;
    });
    tasks.forEach(task => job.addTask(task));
    if (settings.blend_file) {
        const task = author.Task("import", "blender");
        task.addCommand(author.Command("exec", {
            exe: "{blender}",
            args: ["--command", "maquette", "import"].concat(folders, ["--save", settings.blend_file]),
        }));
        tasks.forEach(other => task.addDependency(other));
        job.addTask(task);
    }
}
