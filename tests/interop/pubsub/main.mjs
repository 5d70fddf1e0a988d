/** Checks of the Pub/Sub API client for Node against the sandbox. */

import { runAll } from "../checks/checking.mjs";
import { seedRobots } from "../checks/control.mjs";

await seedRobots();
await import("./interface.mjs");
await import("./access.mjs");
await import("./changes.mjs");
await import("./flow.mjs");
await import("./platform.mjs");
await import("./refusals.mjs");
await import("./managed.mjs");
await runAll("pubsub");
