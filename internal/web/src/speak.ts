/** texts collects what is to be read: headings and lines, not every cell of a long table. */
async function texts(page: HTMLElement): Promise<string[]> {
  try {
    const res = await fetch(`/api/v1/notices/${page.dataset.code}/speech`, { credentials: "omit" });
    if (res.ok) {
      const speech: { prompt: string; pages: string[] } = await res.json();
      return [speech.prompt, ...speech.pages].filter(Boolean);
    }
  } catch {
    // Offline: read what is on the screen.
  }
  const lines = [page.querySelector("h1")?.textContent ?? ""];
  page.querySelectorAll(".key li, .facts tr, .fields tr, .text p, .text li").forEach((e) => lines.push((e as HTMLElement).innerText.replace(/\s+/g, "，")));
  return lines;
}

/** hush ends reading aloud. */
export function hush(): void {
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
    stop();
    return "";
  }
  if (!("speechSynthesis" in window)) return "这个浏览器不能朗读";
  const voices = speechSynthesis.getVoices();
  const voice = voices.find((v) => v.lang.toLowerCase().startsWith("zh"));
  if (!voice) return "本机没有安装中文语音，请拨打热线收听";
  button.textContent = "停止朗读";
  button.setAttribute("aria-pressed", "true");
  const lines = await texts(page);
  lines.forEach((line, i) => {
    const u = new SpeechSynthesisUtterance(line);
    u.lang = "zh-CN";
    u.voice = voice;
    if (i === lines.length - 1) u.onend = stop;
    speechSynthesis.speak(u);
  });
  return "";
}
