// bullmq: jobs with priorities, delays, retries, a flow of parent and children, a schedule and a limit of rate.
// Usage: node bullmq.mjs PORT; prints "done" when every job has come to its end as it should.

import assert from "node:assert/strict";
import { createRequire } from "node:module";

const { FlowProducer, Queue, QueueEvents, Worker } = createRequire(`${process.cwd()}/`)("bullmq");
const connection = { host: "127.0.0.1", port: Number(process.argv[2]), maxRetriesPerRequest: null };
const queue = new Queue("work", { connection });
const events = new QueueEvents("work", { connection });
queue.setMaxListeners(0); // each job that is waited for adds one
const attempts = new Map();
const order = [];

async function work(job) {
  order.push(job.name);
  await job.updateProgress(50);
  if (job.name === "fragile") {
    const count = (attempts.get(job.id) ?? 0) + 1;
    attempts.set(job.id, count);
    if (count < 3) throw new Error("not yet");
    return count;
  }
  if (job.name === "hopeless") throw new Error("never");
  if (job.name === "parent") return Object.values(await job.getChildrenValues()).reduce((sum, value) => sum + value, 0);
  return job.data.number * 2;
}

await queue.waitUntilReady();
await events.waitUntilReady();

// What has a higher priority is done first.
for (const priority of [3, 1, 2]) await queue.add(`priority ${priority}`, { number: priority }, { priority });
const only = await Promise.all([1, 2].map(() => queue.add("once", { number: 5 }, { jobId: "only-once" })));
assert.equal(only[0].id, only[1].id);
assert.equal((await queue.getJobCounts("waiting", "prioritized")).prioritized, 3);
const worker = new Worker("work", work, { connection, concurrency: 1, limiter: { max: 1000, duration: 1000 } });
assert.equal(await only[0].waitUntilFinished(events), 10);
for (const job of await queue.getJobs(["prioritized"])) await job.waitUntilFinished(events);

const jobs = await queue.addBulk([...Array(100).keys()].map((number) => ({ name: "double", data: { number } })));
assert.deepEqual(
  await Promise.all(jobs.map((job) => job.waitUntilFinished(events))),
  jobs.map((_, number) => number * 2),
);
assert.deepEqual(
  order.filter((name) => name.startsWith("priority")),
  ["priority 1", "priority 2", "priority 3"],
);

const delayed = await queue.add("late", { number: 21 }, { delay: 200 });
assert.equal(await delayed.getState(), "delayed");
assert.equal(await delayed.waitUntilFinished(events), 42);

const fragile = await queue.add("fragile", {}, { attempts: 5, backoff: { type: "fixed", delay: 10 } });
assert.equal(await fragile.waitUntilFinished(events), 3);
const hopeless = await queue.add("hopeless", {}, { attempts: 2 });
await assert.rejects(hopeless.waitUntilFinished(events), /never/);
assert.equal(await hopeless.getState(), "failed");
assert.equal((await queue.getFailed()).length, 1);
await hopeless.remove();

const flow = new FlowProducer({ connection });
const children = [1, 2, 3].map((number) => ({ name: "child", queueName: "work", data: { number } }));
const { job: parent } = await flow.add({ name: "parent", queueName: "work", data: {}, children });
assert.equal(await parent.waitUntilFinished(events), 12);

const repeated = new Promise((resolve) => {
  let count = 0;
  worker.on("completed", (job) => job.name === "tick" && ++count === 3 && resolve());
});
await queue.upsertJobScheduler("every", { every: 100 }, { name: "tick", data: { number: 1 } });
await repeated;
assert.equal((await queue.getJobSchedulers()).length, 1);
await queue.removeJobScheduler("every");

await queue.pause();
const paused = await queue.add("after the pause", { number: 1 });
assert.equal(await queue.isPaused(), true);
await queue.resume();
assert.equal(await paused.waitUntilFinished(events), 2);

await worker.close();
assert.ok((await queue.clean(0, 1000, "completed")).length > 100);
await queue.obliterate({ force: true });
assert.deepEqual(await queue.getJobCounts("completed", "failed", "delayed", "waiting"), {
  completed: 0, failed: 0, delayed: 0, waiting: 0,
});
await Promise.all([flow.close(), events.close(), queue.close()]);
console.log("done");
