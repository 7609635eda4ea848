// A list to be leafed through with the finger, however long: it is as high as
// all its rows from the start, and fetches them ahead of the reader.
import type { Item, List } from "./data";
import { el } from "./dom";

export interface LongListOptions {
  ask: (cursor: string) => Promise<List>; // for the first rows, then for those that follow
  row: (item: Item) => HTMLElement;
  count: number; // how many there are, 0 when that is not known
  at: number; // the row to begin at
  none: () => string; // what to say when there is nothing
  moved: () => void; // told when the reader has moved or the list has grown
}

/** LongList is a column of rows that scrolls by itself. */
export class LongList {
  readonly box = el("div", { class: "list" });
  private readonly rows = el("ul", { class: "rows", "aria-busy": "true" }, el("li", { class: "skeleton" }, el("i"), el("i"), el("i")));
  private readonly foot = el("p", { class: "cut", role: "status" });
  private next: string | null = "";
  private loaded = 0;
  private busy = false;
  private begin: number; // the row to return to, 0 once that is done

  constructor(private readonly options: LongListOptions) {
    this.begin = options.at;
    this.box.append(this.rows, this.foot);
    this.box.addEventListener("scroll", () => (options.moved(), void this.fill()), { passive: true });
  }

  /** height of a row with its line: the style makes all alike. */
  private get height(): number {
    return (this.rows.firstElementChild as HTMLElement | null)?.offsetHeight || 1;
  }

  /** at is the row at the top of the screen. */
  get at(): number {
    return this.begin || this.box.scrollTop / this.height;
  }

  /** fill fetches what is missing down to a screen below the one in sight. */
  async fill(): Promise<void> {
    if (this.busy) return;
    this.busy = true;
    try {
      while (this.next !== null && (!this.loaded || this.loaded < this.at + (2 * this.box.clientHeight) / this.height)) {
        const page = await this.options.ask(this.next);
        if (!this.box.isConnected) return;
        this.take(page);
      }
    } catch {
      this.begin = 0;
      this.foot.textContent = "网络中断，后面的公告暂时读不到。";
    } finally {
      this.busy = false;
      this.options.moved();
    }
  }

  private take(page: List): void {
    if (!this.loaded) {
      this.rows.removeAttribute("aria-busy");
      this.rows.textContent = "";
    }
    this.rows.append(...page.items.map(this.options.row));
    this.loaded += page.items.length;
    this.next = page.next;
    this.foot.textContent = "";
    if (!this.loaded && this.next === null) return this.empty();
    // Room for the rest, so that the bar tells how long the list is and leads to its end at once.
    this.rows.style.minHeight = this.next === null ? "" : Math.max(this.options.count, this.loaded) * this.height + "px";
    if (this.begin) this.box.scrollTop = this.begin * this.height;
    if (this.loaded > this.begin || this.next === null) this.begin = 0;
  }

  private empty(): void {
    this.rows.replaceWith(el("p", { class: "empty" }, this.options.none()));
  }

  /** drop takes rows out and says whether it held any of them. */
  drop(ids: string[]): boolean {
    const gone = [...this.rows.querySelectorAll<HTMLElement>("[data-id]")].filter((e) => ids.includes(e.dataset.id ?? ""));
    for (const e of gone) e.closest("li")?.remove();
    this.loaded -= gone.length;
    this.options.count -= gone.length;
    if (gone.length && !this.loaded && this.next === null) this.empty();
    else if (gone.length) void this.fill();
    return gone.length > 0;
  }
}
