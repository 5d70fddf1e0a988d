/** Checks of the Pub/Sub API client for Node against the sandbox. */

import { runAll } from "../checks/checking.mjs";

await import("./interface.mjs");
await runAll("pubsub");
