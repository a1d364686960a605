// The events and the `window.prodigy` of Prodigy's custom interfaces, as documented: `prodigymount`
// once, `prodigyupdate` whenever the task on the screen changes in any way, `prodigyanswer` and
// `prodigyundo` for what the annotator does.

const tell = (name, detail) => document.dispatchEvent(new CustomEvent(name, { detail }));

/** Mustache, of which the template needs only `{{name}}`, escaped. */
function filled(template, task) {
  const escaped = { "&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;" };
  return template.replace(/\{\{(\w+)\}\}/g, (_, name) => String(task[name] ?? "").replace(/[&<>"]/g, (c) => escaped[c]));
}

window.prodigy = {
  content: null,
  config: {},
  /** What the annotator has answered, as it would be saved. */
  answered: [],
  updates: 0,

  async start(tasks) {
    this.tasks = tasks.map((task, index) => ({ ...task, _task_hash: index + 1 }));
    this.template = await (await fetch("touchstone.html")).text();
    this.draw(this.tasks.shift());
    tell("prodigymount");
  },

  /** Draws the block of a task; the block of the one before goes. */
  draw(task) {
    this.content = task;
    document.querySelector(".prodigy-content").innerHTML = filled(this.template, task);
  },

  update(fields) {
    this.updates += 1;
    this.content = { ...this.content, ...fields };
    tell("prodigyupdate", { task: this.content });
  },

  answer(answer) {
    const task = { ...this.content, answer };
    this.answered.push(task);
    tell("prodigyanswer", { answer, task });
    this.draw(this.tasks.shift());
    tell("prodigyupdate", { task: this.content });
  },

  undo() {
    this.tasks.unshift(this.content);
    const { answer: _, ...task } = this.answered.pop();
    this.draw(task);
    tell("prodigyundo");
    tell("prodigyupdate", { task });
  },
};
