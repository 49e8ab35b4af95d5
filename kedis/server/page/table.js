// Tables that are updated in place: a row is kept as long as its key is there, so that focus, selection and the
// position of a screen reader stay. Text of clients only ever becomes text.

import { element } from "./chart.js";

export class Table {
  /**
   * @param caption what the rows are
   * @param columns [{name, cell(row), value(row), kind, hides}]: a cell's text, what it is sorted by (where it can
   *   be), its class, and whether a narrow screen leaves it out; the first is the head of the row
   * @param key of a row
   */
  constructor(caption, columns, key) {
    Object.assign(this, { columns, key, rows: new Map(), latest: [], sorted: null });
    this.heads = columns.map((column, number) => this.#head(column, number));
    this.body = element("tbody");
    this.node = element("table", {}, element("caption", {}, caption),
      element("thead", {}, element("tr", {}, ...this.heads)), this.body);
  }

  #head(column, number) {
    const head = element("th", { scope: "col", class: kind(column) });
    if (!column.value) {
      head.textContent = column.name;
      return head;
    }
    const button = element("button", { type: "button" }, column.name);
    button.addEventListener("click", () => this.sort(number));
    head.append(button);
    return head;
  }

  /** Sort by a column, the other way round where it is sorted by that already. */
  sort(number, descending = number > 0) {
    if (this.sorted?.number === number) descending = !this.sorted.descending;
    this.sorted = { number, descending };
    this.heads.forEach((head, other) => {
      if (other === number) head.setAttribute("aria-sort", descending ? "descending" : "ascending");
      else head.removeAttribute("aria-sort");
    });
    this.update(this.latest);
  }

  update(rows) {
    this.latest = rows;
    const ordered = this.#ordered(rows);
    const kept = new Map();
    ordered.forEach((row, place) => {
      const key = this.key(row);
      const line = this.rows.get(key) ?? this.#line();
      kept.set(key, line);
      this.columns.forEach((column, number) => {
        const text = column.cell(row);
        if (line.cells[number].textContent !== text) line.cells[number].textContent = text;
      });
      if (this.body.children[place] !== line) this.body.insertBefore(line, this.body.children[place] ?? null);
    });
    for (const [key, line] of this.rows) if (kept.get(key) !== line) line.remove();
    this.rows = kept;
  }

  #line() {
    const cells = this.columns.map((column, number) =>
      number ? element("td", { class: kind(column) }) : element("th", { scope: "row", class: kind(column) }));
    return element("tr", {}, ...cells);
  }

  #ordered(rows) {
    if (!this.sorted) return rows;
    const { number, descending } = this.sorted;
    const value = this.columns[number].value;
    const sign = descending ? -1 : 1;
    return [...rows].sort((one, other) => {
      const [a, b] = [value(one), value(other)];
      if (a === b || (a === null && b === null)) return this.key(one) < this.key(other) ? -1 : 1;
      if (a === null) return 1;
      if (b === null) return -1;
      return a < b ? -sign : sign;
    });
  }
}

function kind(column) {
  return [column.kind ?? "", column.hides ? "hides" : ""].join(" ").trim();
}
