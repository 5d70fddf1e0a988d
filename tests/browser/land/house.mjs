/** A directory with a sandbox beside it, and the program to run in it. Each group has its own; all ports are free ones. */

import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";

const ANY = "127.0.0.1:0";
/** What a command may take; one that takes longer hangs. */
const COMMAND_MILLIS_MAX = 90_000;
const VERSION = "v68.0";

/** Houses that still stand. */
const standing = new Set();

export class House {
  /** A house whose sandbox holds a scenario, and which is connected to it. */
  static async seeded(scenario) {
    const house = new House();
    const listen = ["--sandbox-listen", ANY, "--sandbox-tls-listen", ANY, "--sandbox-pubsub-listen", ANY];
    await house.cpq("seed", "--scenario", scenario, ...listen);
    await house.cpq("auth", "connect-crm");
    return house;
  }

  constructor() {
    this.path = mkdtempSync(join(tmpdir(), "cpq-browser."));
    this.commands = new Set();
    standing.add(this);
  }

  /** Nothing of whoever runs the tests. */
  #options() {
    return { cwd: this.path, env: { PATH: process.env.PATH, HOME: this.path }, stdio: ["ignore", "pipe", "pipe"] };
  }

  /** Runs a command to its end, whatever that is. */
  said(...args) {
    assert.ok(!this.left, "the house was left");
    const command = this.#run(args).finally(() => this.commands.delete(command));
    this.commands.add(command);
    return command;
  }

  async #run(args) {
    const child = spawn(process.env.CPQ, args, { ...this.#options(), timeout: COMMAND_MILLIS_MAX });
    let out = "", err = "";
    child.stdout.setEncoding("utf8").on("data", (text) => (out += text));
    child.stderr.setEncoding("utf8").on("data", (text) => (err += text));
    const code = await new Promise((done, failed) => child.on("error", failed).on("close", done));
    return { code, out, err };
  }

  /** What a command printed; it must end well. */
  async cpq(...args) {
    const said = await this.said(...args);
    assert.equal(said.code, 0, `cpq ${args.join(" ")}: ${said.err}${said.out}`);
    return said.out.trim();
  }

  /** The same as JSON. */
  async json(...args) {
    return JSON.parse(await this.cpq("--json", ...args));
  }

  /** A file of this house; returns its path. */
  file(name, text) {
    const path = join(this.path, name);
    writeFileSync(path, text);
    return path;
  }

  /** A token with these scopes, or with all. */
  async token(client, ...scopes) {
    if (scopes.length === 0) scopes = (await this.cpq("token", "scopes")).split("\n");
    return this.cpq("token", "create", "--client", client, ...scopes.flatMap((scope) => ["--scope", scope]));
  }

  /** Starts the service on a free port, and takes a token. */
  async serve() {
    assert.ok(!this.left, "the house was left");
    const child = spawn(process.env.CPQ, ["serve", "--listen", ANY, "--changes", "off"], this.#options());
    this.service = child;
    this.log = "";
    child.stderr.setEncoding("utf8").on("data", (text) => (this.log += text));
    const line = await new Promise((done) => {
      createInterface(child.stdout).once("line", done).once("close", () => done(""));
    });
    assert.match(line, /^cpq=http/, `the service does not start: ${this.log}`);
    this.url = line.slice("cpq=".length);
    this.key = await this.token("erin");
    return this;
  }

  /** What the API answers to a question. */
  async api(path) {
    const answer = await fetch(`${this.url}/api/v1/${path}`, { headers: { authorization: `Bearer ${this.key}` } });
    assert.equal(answer.status, 200, `${path}: ${answer.status}`);
    return answer.json();
  }

  /** Where the records of the CRM are. */
  crmUrl() {
    return this.#sandbox();
  }

  #sandbox() {
    return JSON.parse(readFileSync(join(this.path, ".cpq", "sandbox.json"), "utf8")).url;
  }

  /** A call to the control plane of the sandbox. */
  async control(path, body) {
    const init = body && { method: "POST", headers: { "content-type": "application/json" }, body: JSON.stringify(body) };
    const answer = await fetch(`${this.#sandbox()}/sandbox/${path}`, init);
    const text = await answer.text();
    assert.ok(answer.ok, `${path}: ${answer.status} ${text}`);
    return text ? JSON.parse(text) : undefined;
  }

  /** A call to the data API of the sandbox, past the product, as somebody else in the org. */
  async crm(method, path, body) {
    this.somebody ??= await this.#somebody();
    const headers = { authorization: `Bearer ${this.somebody}`, "content-type": "application/json" };
    const url = `${this.#sandbox()}/services/data/${VERSION}/${path}`;
    const answer = await fetch(url, { method, headers, body: body && JSON.stringify(body) });
    const text = await answer.text();
    assert.ok(answer.ok, `${method} ${path}: ${answer.status} ${text}`);
    return text ? JSON.parse(text) : undefined;
  }

  async #somebody() {
    const info = await this.control("info");
    const form = new URLSearchParams({
      grant_type: "password", client_id: info.clientId, client_secret: info.clientSecret,
      username: info.username, password: info.password,
    });
    const answer = await fetch(`${this.#sandbox()}/services/oauth2/token`, { method: "POST", body: form });
    return (await answer.json()).access_token;
  }

  /** Rows of a query in the sandbox. */
  async soql(query) {
    return (await this.crm("GET", `query?q=${encodeURIComponent(query)}`)).records;
  }

  /** An opportunity as the CRM has it, with what we write to it. */
  async opportunity(number) {
    const fields = "Id, Name, StageName, NextStep, LastModifiedDate, CPQ_Quote_Number__c, CPQ_Net_Total__c, CPQ_Valid_Until__c";
    const rows = await this.soql(`SELECT ${fields} FROM Opportunity WHERE Opportunity_Number__c = '${number}'`);
    return rows[0];
  }

  /** Changes an opportunity in the CRM. */
  async edit(number, change) {
    const { Id } = await this.opportunity(number);
    await this.crm("PATCH", `sobjects/Opportunity/${Id}`, change);
  }

  /** Ends what runs here, and leaves nothing behind. */
  leave() {
    return (this.left ??= this.#tearDown());
  }

  async #tearDown() {
    if (this.service?.exitCode === null) {
      const ended = new Promise((done) => this.service.once("close", done));
      this.service.kill("SIGKILL");
      await ended;
    }
    // One of them may be starting the sandbox.
    await Promise.allSettled([...this.commands]);
    if (existsSync(join(this.path, ".cpq", "sandbox.json"))) await this.#run(["sandbox", "stop"]);
    rmSync(this.path, { recursive: true, force: true });
    standing.delete(this);
  }
}

/** Tears down every house that still stands. */
export const leaveAll = () => Promise.all([...standing].map((house) => house.leave()));
