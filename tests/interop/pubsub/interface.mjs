/** The interface: Salesforce's definition, which the client ships, beside the one that the sandbox is built from. */

import { createRequire } from "node:module";
import { readFileSync, readdirSync } from "node:fs";
import { dirname, join } from "node:path";
import { check, equal, holds } from "../checks/checking.mjs";
import { resolve } from "../checks/packages.mjs";

const CLIENT = dirname(resolve("salesforce-pubsub-api-client"));
const OURS = new URL("../../../sandbox/pubsub/pubsub_api.proto", import.meta.url);

/** The parser that the client itself uses. */
const protobuf = createRequire(resolve("@grpc/proto-loader"))("protobufjs");

/** Everything that a definition promises on the wire, as plain data; comments and options are left out. */
function promises(text) {
  const { root } = protobuf.parse(text, { keepCase: true });
  const found = {};
  collect(root.resolveAll(), found);
  return found;
}

function collect(namespace, found) {
  for (const item of namespace.nestedArray) {
    const name = item.fullName.slice(1);
    if (item instanceof protobuf.Service) found[`service ${name}`] = Object.fromEntries(item.methodsArray.map(method));
    else if (item instanceof protobuf.Enum) found[`enum ${name}`] = { ...item.values };
    else if (item instanceof protobuf.Type) found[`message ${name}`] = Object.fromEntries(item.fieldsArray.map(field));
    if (item.nestedArray) collect(item, found);
  }
}

const method = (item) => [item.name, {
  takes: item.resolvedRequestType.fullName, gives: item.resolvedResponseType.fullName,
  takesStream: item.requestStream === true, givesStream: item.responseStream === true,
}];

const field = (item) => [item.id, {
  name: item.name, type: item.resolvedType?.fullName ?? item.type, repeated: item.repeated, optional: item.options?.proto3_optional === true,
  oneof: item.partOf?.name ?? null,
}];

check("interface: services, messages and enums are those of Salesforce's definition", async () => {
  const [file] = readdirSync(CLIENT).filter((name) => name.endsWith(".proto"));
  const theirs = promises(readFileSync(join(CLIENT, file), "utf8"));
  holds(Object.keys(theirs).length > 15, Object.keys(theirs));
  equal(promises(readFileSync(OURS, "utf8")), theirs);
});
