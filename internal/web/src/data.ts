// What the kiosk shows: lists and notices from the server while it answers, and
// from the snapshot of the newest notices when it does not.

/** Item is a notice in a list; in the snapshot it comes with its page. */
export interface Item {
  id: string;
  code: string;
  rev: number;
  title: string;
  sector: string;
  type: string;
  type_name: string;
  body_name: string;
  status: string;
  corrected: boolean; // by a notice of its own
  published_at: string;
  deadline_at: string | null;
  project_code: string | null;
  initials: string; // one character for each of the title's
  html: string | null; // null for notices that may not be kept
}

export interface Snapshot {
  seq: number;
  as_of: string;
  sectors: { code: string; name: string; count: number }[];
  items: Item[];
  words: { word: string; initials: string }[];
}

/** Period is a month, or a day of a month with many notices; its bounds are civil days. */
export interface Period {
  since: string;
  until: string;
  count: number;
}

/** Project is a project's notices by stage, as far as they are known. */
export interface Project {
  status: string; // how far it is, in a sentence
  stages: { name: string; items: Item[] }[];
  local: boolean; // of the stored notices only
}

/** Archive is what there is of a sector, or of one type in it, by when it was published. */
export interface Archive {
  total: number;
  types: { code: string; name: string; count: number }[]; // of the sector
  periods: Period[]; // newest first
  local: boolean; // of the stored notices only
}

export interface Query {
  sector?: string;
  type?: string;
  since?: string; // days of publication
  until?: string;
  q?: string;
  sort?: "deadline";
}

export interface List {
  items: Item[];
  next: string | null;
}

/** Summary is a notice as the server lists it. */
type Summary = Omit<Item, "body_name" | "corrected"> & { body: { name: string }; relations: { type: string }[] };

const store = "gongkai-kiosk-data";
const snapshotURL = "/kiosk/snapshot.json";
const changes = 100; // one answer of the feed
const usualWait = 4000;

/** troubles are names of what went wrong since they were last reported. */
export const troubles = new Set<string>();

/** Missing is the server's word that something is not there, with its reason. */
export class Missing extends Error {}

/** get asks the server and gives up after a while: a hall's network may swallow requests. */
export async function get(url: string, wait = usualWait, init: RequestInit = {}): Promise<Response> {
  const stop = new AbortController();
  const timer = setTimeout(() => stop.abort(), wait);
  try {
    return await fetch(url, { cache: "no-cache", credentials: "omit", signal: stop.signal, ...init });
  } finally {
    clearTimeout(timer);
  }
}

/** unkept is for what somebody asked for: the browser's own cache would keep it by its address. */
const unkept: RequestInit = { cache: "no-store" };

const empty: Snapshot = { seq: 0, as_of: "", sectors: [], items: [], words: [] };

/** Data is the one copy of the snapshot and the position of the change feed it stands for. */
export class Data {
  snapshot: Snapshot = empty;
  online = false;
  seq = 0;
  /** something has changed since the snapshot was asked for */
  behind = false;
  /** when the server was last heard, by its own clock and by the monotonic one */
  private heard = { server: 0, at: 0 };
  /** withdrawn since the page was opened: what was on its way may still name them */
  private readonly gone = new Set<string>();
  /** from then on the feed alone moves seq: a snapshot would skip withdrawals of what is on the screen */
  private following = false;

  /** open reads the stored snapshot, then asks for a newer one. */
  async open(): Promise<void> {
    try {
      const kept = await (await caches.open(store)).match(snapshotURL);
      if (kept) this.take(await kept.json());
    } catch {
      troubles.add("storage.none"); // no secure context: then there is no offline copy
    }
    await this.refresh();
  }

  private take(s: Snapshot): void {
    this.snapshot = { ...s, items: s.items.filter((i) => !this.gone.has(i.id)) };
    if (!this.following) this.seq = Math.max(this.seq, s.seq);
  }

  /** isGone reports whether the notice was withdrawn since the page was opened. */
  isGone(id = ""): boolean {
    return this.gone.has(id);
  }

  /** refresh asks for the newest snapshot and keeps it. */
  async refresh(): Promise<void> {
    this.behind = false; // until the feed says otherwise, also while this is on its way
    try {
      const res = await get(snapshotURL, 8000);
      if (!res.ok) {
        troubles.add("snapshot." + res.status);
        throw new Error("snapshot " + res.status);
      }
      const s: Snapshot = await res.json();
      this.take(s);
      this.hearOf(res);
    } catch (e) {
      this.behind = true;
      throw e;
    }
    await this.keep();
  }

  private async keep(): Promise<void> {
    const copy = new Response(JSON.stringify(this.snapshot), { headers: { "Content-Type": "application/json" } });
    try {
      await (await caches.open(store)).put(snapshotURL, copy);
    } catch {
      troubles.add("storage.refused"); // as above, or the disk is full: the copy in memory still serves
    }
  }

  private hear(asOf: string): void {
    this.online = true;
    this.heard = { server: Date.parse(asOf), at: performance.now() };
  }

  /** hearOf takes the server's time from an answer. */
  private hearOf(res: Response): void {
    this.hear(res.headers.get("Date") || this.snapshot.as_of);
  }

  /** now is the server's time: the terminal's clock may be wrong. */
  now(): number {
    if (this.heard.server) return this.heard.server + performance.now() - this.heard.at;
    return Math.max(Date.now(), Date.parse(this.snapshot.as_of) || 0); // started without a network: not before what is stored
  }

  /** asOf is the time of day the content stands for, as 11:20. */
  asOf(): string {
    const heard = this.heard.server && (this.online || !this.behind); // else what is stored is older than the last word
    const at = new Date(heard ? this.heard.server : Date.parse(this.snapshot.as_of));
    return isNaN(at.getTime()) ? "" : new Intl.DateTimeFormat("zh-CN", { timeZone: "Asia/Shanghai", month: "numeric", day: "numeric", hour: "2-digit", minute: "2-digit" }).format(at);
  }

  /** follow asks what has changed since, as much as one answer tells; withdrawn notices are dropped at once. */
  async follow(): Promise<{ withdrawn: string[]; changed: string[]; full: boolean }> {
    if (!this.snapshot.as_of) await this.refresh(); // there is nothing yet that the feed would go on from
    this.following = true;
    const res = await get(`/api/v1/changes?after=${this.seq}&limit=${changes}`, 2500);
    if (!res.ok) throw new Error("changes " + res.status);
    const feed: { items: { seq: number; kind: string; notice_id: string | null }[]; last_seq: number } = await res.json();
    this.hearOf(res);
    const withdrawn: string[] = [];
    const changed: string[] = [];
    for (const c of feed.items) {
      this.seq = c.seq;
      if (c.notice_id) (c.kind === "withdrawn" ? withdrawn : changed).push(c.notice_id);
      else changed.push("");
    }
    if (feed.items.length) this.behind = true;
    else if (feed.last_seq < this.seq) this.seq = feed.last_seq; // a restored backup
    for (const id of withdrawn) this.gone.add(id);
    if (withdrawn.length) await this.drop(withdrawn);
    return { withdrawn, changed, full: feed.items.length === changes };
  }

  private async drop(ids: string[]): Promise<void> {
    const items = this.snapshot.items.filter((i) => !ids.includes(i.id));
    if (items.length === this.snapshot.items.length) return;
    this.snapshot = { ...this.snapshot, items };
    await this.keep();
  }

  /**
   * list returns a page of notices, from the snapshot where the server is out of
   * reach. It throws when the pages before were the server's: the two do not mix.
   */
  async list(query: Query, limit: number, cursor: string): Promise<List> {
    if (!cursor.startsWith("#")) {
      try {
        return await this.ask(query, limit, cursor);
      } catch (e) {
        this.online = false;
        if (cursor) throw e;
      }
    }
    const found = this.local(query);
    const from = cursor.startsWith("#") ? Number(cursor.slice(1)) : 0;
    return { items: found.slice(from, from + limit), next: from + limit < found.length ? "#" + (from + limit) : null };
  }

  private async ask(query: Query, limit: number, cursor: string): Promise<List> {
    const v = new URLSearchParams({ limit: String(limit) });
    if (query.type) v.set("type", query.type); // it is of one sector
    else if (query.sector) v.set("sector", query.sector);
    if (query.since) v.set("since", query.since);
    if (query.until) v.set("until", query.until);
    if (query.q) v.set("q", query.q);
    if (query.sort) v.set("sort", query.sort), v.set("open", "true");
    if (cursor) v.set("cursor", cursor);
    const res = await get("/api/v1/notices?" + v, usualWait, query.q ? unkept : {});
    if (!res.ok) throw new Error("notices " + res.status);
    this.hearOf(res); // before a row says what is over
    const page: { items: Summary[]; next: string | null } = await res.json();
    return { items: this.items(page.items), next: page.next };
  }

  private items(summaries: Summary[]): Item[] {
    return summaries
      .filter((i) => !this.gone.has(i.id))
      .map((i) => ({
        ...i,
        body_name: i.body.name,
        corrected: i.relations.some((r) => r.type === "corrected_by"),
        deadline_at: i.status === "terminated" ? null : i.deadline_at, // what has been called off closes no more
      }));
  }

  /** project returns a project's notices, the stored ones where the server is out of reach. It throws Missing. */
  async project(code: string): Promise<Project> {
    try {
      const res = await get("/api/v1/projects/" + encodeURIComponent(code));
      if (res.ok) {
        this.hearOf(res);
        const p: { status: string; stages: { name: string; notices: Summary[] }[] } = await res.json();
        return { status: p.status, stages: p.stages.map((s) => ({ name: s.name, items: this.items(s.notices) })), local: false };
      }
      if (res.status === 404) throw new Missing("这个项目的公告已不再公开。");
    } catch (e) {
      if (e instanceof Missing) throw e;
      this.online = false;
    }
    const items = this.snapshot.items.filter((i) => i.project_code === code);
    if (!items.length) throw new Missing("网络中断，本机没有存这个项目的公告，请稍后再试。");
    return { status: "网络中断，只列出本机存有的公告。", stages: [{ name: "", items }], local: true };
  }

  /** count is how many public notices hold a word, among the stored ones where the server is out of reach. */
  async count(q: string): Promise<{ total: number; more: boolean }> {
    if (this.online) {
      try {
        const res = await get("/api/v1/notices?" + new URLSearchParams({ q, limit: "1" }), usualWait, unkept);
        if (res.ok) {
          const page: { total: number; total_capped: boolean } = await res.json();
          return { total: page.total, more: page.total_capped };
        }
      } catch {
        this.online = false;
      }
    }
    return { total: this.local({ q }).length, more: true };
  }

  /** archive is what there is of a sector, among the stored notices where the server is out of reach. */
  async archive(sector: string, type: string): Promise<Archive> {
    try {
      const v = new URLSearchParams({ sector });
      if (type) v.set("type", type);
      const res = await get("/api/v1/archive?" + v);
      if (!res.ok) throw new Error("archive " + res.status);
      const { total, types, periods }: Archive = await res.json();
      return { total, types, periods, local: false };
    } catch {
      this.online = false;
    }
    return this.localArchive(sector, type);
  }

  private localArchive(sector: string, type: string): Archive {
    const types = new Map<string, Archive["types"][0]>();
    const periods = new Map<string, Period>();
    for (const i of this.local({ sector })) {
      const t = types.get(i.type) ?? { code: i.type, name: i.type_name, count: 0 };
      t.count++;
      types.set(i.type, t);
      if (type && type !== i.type) continue;
      const month = i.published_at.slice(0, 7);
      const last = new Date(Date.UTC(Number(month.slice(0, 4)), Number(month.slice(5)), 0)).getUTCDate();
      const p = periods.get(month) ?? { since: month + "-01", until: `${month}-${last}`, count: 0 };
      p.count++;
      periods.set(month, p);
    }
    const newest = [...periods.values()].sort((a, b) => (a.since < b.since ? 1 : -1));
    return { total: newest.reduce((n, p) => n + p.count, 0), types: [...types.values()].sort((a, b) => b.count - a.count), periods: newest, local: true };
  }

  private local(query: Query): Item[] {
    const now = this.now();
    const found = this.snapshot.items.filter(
      (i) =>
        (!query.sector || i.sector === query.sector) &&
        (!query.type || i.type === query.type) &&
        (!query.since || i.published_at.slice(0, 10) >= query.since) &&
        (!query.until || i.published_at.slice(0, 10) <= query.until) &&
        (!query.q || i.title.includes(query.q)) &&
        (!query.sort || (i.deadline_at !== null && Date.parse(i.deadline_at) > now)),
    );
    return query.sort ? found.sort((a, b) => Date.parse(a.deadline_at as string) - Date.parse(b.deadline_at as string)) : found;
  }

  /** notice returns the page of a notice. It throws Missing with words for the reader. */
  async notice(code: string): Promise<string> {
    try {
      const res = await get("/kiosk/n/" + encodeURIComponent(code), usualWait, unkept);
      if (res.ok) return await res.text();
      if (res.status === 404 || res.status === 410) {
        const problem: { title: string; detail: string } = await res.json();
        throw new Missing(problem.detail || problem.title);
      }
    } catch (e) {
      if (e instanceof Missing) throw e;
      this.online = false;
    }
    const kept = this.snapshot.items.find((i) => i.code === code);
    if (kept?.html) return kept.html;
    throw new Missing(kept ? "网络中断。这类公告含个人信息，不在本机保存，请稍后再试。" : "网络中断，本机只存有最新的公告，没有这一条。请稍后再试，或扫码在手机上查看。");
  }
}
