// Search without a keyboard: digits are a notice's code, letters the initials
// of pinyin (gzf finds 公租房).
import type { Item, Snapshot } from "./data";
import { el } from "./dom";

const keys = ["1234567890", "qwertyuiop", "asdfghjkl", "zxcvbnm"];

/** keypad is the pad on the screen; press is told each key. */
export function keypad(press: (key: string) => void): HTMLElement {
  const pad = el("div", { class: "pad", role: "group", "aria-label": "键盘" });
  const key = (name: string, attributes: Record<string, string> = {}) => {
    const b = el("button", { type: "button", ...attributes }, name);
    b.addEventListener("click", () => press(name));
    return b;
  };
  for (const line of keys) {
    const extra = line.startsWith("z") ? [key("删除", { class: "wide" }), key("清空", { class: "wide" })] : [];
    pad.append(el("div", {}, ...[...line].map((k) => key(k)), ...extra));
  }
  return pad;
}

export interface Found {
  words: string[]; // to search all notices for
  items: Item[]; // of the newest
  hint: string; // what to do when nothing was found
}

/** matches looks typed digits or letters up in the snapshot. */
export function matches(snapshot: Snapshot, typed: string): Found {
  if (!typed) return { words: [], items: [], hint: "" };
  if (/^\d+$/.test(typed)) {
    return { words: [], items: snapshot.items.filter((i) => i.code.startsWith(typed)), hint: "最新公告中没有这个编号，请输完 8 位。" };
  }
  const known = snapshot.words.filter((w) => w.initials.startsWith(typed));
  const words = new Set(known.map((w) => w.word));
  const exact = known.filter((w) => w.initials === typed).map((w) => w.word); // gzf means 公共租赁住房 too
  const items: Item[] = [];
  for (const item of snapshot.items) {
    const at = item.initials.indexOf(typed);
    if (at < 0) {
      if (exact.some((w) => item.title.includes(w))) items.push(item);
      continue;
    }
    items.push(item);
    const word = [...item.title].slice(at, at + typed.length).join("");
    if (typed.length > 1 && /^\p{Script=Han}+$/u.test(word)) words.add(word);
  }
  return { words: [...words], items, hint: "没有找到，请少输几个字母，或改用编号。" };
}
