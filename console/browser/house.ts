/** A server and an Agent as a user starts them, on free ports and in a folder of their own. */

import { type ChildProcess, spawn } from "node:child_process";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { get } from "node:http";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";

/** How long a program may take to be there, in milliseconds. */
const START_MAX = 20_000;
const POLL = 50;

export class House {
  private readonly running: ChildProcess[] = [];
  private server: ChildProcess | undefined;

  private constructor(
    private readonly binary: string,
    private readonly folder: string,
    readonly url: string,
    private readonly ws: string,
    private readonly settings: string,
    public token = "",
  ) {}

  /** Starts a server, with what its configuration is to say beside its addresses. */
  static async open(binary: string, settings = ""): Promise<House> {
    const folder = await mkdtemp(join(tmpdir(), "usphere-console-"));
    const [api, ws] = [await freePort(), await freePort()];
    const house = new House(binary, folder, `http://127.0.0.1:${api}`, `127.0.0.1:${ws}`, settings);
    await house.serve();
    house.token = (await readFile(join(folder, "server/token"), "utf8")).trim();
    return house;
  }

  /** Ends the server; it is back when `serve` is. */
  async stopServing(): Promise<void> {
    if (this.server) await stop(this.server);
  }

  async serve(): Promise<void> {
    const file = join(this.folder, "server.toml");
    await writeFile(file, this.settings);
    const words = ["server", "--data", join(this.folder, "server"), "--config", file, "--api", new URL(this.url).host, "--ws", this.ws];
    this.server = this.start(words);
    await until("the server to answer", async () => (await fetch(`${this.url}/api/v1/health`)).ok);
  }

  /** Starts an Agent and waits until it is there: its Endpoint ID, which it makes up unless it is given, and how to end it. */
  async agent(name: string, endpointId?: string): Promise<{ id: string; end: () => Promise<void> }> {
    const known = new Set(await this.devices());
    const controller = (await readFile(join(this.folder, "server/endpoint-id"), "utf8")).trim();
    const agent = this.start(["agent", "--data", join(this.folder, name), "--controller", `${controller}=ws://${this.ws}/usp`, ...(endpointId ? ["--endpoint-id", endpointId] : [])]);
    let id: string | undefined;
    await until("the Agent to be on board", async () => {
      id = (await this.devices()).find((each) => !known.has(each));
      return id !== undefined;
    });
    return { id: id ?? "", end: () => stop(agent) };
  }

  /** Comes to the door of the Agents, with a request for a WebSocket or any other. */
  async knock(path: string, isUpgrade: boolean): Promise<void> {
    const upgrade = {
      Connection: "Upgrade",
      Upgrade: "websocket",
      "Sec-WebSocket-Version": "13",
      "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==",
      "Sec-WebSocket-Protocol": "v1.usp",
    };
    await new Promise<void>((resolve, reject) => {
      const request = get(`http://${this.ws}${path}`, { headers: isUpgrade ? upgrade : {} }, (answer) => {
        answer.resume();
        answer.on("end", resolve);
      });
      request.on("error", reject);
    });
  }

  /** Asks a device through the API, once it is there. */
  async ask(id: string, verb: string, body: unknown): Promise<void> {
    await until(`${id} to be online`, async () => (await this.devices()).includes(id));
    const answer = await fetch(`${this.url}/api/v1/devices/${encodeURIComponent(id)}/${verb}`, {
      method: "POST",
      headers: { Authorization: `Bearer ${this.token}`, "Content-Type": "application/json" },
      body: JSON.stringify(body),
    });
    if (!answer.ok) throw new Error(`the API answers ${answer.status}`);
  }

  /** How often devices were asked for a row that has this word in it. */
  async added(word: string): Promise<number> {
    const answer = await fetch(`${this.url}/api/v1/operations?limit=1000`, { headers: { Authorization: `Bearer ${this.token}` } });
    const { operations } = (await answer.json()) as { operations: { kind: string; request: unknown }[] };
    return operations.filter(({ kind, request }) => kind === "add" && JSON.stringify(request).includes(word)).length;
  }

  async close(): Promise<void> {
    await Promise.all(this.running.map(stop));
    await rm(this.folder, { recursive: true, force: true });
  }

  private async devices(): Promise<string[]> {
    const answer = await fetch(`${this.url}/api/v1/devices`, { headers: { Authorization: `Bearer ${this.token}` } });
    const { devices } = (await answer.json()) as { devices: { endpoint_id: string; online: boolean }[] };
    return devices.filter((device) => device.online).map((device) => device.endpoint_id);
  }

  private start(words: string[]): ChildProcess {
    const started = spawn(this.binary, words, { stdio: "ignore" });
    this.running.push(started);
    return started;
  }
}

async function stop(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const ended = new Promise((resolve) => child.once("exit", resolve));
  child.kill("SIGTERM");
  await ended;
}

async function until(what: string, holds: () => Promise<boolean>): Promise<void> {
  const begun = Date.now();
  while (!(await holds().catch(() => false))) {
    if (Date.now() - begun > START_MAX) throw new Error(`waited in vain for ${what}`);
    await new Promise((resolve) => setTimeout(resolve, POLL));
  }
}

async function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.once("error", reject);
    server.listen(0, "127.0.0.1", () => {
      const address = server.address();
      server.close(() => (typeof address === "object" && address ? resolve(address.port) : reject(new Error("no port"))));
    });
  });
}
