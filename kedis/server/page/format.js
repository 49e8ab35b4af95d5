// Numbers as people read them. What is missing (null) is a dash.

const NONE = "–";

export function count(value) {
  return value === null || value === undefined ? NONE : Math.round(value).toLocaleString("en");
}

/** A rate or a number of things, short: 12,345 · 1.25M. */
export function short(value) {
  if (value === null || value === undefined) return NONE;
  if (value >= 1e9) return `${digits(value / 1e9)}G`;
  if (value >= 1e6) return `${digits(value / 1e6)}M`;
  if (value >= 1e5) return `${digits(value / 1e3)}k`;
  return value >= 10 || Number.isInteger(value) ? count(value) : value.toFixed(1);
}

export function bytes(value) {
  if (value === null || value === undefined) return NONE;
  for (const [size, unit] of [[2 ** 40, "TiB"], [2 ** 30, "GiB"], [2 ** 20, "MiB"], [2 ** 10, "KiB"]]) {
    if (value >= size) return `${digits(value / size)} ${unit}`;
  }
  return `${Math.round(value)} B`;
}

/** Seconds as a duration with three digits: 1.35 ms. */
export function duration(seconds) {
  if (seconds === null || seconds === undefined) return NONE;
  if (seconds === 0) return "0";
  if (seconds < 1e-3) return `${digits(seconds * 1e6)} µs`;
  if (seconds < 1) return `${digits(seconds * 1e3)} ms`;
  if (seconds < 120) return `${digits(seconds)} s`;
  return span(seconds);
}

/** Several durations with the unit of the longest: 0.51 · 1.05 · 16.8 ms. */
export function durations(values) {
  const longest = Math.max(...values.map((value) => value ?? 0));
  const [scale, unit] = longest < 1e-3 ? [1e6, "µs"] : longest < 1 ? [1e3, "ms"] : [1, "s"];
  return longest === 0 ? NONE : `${values.map((value) => digits(value * scale)).join(" · ")} ${unit}`;
}

/** A long time, such as 3 d 4 h. */
export function span(seconds) {
  const parts = [[Math.floor(seconds / 86400), "d"], [Math.floor(seconds / 3600) % 24, "h"],
    [Math.floor(seconds / 60) % 60, "min"], [Math.floor(seconds) % 60, "s"]];
  const first = parts.findIndex(([number]) => number > 0);
  if (first < 0) return "0 s";
  return parts.slice(first, first + 2).filter(([number]) => number > 0).map(([number, unit]) => `${number} ${unit}`).join(" ");
}

export function percent(ratio) {
  return ratio === null || ratio === undefined ? NONE : `${digits(ratio * 100)} %`;
}

export function time(milliseconds) {
  return new Date(milliseconds).toLocaleTimeString("en-GB");
}

/** The time of day, with the date where that is another day. */
export function moment(seconds) {
  const today = new Date(seconds * 1000).toDateString() === new Date().toDateString();
  return today ? time(seconds * 1000) : date(seconds);
}

export function date(seconds) {
  return new Date(seconds * 1000).toLocaleString("en-GB");
}

function digits(value) {
  if (value >= 100 || value === 0) return value.toFixed(0);
  return value.toFixed(value >= 10 ? 1 : 2);
}
