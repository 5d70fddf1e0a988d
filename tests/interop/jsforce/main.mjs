/** Checks of jsforce against the sandbox. */

import { runAll } from "../checks/checking.mjs";
import { seedRobots } from "../checks/control.mjs";

await seedRobots();
await import("./login.mjs");
await import("./sessions.mjs");
await import("./records.mjs");
await import("./upserts.mjs");
await import("./many_records.mjs");
await import("./queries.mjs");
await import("./describes.mjs");
await import("./composite.mjs");
await import("./errors.mjs");
await import("./replication.mjs");
await import("./limits.mjs");
await import("./soap.mjs");
await import("./search.mjs");
await import("./bulk.mjs");
await import("./classic_bulk.mjs");
await runAll("jsforce");
