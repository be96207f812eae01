/** The built console in a real browser, on a real server with a real Agent. */

import { mkdirSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { createRequire } from "node:module";

import { type Browser, type BrowserContext, chromium, type Page } from "playwright-core";
import { afterAll, beforeAll, expect, it } from "vitest";

import { House } from "./house";

const BINARY = process.env.USPHERE_BINARY ?? new URL("../../target/debug/usphere", import.meta.url).pathname;
const CHROMIUM = process.env.CHROMIUM ?? "/usr/bin/chromium";
const SHOTS = new URL("../shots/", import.meta.url).pathname;
const FLAGS = ["--headless", "--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-component-update", "--disable-sync"];

/** Longer than anything here takes, in milliseconds. */
const PATIENCE = 15_000;

const WIDTHS = [1440, 390];
const THEMES = ["light", "dark"] as const;

let house: House;
/** All that run: pages may ask these and nobody else. */
const houses: House[] = [];
let browser: Browser;
let context: BrowserContext;
let page: Page;
let agent: Awaited<ReturnType<House["agent"]>>;
/** What the pages did that they must not do: errors, what the policy forbids, requests to elsewhere. */
const complaints: string[] = [];

beforeAll(async () => {
  mkdirSync(SHOTS, { recursive: true });
  [house, browser] = await Promise.all([House.open(BINARY), chromium.launch({ executablePath: CHROMIUM, args: FLAGS })]);
  houses.push(house);
  agent = await house.agent("agent");
  context = await browser.newContext({ viewport: { width: 1440, height: 900 }, locale: "en-GB", reducedMotion: "reduce" });
  page = await opened(context);
}, 60_000);

afterAll(async () => {
  await browser.close();
  await Promise.all(houses.map((each) => each.close()));
});

async function opened(where: BrowserContext): Promise<Page> {
  const fresh = await where.newPage();
  fresh.setDefaultTimeout(PATIENCE);
  fresh.on("pageerror", (error) => complaints.push(String(error)));
  fresh.on("console", (message) => {
    // That a request was refused is tested where it is shown.
    if (message.type() === "error" && !message.text().includes("Failed to load resource")) complaints.push(message.text());
  });
  fresh.on("request", (request) => {
    if (!houses.some(({ url }) => request.url().startsWith(url))) complaints.push(`asks ${request.url()}`);
  });
  return fresh;
}

/** Pictures of what is shown now, for people to look at; and what a machine can see of it. */
async function look(name: string, where = page): Promise<void> {
  for (const theme of THEMES) {
    await where.emulateMedia({ colorScheme: theme });
    for (const width of WIDTHS) {
      await where.setViewportSize({ width, height: width > 720 ? 900 : 844 });
      await where.evaluate(() => document.activeElement?.scrollIntoView({ block: "center" }));
      await where.screenshot({ path: `${SHOTS}${name}-${width}-${theme}.png` });
      const overflow = await where.evaluate(() => {
        const boxes = [document.documentElement, document.querySelector("main")];
        return Math.max(...boxes.map((box) => (box ? box.scrollWidth - box.clientWidth : 0)));
      });
      expect(overflow, `${name} is wider than ${width} pixels`).toBeLessThanOrEqual(0);
    }
    await where.setViewportSize({ width: 1440, height: 900 });
    expect(await barriers(where), `${name}, ${theme}`).toEqual([]);
  }
  await where.emulateMedia({ colorScheme: "light" });
}

/** What axe-core finds that WCAG 2.1 AA forbids. */
async function barriers(where: Page): Promise<string[]> {
  const source = await readFile(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");
  await where.evaluate(source);
  return where.evaluate(async () => {
    const axe = (window as unknown as { axe: { run: (options: object) => Promise<{ violations: { id: string; nodes: { html: string }[] }[] }> } }).axe;
    const found = await axe.run({ runOnly: ["wcag2a", "wcag2aa", "wcag21aa"] });
    return found.violations.flatMap(({ id, nodes }) => nodes.map((node) => `${id}: ${node.html.slice(0, 200)}`));
  });
}

/** Runs in the page: answers for so many devices in the place of the server. */
function pretendFleet(total: number): void {
  const ask = window.fetch.bind(window);
  const id = (number: number) => `os::00D09E-${String(number).padStart(6, "0")}`;
  const device = (number: number) => ({
    endpoint_id: id(number),
    alias: null,
    protocol: "usp",
    manufacturer: "Acme",
    oui: "00D09E",
    product_class: "Gateway",
    serial_number: String(number),
    hardware_version: "1",
    software_version: "2.1",
    protocol_versions: "1.4",
    first_seen: 0,
    last_seen: Date.now() - number * 1000,
    remote_address: "192.0.2.1:4711",
    last_mtp: "WebSocket",
    online: number % 7 !== 0,
  });
  window.fetch = (input, init) => {
    const url = new URL(input as string, window.location.href);
    if (url.pathname !== "/api/v1/devices") return ask(input, init);
    const after = url.searchParams.get("after");
    const begin = after === null ? 0 : Number(after.split("-")[1]) + 1;
    const end = Math.min(begin + Number(url.searchParams.get("limit")), total);
    const devices = Array.from({ length: end - begin }, (_, at) => device(begin + at));
    return Promise.resolve(Response.json(end < total ? { devices, next: id(end - 1) } : { devices }));
  };
}

function row(parameter: string) {
  return page.locator("table.values tr", { has: page.getByRole("rowheader", { name: parameter, exact: true }) });
}

async function goTo(path: string): Promise<void> {
  await page.getByLabel("Path to go to").fill(path);
  await page.getByRole("button", { name: "Go", exact: true }).click();
  await page.locator(`section[aria-label="${path}"]`).waitFor();
}

it("lets in whoever has the token", async () => {
  await page.goto(house.url);
  await page.getByLabel("API token").fill("x".repeat(43));
  await page.getByRole("button", { name: "Log in" }).click();
  await page.getByText("The server does not know this token.").waitFor();
  await look("login");
  await page.getByLabel("API token").fill(house.token);
  await page.keyboard.press("Enter");
  await page.getByRole("table", { name: "Devices" }).waitFor();
});

it("finds the device", async () => {
  await page.getByRole("link", { name: agent.id }).waitFor();
  await look("devices");
  await page.getByLabel("Search devices").fill("no such device");
  await page.getByText("No device fits").waitFor();
  await page.getByLabel("Search devices").fill(agent.id.slice(-12).toUpperCase());
  await page.getByText("1 device", { exact: true }).waitFor();
  await page.getByRole("button", { name: "Offline" }).click();
  await page.getByText("No device fits").waitFor();
  await page.getByRole("button", { name: "Online", exact: true }).click();
  await page.getByRole("link", { name: agent.id }).click();
  await page.getByRole("heading", { name: agent.id }).waitFor();
});

it("changes a value and hears of it", async () => {
  await page.getByRole("treeitem", { name: "DeviceInfo" }).click();
  await page.getByRole("button", { name: "Watch", exact: true }).click();
  await page.getByRole("button", { name: "Watched", exact: true }).waitFor();
  await page.getByRole("button", { name: "Change ProvisioningCode" }).click();
  await page.getByRole("textbox", { name: "ProvisioningCode" }).fill("set-in-the-console");
  await page.keyboard.press("Enter");
  await row("ProvisioningCode").getByText("set-in-the-console").waitFor();
  await look("model");

  await page.getByRole("link", { name: /^Events/ }).click();
  const told = page.locator(".event-list li", { hasText: "set-in-the-console" });
  await told.getByText("Device.DeviceInfo.ProvisioningCode").waitFor();
  await told.getByText("ValueChange").waitFor();
  await look("events");
  await page.getByRole("button", { name: "Watch Device.DeviceInfo. no longer" }).click();
  await page.getByRole("list", { name: "Watched objects" }).waitFor({ state: "detached" });
});

it("shows what the device says against a value, at the value", async () => {
  await page.getByRole("link", { name: "Data model" }).click();
  await goTo("Device.DeviceInfo.");
  await page.getByRole("button", { name: "Change ProvisioningCode" }).click();
  await page.getByRole("textbox", { name: "ProvisioningCode" }).fill("x".repeat(100));
  await page.keyboard.press("Enter");
  await row("ProvisioningCode").getByRole("alert").getByText(/^7\d{3}: /).waitFor();
  await look("refused");
  await page.keyboard.press("Escape");
  await row("ProvisioningCode").getByText("set-in-the-console").waitFor();
});

it("shows the rows of a table, and the tree on a phone", async () => {
  await goTo("Device.IP.Interface.");
  await page.getByRole("button", { name: /^Interface\.\d+$/ }).first().waitFor();
  await look("rows");
  await page.setViewportSize({ width: 390, height: 844 });
  await page.getByRole("button", { name: "Show the tree" }).click();
  await look("tree");
  await page.setViewportSize({ width: 390, height: 844 });
  await page.getByRole("treeitem", { name: "Time" }).click();
  await page.locator('section[aria-label="Device.Time."]').waitFor();
  await page.getByRole("button", { name: "Show the tree" }).waitFor();
  await page.setViewportSize({ width: 1440, height: 900 });
});

it("adds a row, switches it and deletes it", async () => {
  const table = "Device.LocalAgent.ControllerTrust.Role.";
  await goTo(table);
  await page.getByRole("button", { name: "Add a row" }).click();
  await page.getByRole("textbox", { name: /^Name/ }).fill("from-the-console");
  await look("add");
  await page.getByRole("button", { name: "Add", exact: true }).click();
  await row("Name").getByText("from-the-console").waitFor();
  await page.getByRole("treeitem", { name: /from-the-console|cpe-/, selected: true }).waitFor();
  const enabled = page.getByRole("switch", { name: "Enable" });
  const before = await enabled.getAttribute("aria-checked");
  await enabled.click();
  await page.locator(`[role=switch][aria-label=Enable][aria-checked=${before === "true" ? "false" : "true"}]`).waitFor();
  await look("row");
  await page.getByRole("button", { name: "Delete this row" }).click();
  await page.getByRole("button", { name: "Delete", exact: true }).click();
  await page.locator(`section[aria-label="${table}"]`).waitFor();
  // The table is read anew once it is shown.
  await expect.poll(() => page.getByText("from-the-console").count()).toBe(0);
});

it("checks a number before it is sent", async () => {
  await goTo("Device.LocalAgent.Controller.1.");
  await page.getByRole("button", { name: "Change PeriodicNotifInterval" }).click();
  await page.getByRole("textbox", { name: "PeriodicNotifInterval" }).fill("-1");
  await page.getByText("0 to 4294967295 is expected").waitFor();
  expect(await page.getByRole("button", { name: "Save" }).isDisabled()).toBe(true);
  await page.keyboard.press("Escape");
  await page.getByRole("button", { name: "Change PeriodicNotifInterval" }).waitFor();
});

it("runs a command and waits for its end", async () => {
  await goTo("Device.");
  await page.getByText("ScheduleTimer()").click();
  await page.getByLabel("DelaySeconds").fill("1");
  await page.getByRole("button", { name: "Run" }).click();
  await page.locator(".runs").getByText("running …").waitFor();
  await page.locator(".runs").getByText("completed").waitFor();
  await look("command");
  // The server hears of the end itself: the device was asked for nothing more.
  expect(await house.added("OperationComplete")).toBe(0);
  // What takes a device away from its user is asked about first.
  await page.getByText("FactoryReset()").click();
  const reset = page.locator(".command", { hasText: "FactoryReset()" });
  await reset.getByRole("button", { name: "Run" }).click();
  await page.getByRole("dialog").getByText("Run FactoryReset()?").waitFor();
  await look("grave");
  await page.getByRole("button", { name: "Cancel" }).click();
  expect(await reset.locator(".runs").count()).toBe(0);
  await page.getByText("FactoryReset()").click();
  await page.getByLabel("DelaySeconds").fill("soon");
  await page.getByRole("button", { name: "Run" }).click();
  await page.locator(".runs").getByText(/^7\d{3}: /).waitFor();
  await page.getByRole("link", { name: /^Events/ }).click();
  await page.locator(".event-list li", { hasText: "OperationComplete" }).first().waitFor();
});

it("goes through the tree by keyboard", async () => {
  await page.getByRole("link", { name: "Data model" }).click();
  await goTo("Device.DeviceInfo.");
  await page.getByRole("tree").focus();
  await page.keyboard.press("ArrowRight");
  await page.keyboard.press("ArrowRight");
  await page.locator('section[aria-label="Device.DeviceInfo.MemoryStatus."]').waitFor();
  await page.keyboard.press("ArrowLeft");
  await page.locator('section[aria-label="Device.DeviceInfo."]').waitFor();
});

it("renames a device, and shows that it went and came back", async () => {
  await page.getByRole("link", { name: "About" }).click();
  await page.getByText("its word: no certificate has ever proved it").waitFor();
  await page.getByRole("button", { name: "Rename" }).click();
  await page.getByLabel("Alias").fill("test bench");
  await page.getByRole("button", { name: "Rename" }).last().click();
  await page.getByRole("heading", { name: "test bench" }).waitFor();
  await look("about");
  await page.getByRole("link", { name: "Data model" }).click();
  await row("RootDataModelVersion").getByText("2.").waitFor();
  await agent.end();
  await page.locator(".device-head").getByText("offline").waitFor();
  await page.getByText("The device is offline").waitFor();
  await look("offline");
  await page.getByRole("link", { name: "Devices" }).click();
  await page.getByRole("row", { name: /test bench.*offline/ }).waitFor();
  agent = await house.agent("agent");
  await page.getByRole("row", { name: /test bench.*online/ }).waitFor();
});

it("takes the stream up again when it was cut, or not looked at", async () => {
  await page.getByRole("link", { name: "test bench" }).click();
  await page.getByRole("link", { name: /^Events/ }).click();
  const stream = page.locator(".events [role=status]");
  await stream.getByText("live").waitFor();
  const told = await page.locator(".event-list li").count();
  await house.stopServing();
  await stream.getByText("connection lost").waitFor();
  await page.getByText("The server does not answer.").waitFor();
  await house.serve();
  await stream.getByText("live").waitFor();
  expect(await page.locator(".event-list li").count()).toBe(told);

  const asked = page.waitForRequest("**/events/live");
  await page.evaluate(() => {
    for (const hidden of [true, false]) {
      Object.defineProperty(document, "hidden", { value: hidden, configurable: true });
      document.dispatchEvent(new Event("visibilitychange"));
    }
  });
  const after = (await asked).headers()["last-event-id"];
  expect(Number(after)).toBeGreaterThan(0);
  await stream.getByText("live").waitFor();
  expect(await page.locator(".event-list li").count()).toBe(told);
});

it("shows who was refused and what mends it", async () => {
  await house.knock("/ws?eid=os::00D09E-000001", true);
  await house.knock("/ws?eid=os::00D09E-000001", true);
  await house.knock("/usp", false);
  await page.getByRole("link", { name: "Doctor" }).click();
  await page.getByText("wrong path").waitFor();
  await page.getByText("it asked for /ws; Agents connect at /usp").waitFor();
  await page.getByText("2 times").waitFor();
  await page.getByText("not WebSocket").waitFor();
  await look("doctor-refused");

  const search = page.getByLabel("Look for a device");
  await search.fill("00d09e-00000");
  await page.getByText("not WebSocket").waitFor({ state: "detached" });
  expect(await page.locator(".contacts li").count()).toBe(1);
  await search.fill("os::00D09E-nobody");
  await page.getByRole("heading", { name: "Nothing is known of such a contact" }).waitFor();
  await page.goto(`${house.url}/#/devices/${encodeURIComponent("os::00D09E-000001")}/model`);
  await page.getByRole("link", { name: "Why is it not there?" }).click();
  await page.getByText("it asked for /ws; Agents connect at /usp").waitFor();
});

it("shows what is said, as it is said", async () => {
  await page.goto(`${house.url}/#/devices/${encodeURIComponent(agent.id)}/log`);
  const log = page.getByRole("region", { name: "Log" });
  await log.getByText("live").waitFor();
  await house.ask(agent.id, "get", { paths: ["Device.DeviceInfo.Manufacturer"] });
  await log.getByText(/^GET [^R]/).first().waitFor();
  await log.getByText(/^GET_RESP /).first().click();
  await log.getByText("result_params").first().waitFor();
  await look("device-log");
});

it("shows what devices have in common by tags", async () => {
  await page.goto(`${house.url}/#/devices/${encodeURIComponent(agent.id)}/about`);
  const opener = page.getByRole("button", { name: "Tags", exact: true });
  await opener.click();
  await page.getByLabel("New tag").fill("two words");
  await page.keyboard.press("Enter");
  await page.getByRole("dialog").getByRole("alert").getByText(/two words/).waitFor();
  for (const tag of ["site=attic", "pilot", "lot:2026/11"]) {
    await page.getByLabel("New tag").fill(tag);
    await page.keyboard.press("Enter");
    await page.getByRole("button", { name: `Take ${tag} away` }).waitFor();
  }
  await look("tags");
  await page.getByRole("button", { name: "Take pilot away" }).click();
  await page.getByRole("button", { name: "Take pilot away" }).waitFor({ state: "detached" });
  await page.keyboard.press("Escape");
  await page.getByRole("dialog").waitFor({ state: "detached" });
  expect(await opener.evaluate((button) => button === document.activeElement), "the focus is where it was").toBe(true);

  await page.getByRole("link", { name: "site=attic", exact: true }).click();
  await page.getByText("1 device", { exact: true }).waitFor();
  await look("narrowed");
  await page.goto(`${house.url}/#/devices?tag=nowhere`);
  await page.getByText("No device fits").waitFor();
  await page.getByRole("link", { name: "Not only those with the tag nowhere" }).click();
  await page.getByRole("row", { name: /test bench/ }).getByText("site=attic").waitFor();
});

it("says that the server is gone, and is whole again when it is back", async () => {
  await page.getByRole("row", { name: /test bench.*online/ }).waitFor();
  await house.stopServing();
  const told = page.getByText("The server does not answer. What you see may be old");
  await told.waitFor();
  await page.getByRole("row", { name: /test bench/ }).waitFor();
  await look("gone");
  // A page that was not read before.
  await page.goto(`${house.url}/#/doctor?device=nobody`);
  await page.getByRole("alert").getByText("The server does not answer").waitFor();
  await look("gone-doctor");
  await house.serve();
  await told.waitFor({ state: "detached" });
  await page.getByRole("heading", { name: "Nothing is known of such a contact" }).waitFor();
  await page.goto(`${house.url}/#/devices/${encodeURIComponent(agent.id)}/model`);
  await page.locator(".device-head").getByText("online").waitFor();
  await row("RootDataModelVersion").getByText("2.").waitFor();
});

it("keeps its shape with values of any length", async () => {
  const long = "0123456789abcdef".repeat(400);
  await page.route("**/get", async (route) => {
    const answer = await route.fetch();
    // The device may not be back from what was before this.
    if (!answer.ok()) return route.fulfill({ response: answer });
    const body = (await answer.json()) as { results: { found?: { parameters: Record<string, string> }[] }[] };
    for (const { parameters } of body.results.flatMap((result) => result.found ?? [])) {
      for (const name of ["Description", "ProvisioningCode"]) if (name in parameters) parameters[name] = long;
    }
    await route.fulfill({ response: answer, json: body });
  });
  await goTo("Device.DeviceInfo.");
  await row("Description").getByRole("button", { name: "Show all 6,400 characters" }).waitFor();
  await look("long");
  await row("Description").getByRole("button", { name: "Show all 6,400 characters" }).click();
  await row("Description").getByText(long).waitFor();
  await row("Description").getByRole("button", { name: "Show less" }).click();
  await page.getByRole("button", { name: "Change ProvisioningCode" }).click();
  expect(await page.getByRole("textbox", { name: "ProvisioningCode" }).inputValue()).toBe(long);
  await look("long-editor");
  await page.keyboard.press("Escape");
  await page.unroute("**/get");
});

it("keeps a theme, and forgets the token", async () => {
  await page.getByRole("button", { name: "Theme: Auto" }).click();
  await page.getByRole("button", { name: "Theme: Light" }).click();
  await page.reload();
  await page.getByRole("button", { name: "Theme: Dark" }).waitFor();
  expect(await page.evaluate(() => document.documentElement.dataset.theme)).toBe("dark");
  await page.getByRole("button", { name: "Theme: Dark" }).click();
  await page.getByRole("link", { name: "Doctor" }).click();
  await page.getByRole("heading", { name: /keeps no refused contacts|Nobody was refused/ }).or(page.locator(".contacts li").first()).waitFor();
  await look("doctor");
  await page.getByRole("button", { name: "Log out" }).click();
  await page.getByLabel("API token").waitFor();
  expect(await page.evaluate(() => sessionStorage.length)).toBe(0);
});

it("lets devices in that wait", async () => {
  const strict = await House.open(BINARY, '[onboarding]\nfirst_contact = "approval"\n');
  houses.push(strict);
  const door = await opened(context);
  await door.goto(strict.url);
  await door.getByLabel("API token").fill(strict.token);
  await door.keyboard.press("Enter");
  await door.getByText("usphere agent --controller").waitFor();
  await look("empty", door);
  await door.getByRole("button", { name: "Waiting" }).click();
  await door.getByText("No device waits for approval").waitFor();

  await strict.agent("one", "self::one");
  await strict.agent("two", "self::two");
  await door.getByText("2 wait for approval").waitFor();
  const two = door.getByRole("row", { name: /self::two/ });
  await two.getByText("waiting").waitFor();
  await look("waiting", door);
  await door.getByRole("button", { name: "Approve self::one" }).click();
  await door.getByRole("row", { name: /self::one/ }).waitFor({ state: "detached" });
  await door.getByText("1 waits for approval").waitFor();
  await door.keyboard.press("Tab");
  expect(await two.getByRole("link").evaluate((link) => link === document.activeElement), "the next is at hand").toBe(true);

  await two.getByRole("link", { name: "self::two" }).click();
  await door.getByText("This device waits for approval").waitFor();
  await door.getByText("no certificate proves it").waitFor();
  await look("waiting-device", door);
  await door.getByRole("button", { name: "Approve", exact: true }).click();
  await door.getByRole("treeitem", { name: "DeviceInfo" }).waitFor();
  await door.getByText("This device waits for approval").waitFor({ state: "detached" });
  await door.getByText("for approval").waitFor({ state: "detached" });
  await door.close();
});

it("takes a hundred thousand devices", async () => {
  const many = await opened(context);
  const total = 100_000;
  await many.addInitScript(pretendFleet, total);
  await many.goto(house.url);
  await many.getByLabel("API token").fill(house.token);
  await many.keyboard.press("Enter");
  await many.getByText("os::00D09E-000003").waitFor();
  await many.screenshot({ path: `${SHOTS}fleet-1440-light.png` });
  const list = many.locator(".scroll");
  await many.evaluate(() => {
    const scroller = document.querySelector(".scroll");
    const down = setInterval(() => {
      if (document.querySelector(".foot")?.textContent === "100,000 devices") clearInterval(down);
      scroller?.scrollTo(0, scroller.scrollHeight);
    }, 10);
  });
  await many.getByText("100,000 devices", { exact: true }).waitFor({ timeout: 100_000 });
  await list.evaluate((element) => element.scrollTo(0, element.scrollHeight));
  await many.getByText("os::00D09E-099999").waitFor();
  expect(await many.locator(".spacer .row").count()).toBeLessThan(100);
  await many.close();
}, 150_000);

it("did nothing that it must not do", () => {
  expect(complaints).toEqual([]);
});
