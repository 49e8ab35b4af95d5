// The page: the stream of events, what is on top, and the tables.

import { element, Series } from "./chart.js";
import * as as from "./format.js";
import { Panels } from "./panels.js";
import { Table } from "./table.js";

const SILENT_MS = 5000;
const AGAIN_MS = 5000;
const LOCKED = {
  stranger: "Shown to this machine alone: the server has no password (protected-mode).",
};

const find = (name) => document.getElementById(name);
const series = new Series();
const panels = new Panels(find("panels"), series);
let shownWindow = "recent";
let paused = false;
let heard = 0;

document.body.append(element("p", { id: "spoken", class: "skip", role: "status" }));

// -- the tiles ---------------------------------------------------------------------------------------------

const TILES = [
  ["Operations/s", ({ sample }) => [as.short(sample.operations), `${as.bytes(sample.received)}/s in, ${as.bytes(sample.sent)}/s out`]],
  ["Request p99", ({ loop }) => [as.duration(loop.request[1]), "of the last 10 seconds, at most"]],
  ["Memory", ({ memory }) => [as.bytes(memory.used), memory.limit ? `${as.percent(memory.used / memory.limit)} of ${as.bytes(memory.limit)}` : "no limit", memory.limit && memory.used > memory.limit]],
  ["Hit ratio", ({ sample, keys }) => [as.percent(sample.hit_ratio), `${as.count(keys.hits + keys.misses)} look-ups since the start`]],
  ["Keys", ({ keys }) => [as.count(sum(keys.databases, "keys")), `${as.count(sum(keys.databases, "expiring"))} with a time to live`]],
  ["Clients", ({ clients }) => [as.count(clients.connected), `of ${as.count(clients.limit)}; ${as.count(clients.states.blocked)} blocked`]],
  ["Loop lag", ({ sample }) => [as.duration(sample.lag), "the longest of the last second", sample.lag > 0.1]],
  ["fsync p99", ({ disk }) => (disk.appendonly ? [as.duration(disk.fsync[1]), `appendfsync ${disk.policy}`, disk.write_status !== "ok"] : ["off", "no append-only file"])],
];

function sum(rows, name) {
  return rows.reduce((total, row) => total + row[name], 0);
}

const tiles = TILES.map(([name]) => {
  const [value, note] = [element("dd"), element("dd")];
  find("tiles").append(element("dl", { class: "tile" }, element("dt", {}, name), value, note));
  return { value, note };
});

function showTiles(figures) {
  TILES.forEach(([, read], place) => {
    const [value, note, bad] = read(figures);
    tiles[place].value.textContent = value;
    tiles[place].note.textContent = note;
    tiles[place].value.classList.toggle("bad", Boolean(bad));
  });
}

// -- the tables --------------------------------------------------------------------------------------------

const quantile = (number) => (row) => row[shownWindow][number];
const commands = new Table("Each command that was called. Calls and failures are since the start.", [
  { name: "command", cell: (row) => row.name.replace("|", " "), value: (row) => row.name },
  { name: "per second", cell: (row) => as.short(row.per_second), value: (row) => row.per_second },
  { name: "p50", cell: (row) => as.duration(quantile(0)(row)), value: quantile(0) },
  { name: "p99", cell: (row) => as.duration(quantile(1)(row)), value: quantile(1) },
  { name: "p99.9", cell: (row) => as.duration(quantile(2)(row)), value: quantile(2) },
  { name: "of a core", cell: (row) => as.percent(row.share), value: (row) => row.share, hides: true },
  { name: "calls", cell: (row) => as.count(row.calls), value: (row) => row.calls },
  { name: "failed", cell: (row) => as.count(row.failed), value: (row) => row.failed, hides: true },
], (row) => row.name);
find("command-table").append(commands.node);
commands.sort(1);

const slowlog = new Table("The newest calls that took longer than slowlog-log-slower-than.", [
  { name: "time", cell: (row) => as.moment(row.at), kind: "text" },
  { name: "duration", cell: (row) => as.duration(row.duration) },
  { name: "command", cell: (row) => row.command, kind: "text command" },
  { name: "client", cell: (row) => (row.name ? `${row.client} ${row.name}` : row.client), kind: "text", hides: true },
], (row) => row.id);

const events = new Table("Classes of events that reached latency-monitor-threshold.", [
  { name: "event", cell: (row) => row.event, kind: "text" },
  { name: "last time", cell: (row) => as.moment(row.at), kind: "text" },
  { name: "last duration", cell: (row) => as.duration(row.latest) },
  { name: "longest", cell: (row) => as.duration(row.highest) },
], (row) => row.event);

/** A table, or one line where it has no rows. */
function showTable(place, table, rows, none) {
  table.update(rows);
  const shown = rows.length ? table.node : element("p", { class: "alone" }, none);
  if (rows.length ? place.firstChild !== table.node : place.textContent !== none) place.replaceChildren(shown);
}

for (const choice of document.querySelectorAll("input[name=window]")) {
  choice.addEventListener("change", () => {
    shownWindow = choice.value;
    commands.update(commands.latest);
  });
}

// -- the stream --------------------------------------------------------------------------------------------

function showServer(server) {
  const title = `Kedis on port ${server.port}`;
  if (document.title !== title) document.title = find("title").textContent = title;
  find("subtitle").textContent = `${server.version}, ${server.path}, ${server.role}, up ${as.span(server.uptime)}`;
  find("notice").hidden = !server.not_ready;
  const text = `Not ready: ${server.not_ready}`;
  if (server.not_ready && find("notice").textContent !== text) find("notice").textContent = text;
}

function say(text, kind) {
  const state = find("state");
  if (state.textContent !== text) state.textContent = text;
  state.className = `state ${kind}`;
}

function showHistory({ columns, locked }) {
  series.begin(columns);
  for (const name of ["slowlog", "events"]) {
    if (locked === "password") {
      find(name).replaceChildren(element("p", { class: "alone" }, "Keys and arguments of clients: ",
        element("a", { href: "/login" }, "show them with the server's password"), "."));
    } else if (locked) {
      find(name).replaceChildren(element("p", { class: "alone" }, LOCKED[locked]));
    }
  }
}

function showFigures(figures) {
  series.add(figures.sample);
  if (paused) return;
  showServer(figures.server);
  showTiles(figures);
  panels.update(figures);
  commands.update(figures.commands);
}

function showPrivate(figures) {
  if (paused) return;
  showTable(find("slowlog"), slowlog, figures.slowlog, "No call has been slow.");
  const none = figures.threshold ? `No event has reached ${as.duration(figures.threshold)}.` : "Not watched: latency-monitor-threshold is 0.";
  showTable(find("events"), events, figures.events, none);
}

function listen() {
  const stream = new EventSource("/events");
  const on = (name, show) => stream.addEventListener(name, (event) => {
    heard = Date.now();
    say(paused ? "paused" : "live", paused ? "" : "live");
    show(JSON.parse(event.data));
  });
  on("history", showHistory);
  on("figures", showFigures);
  on("private", showPrivate);
  stream.addEventListener("error", () => {
    say("connection lost, trying again", "lost");
    if (stream.readyState === EventSource.CLOSED) setTimeout(listen, AGAIN_MS); // too many pages are open
  });
}

find("pause").addEventListener("click", () => {
  paused = !paused;
  find("pause").setAttribute("aria-pressed", String(paused));
  say(paused ? "paused" : "live", paused ? "" : "live");
});

setInterval(() => {
  if (heard && Date.now() - heard > SILENT_MS) say(`no answer for ${as.span((Date.now() - heard) / 1000)}`, "lost");
}, 1000);

listen();
