// The H5's script. Every page works without it: it asks whether the copy on the
// screen is still current, and offers large type, reading aloud, a link to copy
// and printing where the browser can do that.
import { retell } from "./closing";
import { hush, speak } from "./speak";

const root = document.documentElement;
const article = document.querySelector<HTMLElement>("article.notice");

/** offer shows the buttons of an action and calls back when one is pressed. */
function offer(action: string, run: (button: HTMLButtonElement) => void): void {
  for (const button of document.querySelectorAll<HTMLButtonElement>(`[data-do="${action}"]`)) {
    button.hidden = false;
    button.addEventListener("click", () => run(button));
  }
}

function remember(key: string, value: string): void {
  try {
    if (value) localStorage.setItem(key, value);
    else localStorage.removeItem(key);
  } catch {
    // Private browsing: it holds for this page.
  }
}

function elder(): void {
  const mark = (button: HTMLButtonElement) => button.setAttribute("aria-pressed", String(root.classList.contains("elder")));
  offer("elder", (button) => {
    root.classList.toggle("elder");
    remember("elder", root.classList.contains("elder") ? "1" : "");
    mark(button);
  });
  document.querySelectorAll<HTMLButtonElement>('[data-do="elder"]').forEach(mark);
}

/** banner says on top of the notice what has become of it. */
function banner(kind: string, text: string, href = "", link = ""): void {
  const box = document.getElementById("state");
  if (!box) return;
  const line = document.createElement("div");
  line.className = "banner " + kind;
  line.textContent = text;
  if (href) {
    const a = document.createElement("a");
    a.href = href;
    a.textContent = link;
    line.append(" ", a);
  }
  box.textContent = "";
  box.append(line);
}

/** clear takes what a withdrawn notice said off a copy that a browser kept: it is public nowhere else. */
function clear(page: HTMLElement): void {
  hush();
  const title = document.createElement("h1");
  title.textContent = document.title = "公告已撤回";
  for (const part of [...page.children]) if (part.id !== "state") part.remove();
  page.prepend(title);
}

/**
 * check asks whether this copy is still current. WeChat keeps pages for hours
 * whatever their headers say, and a copy of a corrected tender is a wrong one.
 */
async function check(page: HTMLElement): Promise<void> {
  const { code, current } = page.dataset;
  const res = await fetch(`/api/v1/notices/${code}/head`, { cache: "no-store", credentials: "omit" });
  if (res.status === 404) return banner("bad", "本公告已不在公开范围内，请以最新公开内容为准。", "/", "回到首页");
  if (!res.ok) return;
  retell(page, Date.parse(res.headers.get("Date") ?? "")); // the server's time: a phone's may be wrong
  const head: { rev: number; status: string; superseded_by: string | null } = await res.json();
  const more = head.superseded_by ? `/n/${head.superseded_by}` : "";
  if (head.status === "withdrawn") {
    banner("bad", "本公告已撤回，内容不再公开。", `/n/${code}`, "查看撤回原因");
    clear(page);
  } else if (head.status === "terminated" && String(head.rev) !== current) {
    banner("bad", "本公告已终止。", more || `/n/${code}`, "查看终止公告");
  } else if (String(head.rev) !== current) {
    banner("warn", `本公告已更正，现为第 ${head.rev} 版。`, `/n/${code}/${head.rev}`, "查看最新版");
  }
}

function hand(page: HTMLElement): void {
  offer("print", () => window.print());
  const told = document.getElementById("told");
  if ("speechSynthesis" in window) offer("read", (button) => void speak(page, button).then((problem) => told && (told.textContent = problem)));
  if (navigator.share || navigator.clipboard) {
    offer("share", async (button) => {
      const url = location.origin + location.pathname;
      try {
        if (navigator.share) await navigator.share({ title: document.title, url });
        else {
          await navigator.clipboard.writeText(url);
          button.textContent = "已复制";
        }
      } catch {
        // The reader closed the sheet.
      }
    });
  }
}

/** why offers whoever came from a pushed card the page that says why it came. */
function why(page: HTMLElement): void {
  const signed = /^#why=([\w-]{27})$/.exec(location.hash);
  if (!signed) return;
  const line = document.createElement("p");
  const link = document.createElement("a");
  link.href = "/why/" + signed[1];
  link.textContent = "为什么收到这条推送，或暂停接收";
  line.append(link);
  page.prepend(line);
}

elder();
if (article) {
  why(article);
  const look = () => void check(article).catch(() => undefined); // out of reach: the page says its time itself
  look();
  // Coming back from another page, or to the foreground, is opening it again.
  addEventListener("pageshow", (event) => event.persisted && look());
  document.addEventListener("visibilitychange", () => document.visibilityState === "visible" && look());
  hand(article);
  addEventListener("pagehide", hush); // some browsers read on
}
