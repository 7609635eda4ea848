/** texts collects what is to be read, in pieces that a voice says in one go: headings and lines, not every cell of a long table. What was withdrawn has none. */
async function texts(page: HTMLElement): Promise<string[]> {
  try {
    const res = await fetch(`/api/v1/notices/${page.dataset.code}/speech`, { credentials: "omit" });
    if (res.ok) {
      const speech: { prompt: string; pages: string[] } = await res.json();
      return speech.pages.length ? speech.pages : [speech.prompt];
    }
    if (res.status === 410) return [];
  } catch {
    // Offline: read what is on the screen.
  }
  const lines = [page.querySelector("h1")?.textContent ?? ""];
  page.querySelectorAll(".key li, .facts tr, .fields tr, .text p, .text li").forEach((e) => lines.push((e as HTMLElement).innerText.replace(/\s+/g, "，")));
  return lines;
}

let turn = 0; // counts, so that what was asked for before it was quiet is not read after
let release = (): void => undefined; // makes the button ready again that began it

const chinese = () => speechSynthesis.getVoices().find((v) => v.lang.toLowerCase().startsWith("zh"));
if ("speechSynthesis" in window) chinese(); // a browser lists its voices only after it was first asked

/** voice is a Chinese one: it waits a moment for a list that is still empty. */
async function voice(): Promise<SpeechSynthesisVoice | undefined> {
  for (let tries = 0; tries < 10 && !speechSynthesis.getVoices().length; tries++) await new Promise((done) => setTimeout(done, 100));
  return chinese();
}

/** hush ends reading aloud, what is still to begin included. */
export function hush(): void {
  turn++;
  release();
  if ("speechSynthesis" in window) speechSynthesis.cancel();
}

/**
 * speak reads a notice aloud, or stops reading. It returns what to tell the
 * reader, "" when all is well.
 */
export async function speak(page: HTMLElement, button: HTMLButtonElement): Promise<string> {
  const stop = () => {
    button.textContent = "朗读";
    button.setAttribute("aria-pressed", "false");
  };
  if (button.getAttribute("aria-pressed") === "true") {
    hush();
    return "";
  }
  if (!("speechSynthesis" in window)) return "这个浏览器不能朗读";
  hush();
  const mine = turn;
  release = stop;
  button.textContent = "停止朗读";
  button.setAttribute("aria-pressed", "true");
  const [by, lines] = await Promise.all([voice(), texts(page)]);
  if (mine !== turn) return ""; // the reader has left, or wants quiet
  if (!lines.length) {
    hush();
    return "这条公告已撤回，不再朗读";
  }
  if (!by) {
    hush();
    return "本机没有安装中文语音，请拨打热线收听";
  }
  lines.forEach((line, i) => {
    const u = new SpeechSynthesisUtterance(line);
    u.lang = "zh-CN";
    u.voice = by;
    if (i === lines.length - 1) u.onend = () => mine === turn && stop();
    u.onerror = () => mine === turn && hush(); // else it was ended on purpose
    speechSynthesis.speak(u);
  });
  return "";
}
