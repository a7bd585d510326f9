"use strict";
const table = document.getElementById("grades");
const body = table.tBodies[0];
const heads = [...table.tHead.rows[0].cells];
const key = (row, column) => column === 0 ? row.cells[0].textContent : Number(row.cells[column].dataset.value);
heads.forEach((head, column) => head.querySelector("button").addEventListener("click", () => {
  const up = head.getAttribute("aria-sort") !== "ascending";
  heads.forEach(other => other.removeAttribute("aria-sort"));
  head.setAttribute("aria-sort", up ? "ascending" : "descending");
  const compare = column === 0 ? (a, b) => a.localeCompare(b) : (a, b) => a - b;
  const rows = [...body.rows].sort((a, b) => (up ? 1 : -1) * compare(key(a, column), key(b, column)));
  body.append(...rows);
}));
const filter = document.getElementById("filter");
const count = document.getElementById("count");
const apply = () => {
  const words = filter.value.toLowerCase().split(/\s+/).filter(Boolean);
  let shown = 0;
  for (const row of body.rows) {
    const text = row.dataset.search.toLowerCase();
    row.hidden = !words.every(word => text.includes(word));
    shown += row.hidden ? 0 : 1;
  }
  count.textContent = words.length ? `${shown} of ${body.rows.length}` : "";
};
filter.addEventListener("input", apply);
