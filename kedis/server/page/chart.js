// Line charts of the last minutes as SVG, with a legend beside the title that holds the values, and a cursor for
// pointer and keyboard. Time is the server's: a second without a sample is a gap.

const SVG = "http://www.w3.org/2000/svg";
const MINUTES = 5;
const GAP_MS = 3000;
const MARGIN = { left: 58, right: 8, top: 8, bottom: 18 };

export function element(name, attributes = {}, ...children) {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  made.append(...children);
  return made;
}

function shape(name, attributes, text) {
  const made = document.createElementNS(SVG, name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  if (text !== undefined) made.textContent = text;
  return made;
}

/** The samples of the page by column; `at_ms` is the time. */
export class Series {
  constructor() {
    this.columns = {};
  }

  begin(columns) {
    this.columns = columns;
  }

  add(sample) {
    const times = this.columns.at_ms;
    if (sample.at_ms === undefined || (times.length && sample.at_ms <= times[times.length - 1])) return;
    const oldest = sample.at_ms - MINUTES * 60000;
    for (const [name, values] of Object.entries(this.columns)) {
      values.push(sample[name] ?? null);
    }
    while (times.length && times[0] < oldest) {
      for (const values of Object.values(this.columns)) values.shift();
    }
  }
}

export class Chart {
  /**
   * @param title what is shown, for the screen reader
   * @param series of the page
   * @param curves [{column, label}], up to three
   * @param format of a value
   * @param options {most, limit, binary}: the least upper end of the axis; a function that gives a limit to draw, or
   *   0; whether the axis ends at a power of two
   */
  constructor(title, series, curves, format, options = {}) {
    Object.assign(this, { title, series, curves, format, options });
    this.cursor = null;
    this.svg = shape("svg", { class: "chart", role: "img", tabindex: "0" });
    this.legend = element("div", { class: "legend" });
    this.values = curves.map((curve, number) => this.#key(curve.label, `curve s${number + 1}`));
    if (options.limit) this.limit = this.#key("limit", "limit");
    this.when = element("span");
    this.legend.append(this.when);
    this.svg.addEventListener("pointermove", (event) => this.#point(event));
    this.svg.addEventListener("pointerleave", () => this.#move(null));
    this.svg.addEventListener("blur", () => this.#move(null));
    this.svg.addEventListener("keydown", (event) => this.#key_pressed(event));
    new ResizeObserver(() => this.draw()).observe(this.svg);
  }

  #key(label, kind) {
    const line = shape("svg", { viewBox: "0 0 22 8", "aria-hidden": "true" });
    line.append(shape("line", { x1: 0, x2: 22, y1: 4, y2: 4, class: kind }));
    const value = element("b");
    this.legend.append(element("span", {}, line, `${label} `, value));
    return value;
  }

  #point(event) {
    const box = this.svg.getBoundingClientRect();
    const share = (event.clientX - box.left - MARGIN.left) / (box.width - MARGIN.left - MARGIN.right);
    const wanted = this.#end() - MINUTES * 60000 * (1 - share);
    const times = this.series.columns.at_ms ?? [];
    let best = null;
    times.forEach((at, place) => {
      if (best === null || Math.abs(at - wanted) < Math.abs(times[best] - wanted)) best = place;
    });
    this.#move(best === null ? null : times[best]);
  }

  #key_pressed(event) {
    const times = this.series.columns.at_ms ?? [];
    const place = this.cursor === null ? times.length - 1 : times.indexOf(this.cursor);
    const steps = { ArrowLeft: place - 1, ArrowRight: place + 1, Home: 0, End: times.length - 1 };
    if (event.key === "Escape") {
      this.#move(null);
    } else if (event.key in steps && times.length) {
      event.preventDefault();
      this.#move(times[Math.min(Math.max(steps[event.key], 0), times.length - 1)]);
    }
  }

  #move(cursor) {
    if (cursor === this.cursor) return;
    this.cursor = cursor;
    this.draw();
    if (cursor !== null && document.activeElement === this.svg) {
      document.getElementById("spoken").textContent = this.#said();
    }
  }

  #end() {
    const times = this.series.columns.at_ms ?? [];
    return times[times.length - 1] ?? 0;
  }

  #said() {
    const values = this.curves.map((curve, number) => `${curve.label} ${this.values[number].textContent}`);
    return `${this.title}: ${values.join(", ")}${this.when.textContent}`;
  }

  draw() {
    const box = this.svg.getBoundingClientRect();
    const times = this.series.columns.at_ms;
    if (!times || box.width === 0) return;
    const area = { width: box.width - MARGIN.left - MARGIN.right, height: box.height - MARGIN.top - MARGIN.bottom };
    const limit = this.options.limit?.() ?? 0;
    const most = nice(Math.max(this.options.most ?? 0, limit, ...this.curves.map((curve) => highest(this.series.columns[curve.column]))), this.options.binary);
    const end = this.#end();
    const x = (at) => MARGIN.left + area.width * (1 - (end - at) / (MINUTES * 60000));
    const y = (value) => MARGIN.top + area.height * (1 - value / most);
    const parts = this.#axes(area, most, y, box);
    if (limit) parts.push(shape("line", { x1: MARGIN.left, x2: box.width - MARGIN.right, y1: y(limit), y2: y(limit), class: "limit" }));
    this.curves.forEach((curve, number) => {
      parts.push(shape("path", { d: path(times, this.series.columns[curve.column], x, y), class: `curve s${number + 1}` }));
    });
    const shown = this.cursor === null ? times.length - 1 : times.indexOf(this.cursor);
    if (this.cursor !== null && shown >= 0) {
      parts.push(shape("line", { x1: x(this.cursor), x2: x(this.cursor), y1: MARGIN.top, y2: MARGIN.top + area.height, class: "cursor" }));
    }
    this.curves.forEach((curve, number) => {
      this.values[number].textContent = this.format(this.series.columns[curve.column][shown] ?? null);
    });
    if (this.limit) {
      this.limit.textContent = this.format(limit);
      this.limit.parentElement.hidden = !limit;
    }
    this.when.textContent = this.cursor !== null && shown >= 0 ? ` at ${new Date(this.cursor).toLocaleTimeString("en-GB")}` : "";
    this.svg.setAttribute("aria-label", this.#said());
    this.svg.replaceChildren(...parts);
  }

  #axes(area, most, y, box) {
    const parts = [];
    for (const value of [0, most / 2, most]) {
      parts.push(shape("line", { x1: MARGIN.left, x2: box.width - MARGIN.right, y1: y(value), y2: y(value), class: "grid" }));
      parts.push(shape("text", { x: MARGIN.left - 6, y: y(value) + 4, "text-anchor": "end" }, this.format(value)));
    }
    const bottom = box.height - 4;
    parts.push(shape("text", { x: MARGIN.left, y: bottom }, `${MINUTES} min ago`));
    parts.push(shape("text", { x: box.width - MARGIN.right, y: bottom, "text-anchor": "end" }, "now"));
    return parts;
  }
}

function highest(values) {
  return values.reduce((most, value) => Math.max(most, value ?? 0), 0);
}

/** The least round number, 1, 2 or 5 times a power of ten (or a power of two for bytes), that is not below `value`. */
function nice(value, binary) {
  if (value <= 0) return 1;
  if (binary) return 2 ** Math.ceil(Math.log2(value));
  const power = 10 ** Math.floor(Math.log10(value) + 1e-9);
  return power * [1, 2, 5, 10].find((step) => step * power >= value * (1 - 1e-9));
}

function path(times, values, x, y) {
  let drawn = "";
  let before = null;
  times.forEach((at, place) => {
    const value = values[place];
    if (value === null) {
      before = null;
      return;
    }
    const joined = before !== null && at - before <= GAP_MS;
    drawn += `${joined ? "L" : "M"}${x(at).toFixed(1)} ${y(value).toFixed(1)}${joined ? "" : "h0.01"}`;
    before = at;
  });
  return drawn;
}
