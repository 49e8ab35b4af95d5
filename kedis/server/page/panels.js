// The panels above the tables: a title that says what is shown, a legend with the values, a chart, facts.

import { Chart, element } from "./chart.js";
import * as as from "./format.js";

/** A list of names and values; `bad` marks those that ask for attention. */
class Facts {
  constructor() {
    this.node = element("dl", { class: "facts" });
    this.names = "";
  }

  update(facts) {
    const names = facts.map(([name]) => name).join("\n");
    if (names !== this.names) {
      this.names = names;
      this.node.replaceChildren(...facts.flatMap(([name]) => [element("dt", {}, name), element("dd")]));
    }
    facts.forEach(([, value, bad], place) => {
      const node = this.node.children[2 * place + 1];
      if (node.textContent !== value) node.textContent = value;
      node.classList.toggle("bad", Boolean(bad));
    });
  }
}

const MEMORY_KINDS = {
  data: "keys and values",
  client_input: "clients' input",
  client_output: "clients' output",
  aof_buffer: "changes not written yet",
  startup: "the program",
  unused: "not in use, fragmentation",
};

/** Memory by kind as one bar; its legend has the numbers. */
class MemoryBar {
  constructor() {
    this.bar = element("div", { class: "stack", "aria-hidden": "true" });
    this.legend = element("div", { class: "legend" });
    this.values = {};
    this.pieces = {};
    Object.entries(MEMORY_KINDS).forEach(([kind, label], number) => {
      this.pieces[kind] = element("div", { class: `k${number + 1}` });
      this.bar.append(this.pieces[kind]);
      this.values[kind] = element("b");
      const key = element("span", { class: `stack-key k${number + 1}`, "aria-hidden": "true" });
      this.legend.append(element("span", {}, key, `${label} `, this.values[kind]));
    });
    this.node = element("div", {}, this.bar, this.legend);
  }

  update(kinds) {
    const whole = Math.max(Object.values(kinds).reduce((sum, size) => sum + size, 0), 1);
    for (const kind of Object.keys(MEMORY_KINDS)) {
      this.pieces[kind].style.width = `${(100 * kinds[kind]) / whole}%`;
      this.values[kind].textContent = as.bytes(kinds[kind]);
    }
  }
}

class Panel {
  constructor(title, ...parts) {
    this.node = element("section", { class: "panel", "aria-label": title }, element("h2", {}, title), ...parts);
  }
}

const QUANTILES = "p50 · p99 · max";

/** All panels; `update(figures)` shows a second. */
export class Panels {
  constructor(parent, series) {
    this.parent = parent;
    this.charts = [];
    this.updates = [];
    this.latest = null;
    this.#traffic(series);
    this.#memory(series);
    this.#keys(series);
    this.#clients(series);
    this.#loop(series);
    this.#disk(series);
    this.#replication();
  }

  update(figures) {
    this.latest = figures;
    for (const change of this.updates) change(figures);
    for (const chart of this.charts) chart.draw();
  }

  #add(title, chart, ...parts) {
    const shown = chart ? [chart.legend, chart.svg] : [];
    if (chart) this.charts.push(chart);
    const panel = new Panel(title, ...shown, ...parts.map((part) => part.node));
    this.parent.append(panel.node);
    return panel;
  }

  #traffic(series) {
    const operations = "Operations per second";
    const facts = new Facts();
    this.#add(operations, new Chart(operations, series, [{ column: "operations", label: "commands" }], as.short, { most: 10 }), facts);
    this.updates.push(({ server }) => facts.update([
      ["commands since the start", as.count(server.commands)],
      ["replies with an error", as.count(server.errors)],
      ["internal errors", as.count(server.faults), server.faults > 0],
    ]));
    const latency = "Request latency, from readable to replied";
    const waits = new Facts();
    this.#add(latency, new Chart(latency, series, [{ column: "request_p50", label: "p50 ≤" }, { column: "request_p99", label: "p99 ≤" }], as.duration, { most: 1e-3 }), waits);
    this.updates.push(({ loop }) => waits.update([
      [`last 10 s: ${QUANTILES}`, as.durations(loop.request)],
      ["of it queueing", as.durations(loop.wait)],
    ]));
  }

  #memory(series) {
    const title = "Memory, by kind and against maxmemory";
    const bar = new MemoryBar();
    const facts = new Facts();
    const chart = new Chart(title, series, [{ column: "used_memory", label: "counted against the limit" }, { column: "resident_memory", label: "resident" }],
      as.bytes, { binary: true, most: 1 << 20, limit: () => this.latest?.memory.limit ?? 0 });
    this.#add(title, chart, bar, facts);
    this.updates.push(({ memory }) => {
      bar.update(memory.kinds);
      facts.update([
        ["limit (maxmemory)", memory.limit ? as.bytes(memory.limit) : "none"],
        ["of it used", memory.limit ? as.percent(memory.used / memory.limit) : "–", memory.limit && memory.used > memory.limit],
        ["most ever used", as.bytes(memory.peak)],
        ["policy", memory.policy],
      ]);
    });
  }

  #keys(series) {
    const hits = "Hit ratio of look-ups";
    const found = new Facts();
    this.#add(hits, new Chart(hits, series, [{ column: "hit_ratio", label: "hits" }], as.percent, { most: 1 }), found);
    this.updates.push(({ keys }) => found.update([
      ["hits since the start", as.count(keys.hits)],
      ["misses since the start", as.count(keys.misses)],
      ["ratio since the start", as.percent(keys.hits + keys.misses ? keys.hits / (keys.hits + keys.misses) : null)],
    ]));
    const gone = "Keys expired and evicted per second";
    const facts = new Facts();
    this.#add(gone, new Chart(gone, series, [{ column: "expired", label: "expired" }, { column: "evicted", label: "evicted" }], as.short, { most: 10 }), facts);
    this.updates.push(({ keys }) => facts.update([
      ...keys.databases.map((database) => [
        `db${database.number}: keys · expiring · TTL`,
        `${as.count(database.keys)} · ${as.count(database.expiring)} · ${database.expiring ? as.duration(database.average_ttl) : "–"}`,
      ]),
      ["expired since the start", as.count(keys.expired)],
      ["expired, not removed yet", as.percent(keys.stale)],
      ["evicted since the start", as.count(keys.evicted)],
      ...Object.entries(keys.evicted_by).map(([policy, number]) => [`by ${policy}`, as.count(number)]),
    ]));
  }

  #clients(series) {
    const title = "Connected clients";
    const facts = new Facts();
    this.#add(title, new Chart(title, series, [{ column: "clients", label: "clients" }], as.short, { most: 10 }), facts);
    this.updates.push(({ clients }) => facts.update([
      ["limit (maxclients)", as.count(clients.limit)],
      ...Object.entries(clients.states).filter(([, number]) => number).map(([state, number]) => [state, as.count(number)]),
      ["input · output buffers", `${as.bytes(clients.input)} · ${as.bytes(clients.output)}`],
      ["connections since the start", as.count(clients.accepted)],
      ["refused", as.count(clients.rejected), clients.rejected > 0],
      ["closed by a limit", as.count(clients.closed_by_limits), clients.closed_by_limits > 0],
    ]));
    const network = "Network traffic per second";
    this.#add(network, new Chart(network, series, [{ column: "received", label: "received" }, { column: "sent", label: "sent" }], as.bytes, { binary: true, most: 1024 }));
  }

  #loop(series) {
    const title = "Event-loop lag, the longest of each second";
    const facts = new Facts();
    this.#add(title, new Chart(title, series, [{ column: "lag", label: "lag ≤" }], as.duration, { most: 1e-3 }), facts);
    this.updates.push(({ loop }) => facts.update([
      [`last 10 s: ${QUANTILES}`, as.durations(loop.lag)],
      ["turns of the loop", as.durations(loop.turn)],
    ]));
  }

  #disk(series) {
    const title = "Append-only file: fsync and group commit";
    const facts = new Facts();
    this.#add(title, new Chart(title, series, [{ column: "fsync_p99", label: "fsync p99 ≤" }], as.duration, { most: 1e-3 }), facts);
    this.updates.push(({ disk }) => facts.update([...this.#file(disk), ...this.#snapshot(disk)]));
  }

  #file(disk) {
    if (!disk.appendonly) return [["append-only file", "off"]];
    return [
      ["appendfsync", disk.policy],
      [`last 10 s: ${QUANTILES}`, as.durations(disk.fsync)],
      ["fsyncs in 10 s", as.count(disk.fsyncs)],
      ["group commit: changes a fsync", as.short(disk.group_commit)],
      ["fsyncs of over 2 s", as.count(disk.delayed), disk.delayed > 0],
      ["size of the files", as.bytes(disk.size)],
      ["not written yet", as.bytes(disk.buffered)],
      ["last write", disk.write_status, disk.write_status !== "ok"],
      ["rewrite", disk.rewriting === null ? `last: ${disk.rewrite_status}` : `under way for ${as.span(disk.rewriting)}`, disk.rewrite_status !== "ok"],
    ];
  }

  #snapshot(disk) {
    const failed = disk.save_status !== "ok";
    const last = disk.saved_at === null ? (failed ? "" : "none since the start") : as.moment(disk.saved_at);
    return [
      ["last snapshot", [last, failed || disk.saved_at !== null ? disk.save_status : ""].filter(Boolean).join(", "), failed],
      ["changes since", `${as.count(disk.unsaved)}${disk.saving ? ", saving now" : ""}`],
    ];
  }

  #replication() {
    const facts = new Facts();
    const panel = this.#add("Replication", null, facts);
    panel.node.hidden = true;
    this.updates.push(({ replication }) => {
      panel.node.hidden = replication === null;
      if (replication) facts.update(replication.map(([name, value]) => [name, value, name === "master_link_status" && value !== "up"]));
    });
  }
}
