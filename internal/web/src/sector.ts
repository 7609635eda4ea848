// A sector on the kiosk: its newest notices, or those of a period, in one list to
// leaf through, beside all the periods there are. From a sector's tile it is a
// tap on a period and one on a notice to any notice that is public.
import type { Archive, Data, Item, Period } from "./data";
import { el } from "./dom";
import { LongList } from "./longlist";

/** Place is where in a sector the reader is. */
export interface Place {
  code: string;
  name: string;
  type: string;
  period: Period | null; // null for the newest
  at: number; // the row at the top of the list
  rail: number; // how far the periods are scrolled, as a part of their length
}

/** chips is how many of the commonest types are offered to narrow a sector to: large type leaves room for fewer. */
const chips = () => (document.documentElement.dataset.size ? 3 : 5);
const amount = (n: number) => n.toLocaleString("zh-CN") + " 条";
const year = (p: Period) => Number(p.since.slice(0, 4)) + "年";
const month = (p: Period) => Number(p.since.slice(5, 7)) + "月";
const day = (p: Period) => (p.since === p.until ? Number(p.since.slice(8)) + "日" : "");
const same = (a: Period | null, b: Period | null) => a?.since === b?.since && a?.until === b?.until;

/** SectorPage draws a sector into the page and keeps the place up to date. */
export class SectorPage {
  list: LongList | null = null;
  private archive: Archive | null = null;
  private drawn = ""; // what the rail was drawn from
  private readonly where = el("span", { class: "sub" });
  private readonly narrow = el("div", { class: "chips", role: "group", "aria-label": "公告类型" });
  private readonly periods = el("div", { class: "periods" });
  private readonly newer = el("button", { type: "button", "aria-label": "较新的时间" }, "▲");
  private readonly older = el("button", { type: "button", "aria-label": "较早的时间" }, "▼");
  private readonly turn = el("div", { class: "turn" }, this.newer, this.older);
  private readonly rail = el("nav", { class: "rail", "aria-label": "按发布时间" }, this.periods, this.turn);

  constructor(
    private readonly page: HTMLElement,
    private readonly data: Data,
    private readonly place: Place,
    private readonly row: (item: Item) => HTMLElement,
    private readonly moved: () => void,
  ) {
    for (const [button, way] of [[this.newer, -1], [this.older, 1]] as const) {
      button.addEventListener("click", () => this.periods.scrollBy({ top: way * this.periods.clientHeight * 0.85 }));
    }
    this.periods.addEventListener("scroll", () => this.turns(), { passive: true });
  }

  /** draw shows the sector; alive tells whether the reader is still here. */
  async draw(alive: () => boolean): Promise<void> {
    const busy = el("div", { class: "list skeleton", "aria-busy": "true" }, el("i"), el("i"), el("i"));
    this.page.append(el("h2", {}, this.place.name, " ", this.where), this.narrow, this.rail, busy);
    const archive = await this.data.archive(this.place.code, this.place.type);
    if (!alive()) return;
    busy.remove();
    if (!archive.periods.some((p) => same(p, this.place.period))) this.place.period = null;
    this.show(archive);
    this.periods.scrollTop = this.place.rail * this.periods.scrollHeight;
    await this.open();
  }

  /** refresh draws the periods anew where they have changed; the list stays as it is. */
  async refresh(): Promise<void> {
    const archive = await this.data.archive(this.place.code, this.place.type);
    if (this.rail.isConnected) this.show(archive);
  }

  /** remember notes where the reader is, for who comes back. */
  remember(): void {
    if (!this.list) return; // nothing was shown yet
    this.place.at = this.list.at;
    this.place.rail = this.periods.scrollTop / this.periods.scrollHeight;
  }

  /** drop takes withdrawn notices out of the list. */
  drop(ids: string[]): void {
    this.list?.drop(ids);
  }

  private show(archive: Archive): void {
    this.archive = archive;
    const drawn = JSON.stringify(archive);
    if (drawn === this.drawn) return;
    this.drawn = drawn;
    const most = chips();
    const types = archive.types.filter((t, i) => i < most || t.code === this.place.type);
    this.narrow.replaceChildren(...(types.length > 1 ? [this.chip("", "全部"), ...types.map((t) => this.chip(t.code, t.name))] : []));
    this.narrow.hidden = types.length < 2;
    const { scrollTop } = this.periods;
    this.periods.replaceChildren(...this.entries(archive));
    this.periods.scrollTop = scrollTop;
    this.tell();
    this.turns();
  }

  private chip(code: string, name: string): HTMLElement {
    const b = el("button", { type: "button", "aria-pressed": String(code === this.place.type) }, name);
    b.addEventListener("click", () => {
      Object.assign(this.place, { type: code, at: 0, rail: 0 });
      this.drawn = "";
      void this.data.archive(this.place.code, code).then((archive) => {
        if (!this.rail.isConnected || this.place.type !== code) return;
        if (!archive.periods.some((p) => same(p, this.place.period))) this.place.period = null;
        this.show(archive);
        void this.open();
      });
    });
    return b;
  }

  /** entries are the rail: the newest, then years with their months, and the days of great months. */
  private entries(archive: Archive): HTMLElement[] {
    const out = [this.entry(null, "最新公告", "", archive.total)];
    if (archive.local) out.unshift(el("p", { class: "sub" }, "网络中断，只列出本机存有的最新公告"));
    let group = "";
    let grid = el("div");
    for (const p of archive.periods) {
      const title = day(p) ? year(p) + month(p) : year(p);
      if (title !== group) {
        out.push(el("h3", {}, title), (grid = el("div", { class: "grid" })));
        group = title;
      }
      grid.append(this.entry(p, day(p) || month(p), title, p.count));
    }
    return out;
  }

  private entry(period: Period | null, label: string, of: string, count: number): HTMLElement {
    const name = el("span", {}, label);
    if (of) name.prepend(el("span", { class: "unseen" }, of));
    const b = el("button", { type: "button", "aria-pressed": String(same(period, this.place.period)) }, name, el("small", {}, amount(count)));
    b.addEventListener("click", () => {
      this.place.period = period;
      this.place.at = 0;
      for (const other of this.periods.querySelectorAll("[aria-pressed]")) other.setAttribute("aria-pressed", String(other === b));
      void this.open();
    });
    return b;
  }

  /** open lists the place's period from where the reader was. */
  private async open(): Promise<void> {
    const { code, type, period, at } = this.place;
    const query = { sector: code, type, since: period?.since, until: period?.until };
    this.list?.box.remove();
    const list = new LongList({
      ask: (cursor) => this.data.list(query, 100, cursor),
      row: this.row,
      count: this.count(),
      at,
      none: () => (this.data.online ? "这里还没有公开的公告。" : "网络中断，本机没有存这段时间的公告，请稍后再试。"),
      moved: () => this.list === list && this.tell(),
    });
    this.list = list;
    this.page.append(list.box);
    this.tell();
    await list.fill();
  }

  private count(): number {
    const { period } = this.place;
    return (period ? this.archive?.periods.find((p) => same(p, period))?.count : this.archive?.total) ?? 0;
  }

  /** tell says what is listed and how far down the reader is. */
  private tell(): void {
    const { period } = this.place;
    const row = Math.floor((this.list?.at ?? 0) + 0.01);
    this.where.textContent = (period ? year(period) + month(period) + day(period) : "最新公告") + " · 共 " + amount(this.count()) + (row ? ` · 第 ${(row + 1).toLocaleString("zh-CN")} 条起` : "");
    this.moved();
  }

  /** turns shows the buttons beside the periods where these do not all fit. */
  private turns(): void {
    const { scrollTop, scrollHeight, clientHeight } = this.periods;
    this.turn.hidden = scrollHeight <= this.rail.clientHeight;
    this.newer.disabled = scrollTop < 2;
    this.older.disabled = scrollTop + clientHeight > scrollHeight - 2;
  }
}
