// The subscribe page within WeChat: sets the JS-SDK up with the signature the
// server made and shows WeChat's own subscribe button.
interface WeChat {
  config(options: object): void;
  ready(run: () => void): void;
  error(run: (problem: { errMsg: string }) => void): void;
}
declare const wx: WeChat | undefined;

const box = document.getElementById("wx");
const say = (text: string) => {
  const state = document.getElementById("wx-state");
  if (state) state.textContent = text;
};

/** outcome tells in words what the reader chose for each template. */
function outcome(details: string): string {
  const statuses: string[] = [];
  const all: Record<string, string> = JSON.parse(details);
  for (const one of Object.values(all)) statuses.push((JSON.parse(one) as { status: string }).status);
  if (statuses.every((s) => s === "accept")) return "已订阅，有新公告会发到您的微信。";
  if (statuses.some((s) => s === "accept")) return "部分订阅成功，其余的没有允许。";
  if (statuses.some((s) => s === "filter")) return "该模板暂时不能订阅，请改用公众号二维码。";
  return "没有订阅。需要时可以再点一次。";
}

function button(templates: string): void {
  const place = document.getElementById("wx-button");
  if (!place) return;
  const element = document.createElement("wx-open-subscribe");
  element.setAttribute("template", templates);
  element.innerHTML =
    '<script type="text/wxtag-template"><style>.b{width:100%;height:48px;border:0;border-radius:8px;background:#0a5c43;color:#fff;font-size:17px}</style><button class="b">订阅公告</button></script>';
  element.addEventListener("success", (e) => say(outcome((e as CustomEvent).detail.subscribeDetails)));
  element.addEventListener("error", () => say("没有订阅成功，请改用下面的二维码。"));
  place.append(element);
}

if (box && typeof wx !== "undefined") {
  const { app, time, nonce, signature, templates } = box.dataset;
  wx.config({ appId: app, timestamp: Number(time), nonceStr: nonce, signature, jsApiList: [], openTagList: ["wx-open-subscribe"] });
  wx.ready(() => button(templates ?? ""));
  wx.error(() => say("微信没有接受本页的签名，请改用二维码订阅。"));
} else if (box) {
  say("请在微信中打开本页，或用下面的二维码订阅。");
}
