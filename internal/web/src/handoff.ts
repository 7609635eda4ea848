// What a reader takes away from the kiosk: the notice on the phone, on a slip of
// paper, or read aloud.
import type { Data } from "./data";
import { byId, el } from "./dom";
import { speak } from "./speak";

/** code draws a QR code over what it is for, or words where there is no network to fetch it over. */
function code(src: string, alt: string, otherwise: string, purpose = ""): HTMLElement[] {
  const img = el("img", { src, alt, width: "320", height: "320" });
  const words = purpose ? [el("p", {}, purpose)] : [];
  img.addEventListener("error", () => {
    img.replaceWith(el("p", { class: "noqr" }, otherwise));
    for (const line of words) line.remove();
  });
  return [img, ...words];
}

/**
 * lead puts beside the title what people came for: the notice to take away on
 * the phone, as a slip, or to hear.
 */
export function lead(article: HTMLElement, data: Data, printer: boolean, toast: (text: string) => void): void {
  const { code: number = "", rev = "" } = article.dataset;
  const { hotline = "", url = "" } = document.body.dataset;
  const read = el("button", { type: "button", "data-read": "" }, "朗读");
  read.addEventListener("click", () => void speak(article, read).then((problem) => problem && toast(problem)));
  const actions = el("p", { class: "actions" }, read);
  if (printer) {
    const print = el("button", { type: "button" }, "打印小票");
    print.addEventListener("click", () => printSlip(article, data));
    actions.append(print);
  }
  const words = el("div", { class: "lead-text" });
  for (const part of article.querySelectorAll(":scope > h1, :scope > .key")) words.append(part);
  words.append(actions);
  if (hotline) words.append(el("p", { class: "sub" }, `也可拨打 ${hotline}，报编号收听`));
  const take = el(
    "div", { class: "take" }, ...code(`/api/v1/notices/${number}/qr.svg`, "本公告的二维码", `网络中断，请在手机上打开 ${url}/n/${number}/${rev}`, "扫码在手机上看"),
    el("p", { class: "big-code" }, number),
  );
  const head = el("div", { class: "lead" }, words, take);
  const banner = article.querySelector(":scope > .banner:last-of-type");
  if (banner) banner.after(head);
  else article.prepend(head);
}

/** hand is the end of a notice: how to hear of the next ones. */
export function hand(): HTMLElement {
  return el(
    "section", { class: "hand", "aria-label": "订阅" }, ...code("/api/v1/kiosk/subscribe-qr.svg", "订阅公告的二维码", "网络恢复后可扫码订阅"),
    el("div", {}, el("p", { class: "hand-title" }, "扫码订阅"), el("p", {}, "有新公告、更正或终止，微信会告诉您。")),
  );
}

/** cutAfter makes the page as long as the slip is: its paper comes from a roll, and no style knows a length for that. */
function cutAfter(slip: HTMLElement): void {
  slip.className = "measured";
  const millimetres = Math.ceil((slip.offsetHeight * 25.4) / 96) + 10;
  slip.className = "";
  const sheet = document.styleSheets[0];
  const last = sheet.cssRules[sheet.cssRules.length - 1];
  if (last instanceof CSSPageRule) sheet.deleteRule(sheet.cssRules.length - 1);
  sheet.insertRule(`@page { size: 80mm ${millimetres}mm; margin: 4mm }`, sheet.cssRules.length);
}

function printSlip(article: HTMLElement, data: Data): void {
  const { code = "", rev = "", body = "", source = "", deadline: until = "", state = "" } = article.dataset;
  const slip = byId("slip");
  const line = (label: string, text: string) => (text ? [el("p", {}, el("b", {}, label), " ", text)] : []);
  const at = new Intl.DateTimeFormat("zh-CN", { timeZone: "Asia/Shanghai", dateStyle: "medium", timeStyle: "short" }).format(data.now());
  const madeUp = document.querySelector("body > .demo")?.textContent;
  slip.textContent = "";
  slip.append(
    el("p", { class: "slip-site" }, document.querySelector(".brand")?.textContent ?? ""), ...(madeUp ? [el("p", {}, madeUp)] : []), el("h2", {}, article.querySelector("h1")?.textContent ?? ""), ...line("编号", code), ...line("状态", state), ...line("截止", until), ...line("公开主体", body), ...line("来源", source), ...line("版本", `第 ${rev} 版`),
    ...line("打印", at + (data.online ? "" : "（离线打印，可能不是最新）")), el("img", { src: `/api/v1/notices/${code}/qr.svg`, alt: "" }), el("p", { class: "slip-hint" }, "扫码看全文和最新版本"), ...line("热线", document.body.dataset.hotline ?? ""),
  );
  const img = slip.querySelector("img");
  const go = () => (cutAfter(slip), print());
  if (!img || img.complete) return go();
  // Who has left by then, or asked again, wants this one no more.
  img.addEventListener("load", () => img.isConnected && go());
  img.addEventListener("error", () => img.isConnected && (img.remove(), go()));
}
