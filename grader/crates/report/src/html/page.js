"use strict";
// Everything that comes from a submission is set as text: there is no markup made from data here.

const element = (name, attributes, ...children) => {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  made.append(...children.filter(child => child !== null));
  return made;
};
const words = name => name.replaceAll("_", " ");

// The class: sorting and filtering.

const table = document.getElementById("grades");
const body = table.tBodies[0];
const heads = [...table.tHead.rows[0].cells];
const collator = new Intl.Collator(undefined, { numeric: true });
const rows = [...body.rows].map(row => ({
  row,
  at: row.dataset.at,
  name: row.cells[0].textContent,
  lower: row.cells[0].textContent.toLowerCase(),
  tokens: row.dataset.tokens.split(" "),
  values: [...row.cells].map(cell => Number(cell.dataset.value)),
}));

const sort = column => {
  const up = heads[column].getAttribute("aria-sort") !== "ascending";
  heads.forEach(head => head.removeAttribute("aria-sort"));
  heads[column].setAttribute("aria-sort", up ? "ascending" : "descending");
  const compare = column === 0
    ? (a, b) => collator.compare(a.name, b.name)
    : (a, b) => a.values[column] - b.values[column];
  rows.sort((a, b) => (up ? compare(a, b) : compare(b, a)));
  body.append(...rows.map(row => row.row));
};
heads.forEach((head, column) => head.querySelector("button").addEventListener("click", () => sort(column)));

const name = document.getElementById("filter-name");
const lab = document.getElementById("filter-lab");
const outcome = document.getElementById("filter-outcome");
const count = document.getElementById("count");
const filter = () => {
  const text = name.value.trim().toLowerCase();
  const [inLab, ended] = [lab.value, outcome.value];
  const fits = token => {
    const at = token.lastIndexOf(":");
    const [of, what] = [token.slice(0, at), token.slice(at + 1)];
    return (!inLab || of === inLab) && (ended ? what === ended : what !== "missing");
  };
  let shown = 0;
  for (const one of rows) {
    const keep = one.lower.includes(text) && (!inLab && !ended || one.tokens.some(fits));
    one.row.hidden = !keep;
    shown += keep ? 1 : 0;
  }
  count.textContent = shown === rows.length ? `${shown} submissions` : `${shown} of ${rows.length} submissions`;
};
for (const field of [name, lab, outcome]) {
  for (const event of ["input", "change"]) field.addEventListener(event, filter);
}
document.getElementById("filters").addEventListener("submit", event => event.preventDefault());

// The page of one submission, made when it is opened.

const evidence = seen => [
  element("dt", {}, "programs"),
  element("dd", {}, seen.programs.length === 0 ? "none was started" : element("ol", { class: "lanes" },
    ...seen.programs.map(program => element("li", {},
      element("code", {}, program.argv), `: ${program.end}`,
      program.stderr ? element("pre", { class: "quoted" }, program.stderr) : null)))),
  element("dt", {}, "run"),
  element("dd", {}, `isolation ${seen.isolation}, seed ${seen.seed}, ${seen.wall_ms} ms, ${seen.cpu_ms} ms of CPU`
    + (seen.survivors ? `; still alive at the end, and killed then: ${seen.survivors}` : "")),
];

// Recorded calls, or the accesses of a schedule: one lane a process, time runs downwards. The figures
// come from lanes.rs.
const svgNamespace = document.createRange().createContextualFragment("<svg>").firstChild.namespaceURI;
const drawn = (name, attributes, text = "") => {
  const made = document.createElementNS(svgNamespace, name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  made.textContent = text;
  return made;
};
const picture = of => {
  const svg = drawn("svg", { width: of.width, height: of.height, role: "img",
    "aria-label": of.label });
  svg.append(
    ...of.lanes.flatMap(lane => [
      drawn("text", { class: "lane", x: lane.x, y: 20 }, lane.name),
      drawn("line", { x1: lane.x, y1: 30, x2: lane.x, y2: of.height })]),
    ...of.events.flatMap(event => [
      event.gap === null ? "" : drawn("text", { class: "time", x: 40, y: event.gap }, "…"),
      drawn("text", { class: "time", x: 4, y: event.y }, event.time),
      drawn("circle", { cx: event.x, cy: event.y - 4, r: 4, class: event.effect ? "touched" : "" }),
      drawn("text", { x: event.x + 10, y: event.y }, event.text),
      event.effect ? drawn("text", { class: "touched", x: event.x + 10, y: event.y + 18 }, event.effect) : ""]));
  return element("div", { class: "calls" }, svg);
};

const testEntry = test => {
  const line = element("span", { class: "line" },
    element("span", { class: `outcome ${test.outcome}` }, words(test.outcome)),
    element("code", {}, test.id), element("span", {}, `${test.score}/${test.max}`));
  if (!test.fields) return element("p", { class: "test" }, line);
  const [, what] = test.fields[0] ?? ["", ""];
  const excerpt = element("span", { class: "excerpt quiet" }, what.split("\n")[0]);
  const fields = test.fields.flatMap(([label, text]) =>
    [element("dt", {}, label), element("dd", {}, element("pre", {}, text))]);
  return element("details", { class: "test" }, element("summary", {}, line, excerpt),
    element("dl", {}, ...fields, ...(test.evidence ? evidence(test.evidence) : [])),
    test.lanes ? picture(test.lanes) : null);
};

const labEntry = (of, at) => element("section", { "aria-labelledby": `lab${at}` },
  element("h3", { id: `lab${at}` }, of.lab, " ", element("span", { class: "score" },
    `${of.score} of ${of.max}`, of.status === "graded" ? "" : `, ${words(of.status)}`)),
  ...of.remarks.map(remark => element("p", { class: "note" }, remark)),
  of.detail ? element("pre", { class: "quoted" }, of.detail) : null,
  ...of.tests.map(testEntry));

const overview = document.getElementById("overview");
const sections = document.getElementById("sections");
const page = document.getElementById("page");
const link = (to, text) => element("a", { href: `#submission=${encodeURIComponent(to.name)}` }, text);
let back = 0;

const open = one => {
  const data = JSON.parse(document.getElementById(`d${one.at}`).textContent);
  const isThere = of => of.status !== "missing" || of.score > 0;
  const absent = data.labs.filter(of => !isThere(of)).map(of => of.lab);
  const shown = rows.filter(other => !other.row.hidden);
  const at = shown.indexOf(one);
  const total = one.row.cells[one.row.cells.length - 1].textContent;
  const all = element("button", { type: "button", class: "button" }, "Open all");
  all.addEventListener("click", () => page.querySelectorAll("details").forEach(one => { one.open = true; }));
  const heading = element("h2", { tabindex: "-1" }, one.name, " ", element("span", { class: "score" }, total));
  page.replaceChildren(
    element("nav", { "aria-label": "Submissions" }, element("a", { href: "#class" }, "Back to the class"),
      at > 0 ? link(shown[at - 1], "Previous") : null,
      at >= 0 && at + 1 < shown.length ? link(shown[at + 1], "Next") : null, all),
    heading,
    ...data.notes.map(note => element("p", { class: "note" }, note)),
    ...data.labs.filter(isThere).map(labEntry),
    absent.length ? element("p", { class: "note" }, `Nothing was handed in for ${absent.join(", ")}.`) : "");
  if (page.hidden) back = scrollY;
  overview.hidden = sections.hidden = true;
  page.hidden = false;
  document.title = `${one.name}: grades`;
  scrollTo(0, 0);
  heading.focus({ preventScroll: true });
};

const close = () => {
  if (page.hidden) return;
  const was = document.title.replace(/: grades$/, "");
  overview.hidden = sections.hidden = false;
  page.hidden = true;
  page.replaceChildren();
  document.title = "Grades";
  scrollTo(0, back);
  rows.find(one => one.name === was)?.row.querySelector("a").focus({ preventScroll: true });
};

const route = () => {
  const asked = location.hash.match(/^#submission=(.*)$/);
  const one = asked && rows.find(one => one.name === decodeURIComponent(asked[1]));
  if (one) open(one); else close();
};
addEventListener("hashchange", route);
addEventListener("beforeprint", () => page.querySelectorAll("details").forEach(one => { one.open = true; }));
route();
