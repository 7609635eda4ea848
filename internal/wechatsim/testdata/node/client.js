// Talks to the simulator through co-wechat-api, a client of WeChat's API, and
// writes what came back as JSON: node client.js BASE APPID SECRET SPEC
'use strict'

const API = require('co-wechat-api')

async function main() {
  const [base, appid, secret, spec] = process.argv.slice(2)
  const { openid, foreign, template, data, steps } = JSON.parse(spec)
  const api = new API(appid, secret)
  api.prefix = base + '/cgi-bin/'
  api.wxaPrefix = base + '/wxa/'
  const calls = {
    template: () => api.sendTemplate(openid, template, 'https://example.cn/n/1', undefined, data),
    badTemplate: () => api.sendTemplate(openid, 'x'.repeat(43), null, undefined, data),
    foreign: () => api.sendTemplate(foreign, template, null, undefined, data),
    missingField: () => api.sendTemplate(openid, template, null, undefined, {}),
    subscribe: () => api.sendSubscribeMessage(openid, template, 'pages/notice?id=1', data),
    text: () => api.sendText(openid, '您好'),
    user: () => api.getUser(openid),
    followers: () => api.getFollowers(),
    qrcode: () => api.createTmpQRCode('s:land:k03', 600),
    createMenu: () => api.createMenu({ button: [{ type: 'click', name: '订阅', key: 'subscribe' }] }),
    getMenu: () => api.getMenu(),
    removeMenu: () => api.removeMenu(),
    addresses: () => api.getIp(),
    jsConfig: () => api.getJsConfig({ debug: false, jsApiList: [], url: 'https://example.cn/' }),
    token: async () => ({ length: (await api.getAccessToken()).accessToken.length }),
    staleToken: async () => {
      await api.saveToken({ accessToken: 'x'.repeat(136), expireTime: Date.now() + 1e6 })
      return api.getMenu() // the client fetches a token on 40001 and asks again
    },
  }
  const out = []
  for (const step of steps) {
    try {
      const value = await calls[step]()
      out.push({ step, value: JSON.parse(JSON.stringify(value === undefined ? null : value, (k, v) => (v && v.constructor && v.constructor.name === 'BigNumber' ? v.toFixed() : v))) })
    } catch (e) {
      out.push({ step, code: e.code, message: String(e.message).replace(/rid: .*/, 'rid') })
    }
  }
  process.stdout.write(JSON.stringify(out))
}

main().catch(e => { console.error(e); process.exit(1) })
