// The kiosk: one page that never leaves its address, has no history to go back
// to and forgets all that was typed. Views are drawn from data.ts.
import { retell } from "./closing";
import { Data, Item, List, Missing, troubles } from "./data";
import { byId, el } from "./dom";
import { run as runDevice } from "./device";
import { hand, lead } from "./handoff";
import { Idle } from "./idle";
import { LongList } from "./longlist";
import { keypad, matches } from "./search";
import { Place, SectorPage } from "./sector";
import { hush } from "./speak";

type View =
  | { kind: "home"; tab: "newest" | "deadline" }
  | ({ kind: "sector" } & Place)
  | { kind: "results"; word: string }
  | { kind: "search"; text: string }
  | { kind: "project"; code: string; name: string }
  | { kind: "notice"; code: string };

/** Screen is a view and where in it the reader is. */
interface Screen {
  view: View;
  cursors: string[]; // of the pages up to this one
  next: string | null;
  scroll: number;
}

const settings = new URLSearchParams(location.search);
const seconds = (name: string, byDefault: number, least: number) => Math.max(Number(settings.get(name)) || byDefault, least);
const sizes = ["标准", "大", "特大"];
const root = document.documentElement;
const main = byId("main");
const data = new Data();
const pollWait = 1000;

let stack: Screen[] = [];
let sector: SectorPage | null = null; // while one is shown
let long: LongList | null = null; // likewise a list of results
let drawing = 0; // counts, so that a late answer does not draw over a newer view
let size = 0;
let measured = 0; // how high the screen was when the first screen's rows were counted
let outdated = false;
let failures = 0;
let outage = 0; // when the server was lost, by the monotonic clock
let lost = 0; // seconds without it, since the last report

const screenOf = (view: View): Screen => ({ view, cursors: [""], next: null, scroll: 0 });
const top = (): Screen => stack[stack.length - 1];

function toast(text: string): void {
  const box = byId("toast");
  box.textContent = text;
  box.hidden = !text;
  if (text) setTimeout(() => box.textContent === text && (box.hidden = true), 6000);
}

/** remember notes how far down the reader is, for the way back. */
function remember(): void {
  if (!stack.length) return;
  top().scroll = long ? long.at : main.scrollTop;
  sector?.remember();
}

function open(view: View): void {
  remember();
  stack.push(screenOf(view));
  void draw();
}

/** redraw draws the same anew, in another size or for other rows. */
function redraw(): void {
  remember();
  void draw();
}

function home(): void {
  stack = [screenOf({ kind: "home", tab: "newest" })];
  void draw();
}

/** row is one notice as a button. */
function row(item: Item): HTMLElement {
  const meta = el("span", { class: "row-meta" }, el("span", {}, item.type_name), el("span", {}, item.body_name), el("span", {}, item.published_at.slice(0, 10)));
  if (item.deadline_at) meta.append(deadline(item.deadline_at));
  const title = el("span", { class: "row-title" });
  const state = item.status === "terminated" ? "已终止" : item.corrected ? "已更正" : "";
  if (state) title.append(el("b", { class: "tag bad" }, state), " ");
  title.append(item.title);
  const button = el("button", { type: "button", class: "row", "data-id": item.id }, title, meta);
  button.addEventListener("click", () => open({ kind: "notice", code: item.code }));
  return el("li", {}, button);
}

function deadline(at: string): HTMLElement {
  const over = Date.parse(at) <= data.now();
  const year = at.slice(0, 4) === new Date(data.now()).toISOString().slice(0, 4) ? "" : at.slice(0, 4) + "年";
  return el("b", { class: over ? "over" : "open" }, over ? "已截止" : year + `${Number(at.slice(5, 7))}月${Number(at.slice(8, 10))}日 ${at.slice(11, 16)} 截止`);
}

/** fit is how many rows fit below what already stands on the screen. */
function fit(): number {
  measured = main.clientHeight;
  const rem = parseFloat(getComputedStyle(root).fontSize);
  const last = main.lastElementChild;
  const used = last ? last.getBoundingClientRect().bottom - main.getBoundingClientRect().top : 0;
  const height = parseFloat(getComputedStyle(root).getPropertyValue("--row")) * rem + 1;
  return Math.max(1, Math.min(20, Math.floor((main.clientHeight - used - rem) / height)));
}

async function rows(screen: Screen, turn: number, ask: (limit: number, cursor: string) => Promise<List>, none: string): Promise<void> {
  const list = el("ul", { class: "rows", "aria-busy": "true" }, el("li", { class: "skeleton" }, el("i"), el("i"), el("i")));
  const limit = fit();
  main.append(list);
  const page = await ask(limit, screen.cursors[screen.cursors.length - 1]).catch(() => {
    screen.cursors = [""]; // the network is gone: from the start, of what is stored
    return ask(limit, "");
  });
  if (turn !== drawing) return;
  list.removeAttribute("aria-busy");
  list.textContent = "";
  list.append(...page.items.map(row));
  if (!page.items.length) list.replaceWith(el("p", { class: "empty" }, none));
  screen.next = page.next;
}

/** counted is how many notices of a sector are public, as far as is known. */
function counted(sector: string): string {
  const count = data.snapshot.sectors.find((s) => s.code === sector)?.count;
  return count === undefined ? "" : count + " 条";
}

function tiles(): HTMLElement {
  const grid = el("div", { class: "tiles" });
  for (const t of document.querySelectorAll<HTMLTemplateElement>("template[data-sector]")) {
    const { sector = "", name = "" } = t.dataset;
    const tile = el("button", { type: "button", class: "tile s-" + sector }, t.content.cloneNode(true), el("span", {}, name), el("small", { "data-count": sector }, counted(sector)));
    tile.addEventListener("click", () => open({ kind: "sector", code: sector, name, type: "", period: null, at: 0, rail: 0 }));
    grid.append(tile);
  }
  const find = el("button", { type: "button", class: "tile find", "data-do": "search" }, el("i", { class: "icon", "aria-hidden": "true" }, "123"), el("span", {}, "编号、拼音查询"), el("small", {}, "公告编号或拼音首字母"));
  grid.append(find);
  return grid;
}

function tabs(chosen: string): HTMLElement {
  const bar = el("div", { class: "tabs", role: "group", "aria-label": "公告列表" });
  for (const [tab, name] of [["newest", "最新公告"], ["deadline", "即将截止"]] as const) {
    const b = el("button", { type: "button", "aria-pressed": String(tab === chosen) }, name);
    b.addEventListener("click", () => {
      stack = [screenOf({ kind: "home", tab })];
      void draw();
    });
    bar.append(b);
  }
  return bar;
}

async function drawNotice(code: string, screen: Screen, turn: number): Promise<void> {
  let html: string;
  try {
    html = await data.notice(code);
  } catch (e) {
    if (turn === drawing) message(e instanceof Missing ? e.message : "没有读到这条公告，请稍后再试。");
    return;
  }
  if (turn !== drawing) return;
  main.innerHTML = html; // made by the server's templates, text escaped, body_html reduced to its allow-list
  const article = main.querySelector<HTMLElement>("article");
  if (data.isGone(article?.dataset.id)) return message(withdrawnNow); // while it was on its way
  retell(main, data.now()); // a stored page is of the day it was stored
  for (const a of main.querySelectorAll("a")) a.replaceWith(ownProject(a) ?? el("span", { class: "link" }, ...a.childNodes)); // a kiosk leads nowhere else
  for (const p of main.querySelectorAll(".pager")) p.replaceWith(el("p", { class: "sub" }, "其余各行请扫码在手机上看。"));
  for (const b of main.querySelectorAll<HTMLElement>("[data-open]")) b.addEventListener("click", () => open({ kind: "notice", code: b.dataset.open ?? "" }));
  if (article) {
    lead(article, data, settings.has("printer"), toast);
    article.append(hand());
  }
  main.scrollTop = screen.scroll;
}

/** ownProject is the button to the project a notice belongs to, null for any other link. */
function ownProject(a: HTMLAnchorElement): HTMLElement | null {
  const path = /^\/p\/([^/]+)$/.exec(a.getAttribute("href") ?? "");
  if (!path || !a.closest(".facts")) return null;
  const name = a.textContent ?? "";
  const b = el("button", { type: "button", class: "project" }, name, el("small", {}, "查看项目全流程"));
  b.addEventListener("click", () => open({ kind: "project", code: decodeURIComponent(path[1]), name }));
  return b;
}

/** drawProject shows a project from approval to performance. */
async function drawProject(view: View & { kind: "project" }, screen: Screen, turn: number): Promise<void> {
  const rest = el("p", { class: "sub", role: "status" }, "正在读取…");
  main.append(el("h2", {}, view.name || view.code), el("p", { class: "sub" }, "项目编号 " + view.code), rest);
  try {
    const project = await data.project(view.code);
    if (turn !== drawing) return;
    rest.textContent = project.status;
    for (const stage of project.stages) {
      if (stage.items.length) main.append(...(stage.name ? [el("h3", {}, stage.name)] : []), el("ul", { class: "rows" }, ...stage.items.map(row)));
    }
    main.scrollTop = screen.scroll;
  } catch (e) {
    if (turn === drawing) rest.replaceWith(el("p", { class: "empty", role: "alert" }, e instanceof Missing ? e.message : "没有读到这个项目，请稍后再试。"));
  }
}

/** examples is what an empty search shows: what may be typed, ready to tap. */
function examples(type: (text: string) => void): HTMLElement {
  const list = el("div", { class: "examples" }, el("p", {}, "可以输入："));
  for (const [text, meaning] of [["gzf", "公租房"], ["zbgg", "招标公告"], ["tdcr", "土地出让"], ["hc", "耗材"]]) {
    const b = el("button", { type: "button", "aria-label": `${text}，${meaning}` }, el("b", {}, text), " " + meaning);
    b.addEventListener("click", () => type(text));
    list.append(b);
  }
  list.append(el("p", { class: "sub" }, "公告编号是 8 位数字，印在公告和小票上，输完即打开。"));
  return list;
}

/** offer makes buttons of the words that notices hold, each with how many: all at once, so that none moves under a finger. */
async function offer(words: string[]): Promise<HTMLElement[]> {
  const counts = await Promise.all(words.map((word) => data.count(word)));
  return words.flatMap((word, i) => {
    const { total, more } = counts[i];
    if (!total) return [];
    const b = el("button", { type: "button" }, word, el("small", {}, ` ${total}${more ? "+" : ""} 条`));
    b.addEventListener("click", () => open({ kind: "results", word }));
    return [b];
  });
}

function drawSearch(view: View & { kind: "search" }, screen: Screen, turn: number): void {
  const shown = el("output", { class: "typed", "aria-live": "polite", "aria-label": "已输入" });
  const found = el("div", { class: "found" });
  found.addEventListener("scroll", buttons, { passive: true });
  const show = () => {
    shown.textContent = view.text || "输入 8 位公告编号，或拼音首字母";
    shown.classList.toggle("hint", !view.text);
    found.textContent = "";
    const result = matches(data.snapshot, view.text);
    if (!view.text) found.append(examples((text) => ((view.text = text), show())));
    const per = 4;
    const from = (screen.cursors.length - 1) * per;
    const words = el("div", { class: "words" });
    found.append(words, el("ul", { class: "rows" }, ...result.items.slice(from, from + per).map(row)));
    const none = () => view.text && !result.items.length && found.append(el("p", { class: "empty" }, result.hint));
    if (!result.words.length) none();
    else {
      const typed = view.text;
      void offer(result.words.slice(0, 8)).then((all) => {
        if (turn !== drawing || typed !== view.text) return;
        words.append(...all);
        if (!all.length) none();
        buttons();
      });
    }
    screen.next = from + per < result.items.length ? "more" : null;
    buttons();
  };
  const press = (key: string) => {
    view.text = key === "清空" ? "" : key === "删除" ? view.text.slice(0, -1) : (view.text + key).slice(0, 20);
    screen.cursors = [""];
    if (/^\d{8}$/.test(view.text) && key !== "删除") return open({ kind: "notice", code: view.text });
    show();
  };
  if (turn !== drawing) return;
  main.append(shown, found, keypad(press));
  show();
}

const withdrawnNow = "这条公告刚刚撤回，内容不再有效。";

function message(text: string): void {
  main.textContent = "";
  main.append(el("p", { class: "empty big", role: "alert" }, text));
}

async function draw(): Promise<void> {
  hush(); // with what is drawn anew goes the button that would end it
  const turn = ++drawing;
  const screen = top();
  const { view } = screen;
  screen.next = null;
  sector = long = null;
  main.textContent = "";
  main.className = "view-" + view.kind;
  main.scrollTop = 0;
  buttons();
  switch (view.kind) {
    case "home":
      main.append(tiles(), tabs(view.tab));
      await rows(screen, turn, (n, c) => data.list(view.tab === "deadline" ? { sort: "deadline" } : {}, n, c), view.tab === "deadline" ? "目前没有尚未截止的公告。" : "还没有公开的公告。");
      break;
    case "sector":
      sector = new SectorPage(main, data, view, row, buttons);
      await sector.draw(() => turn === drawing);
      break;
    case "results":
      long = new LongList({ ask: (c) => data.list({ q: view.word }, 20, c), row, count: 0, at: screen.scroll, none: () => "没有找到，换一个更短的词试试。", moved: buttons });
      main.append(el("h2", {}, `含“${view.word}”的公告`), long.box);
      await long.fill();
      break;
    case "search":
      drawSearch(view, screen, turn);
      break;
    case "project":
      await drawProject(view, screen, turn);
      break;
    case "notice":
      await drawNotice(view.code, screen, turn);
  }
  if (turn === drawing) buttons();
}

/** buttons enables what leads somewhere. */
function buttons(): void {
  const screen = top();
  const reading = screen.view.kind === "notice" || screen.view.kind === "project";
  byId<HTMLButtonElement>("back").disabled = stack.length < 2;
  byId<HTMLButtonElement>("previous").disabled = !above() && (reading || screen.cursors.length < 2);
  byId<HTMLButtonElement>("next").disabled = !below() && (reading || !screen.next);
}

/** paged is what the paging buttons move: what was found, above the pad, a list beside its periods, or all of the view. */
const paged = () => main.querySelector<HTMLElement>(".found, .list") ?? main;
const above = () => paged().scrollTop > 2;
const below = () => paged().scrollTop + paged().clientHeight < paged().scrollHeight - 2;

/** turnPage shows what is further down or up: first on this page, then the next. */
function turnPage(direction: 1 | -1): void {
  const screen = top();
  if (direction === 1 ? below() : above()) {
    paged().scrollBy({ top: direction * paged().clientHeight * 0.85 });
    return buttons();
  }
  if (direction === 1 && screen.next) screen.cursors.push(screen.next);
  else if (direction === -1 && screen.cursors.length > 1) screen.cursors.pop();
  void draw();
}

function setSize(n: number): void {
  size = n;
  if (n) root.dataset.size = String(n);
  else delete root.dataset.size;
  byId("size").textContent = "字号 " + sizes[n];
}

function toggle(name: "contrast" | "low", button: HTMLElement): void {
  const on = !(name in root.dataset);
  if (on) root.dataset[name] = "on";
  else delete root.dataset[name];
  button.setAttribute("aria-pressed", String(on));
}

const dialog = byId<HTMLDialogElement>("idle");
const closeDialog = () => dialog.open && dialog.close();

/** reset makes the kiosk as the next person must find it. */
function reset(): void {
  hush(); // some browsers read on while a page loads anew
  if (outdated) return location.reload();
  setSize(0);
  for (const name of ["contrast", "low"] as const) {
    delete root.dataset[name];
    document.querySelector(`[data-do="${name}"]`)?.setAttribute("aria-pressed", "false");
  }
  try {
    localStorage.clear();
    sessionStorage.clear();
  } catch {
    // No storage, nothing kept.
  }
  byId("slip").textContent = "";
  toast("");
  closeDialog();
  home();
}

const actions: Record<string, (button: HTMLElement) => void> = {
  home,
  back: () => {
    if (stack.length > 1) stack.pop();
    void draw();
  },
  search: () => open({ kind: "search", text: "" }),
  previous: () => turnPage(-1),
  next: () => turnPage(1),
  size: () => {
    remember(); // before the rows change their height
    setSize((size + 1) % sizes.length);
    void draw();
  },
  contrast: (b) => toggle("contrast", b),
  low: (b) => (toggle("low", b), redraw()),
  stay: () => (idle.touch(), closeDialog()),
  leave: () => (idle.touch(), reset()),
};

const pristine = () => {
  const s = stack[0];
  return stack.length === 1 && s.view.kind === "home" && s.view.tab === "newest" && s.cursors.length === 1 && !size && !("contrast" in root.dataset) && !("low" in root.dataset);
};

const idle = new Idle(
  seconds("idle", 60, 10), 20,
  (left) => {
    byId("idle-count").textContent = String(left);
    if (!dialog.open) dialog.showModal();
  },
  reset,
  () => !pristine(),
);

function showState(): void {
  const offline = byId("offline");
  const was = offline.hidden;
  offline.hidden = failures < 2;
  offline.textContent = failures < 2 ? "" : `网络中断，显示 ${data.asOf()} 的内容，可能不是最新`;
  byId("fresh").textContent = failures < 2 ? `数据更新 ${data.asOf()}` : "离线";
  if (!was && offline.hidden) void data.refresh().catch(() => undefined);
  if (was === offline.hidden) return;
  void sector?.refresh();
  void (sector?.list ?? long)?.fill();
}

// A line at the foot or a banner takes of the height: the rows are counted anew.
new ResizeObserver(() => {
  if (stack.length && top().view.kind === "home" && measured && main.clientHeight !== measured) redraw();
}).observe(main);

let refreshing = false;

/** renew fetches the snapshot again, not all kiosks at once. */
function renew(): void {
  if (refreshing) return;
  refreshing = true;
  setTimeout(() => {
    void data.refresh().catch(() => undefined).then(() => {
      refreshing = false;
      void sector?.refresh();
      if (pristine()) void draw();
    });
  }, 1000 + Math.random() * 4000);
}

async function poll(): Promise<void> {
  let more = false; // has changed than one answer tells
  try {
    const { withdrawn, changed, full } = await data.follow();
    more = full;
    if (failures) lost += (performance.now() - outage) / 1000;
    failures = 0;
    data.online = true;
    const shown = main.querySelector<HTMLElement>("article")?.dataset.id ?? "";
    if (withdrawn.includes(shown)) {
      hush();
      message(withdrawnNow);
    } else if (sector || long) {
      (sector ?? long)?.drop(withdrawn); // the others stay where they are
    } else if (withdrawn.some((id) => main.querySelector(`[data-id="${id}"]`))) {
      void draw();
    } else if (changed.includes(shown) && shown) {
      toast("本公告刚刚更新，已显示最新内容");
      void draw();
    }
    if (data.behind && !more) renew();
  } catch {
    if (!failures) outage = performance.now();
    failures++;
    if (failures >= 2) data.online = false;
  }
  showState();
  setTimeout(() => void poll(), failures ? 2 * pollWait : more ? 0 : pollWait);
}

document.addEventListener("click", (event) => {
  const button = (event.target as Element).closest<HTMLElement>("[data-do]");
  if (button) actions[button.dataset.do ?? ""]?.(button);
});
document.addEventListener("contextmenu", (event) => event.preventDefault());
main.addEventListener("scroll", buttons, { passive: true });
addEventListener("resize", redraw);

/** report is what the device says of itself; what it tells it tells once. */
function report() {
  const told = { seq: data.seq, offline_s: Math.round(lost), idle_s: idle.seconds(), errors: [...troubles].slice(0, 20) };
  lost = 0;
  troubles.clear();
  return told;
}

addEventListener("error", () => troubles.add("script.error"));
addEventListener("unhandledrejection", () => troubles.add("script.rejection"));

async function begin(): Promise<void> {
  history.replaceState(null, "", location.href);
  if ("serviceWorker" in navigator) navigator.serviceWorker.register("/kiosk/sw.js", { scope: "/kiosk" }).catch(() => undefined);
  home();
  await data.open().catch(() => (failures = 2));
  showState();
  for (const count of main.querySelectorAll<HTMLElement>("[data-count]")) count.textContent = counted(count.dataset.count ?? "");
  if (!main.querySelector(".row") && pristine()) void draw(); // there was no network to draw from
  void poll();
  if (settings.has("device")) {
    const say = (text: string) => {
      const line = byId("device");
      line.textContent = text;
      line.hidden = !text;
    };
    void runDevice(say, report, () => {
      outdated = true;
      if (pristine()) location.reload();
    });
  }
}

stack = [screenOf({ kind: "home", tab: "newest" })];
void begin();
