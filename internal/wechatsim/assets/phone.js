// Draws a person's phone and the desk beside it, and asks once a second whether
// there is something new. All that comes from outside goes in as text.
'use strict'

let state = JSON.parse(document.getElementById('state').textContent)
let view = { page: 'chat', app: state.conversations.length ? state.conversations[0].app : '' }
let typing = false // the keyboard is shown instead of the menu
let openMenu = -1
let dialog = null // the question about templates that is on screen
let seen = {} // newest bubble looked at, by conversation
const keep = new Set() // 总是保持以上选择: by account
let desk = { faults: [], callbacks: [] }

const phone = document.getElementById('phone')
const deskRoot = document.getElementById('desk')

// el makes an element: attributes, on… listeners, then children or text.
function el(tag, attributes = {}, ...children) {
  const e = document.createElement(tag)
  for (const [name, value] of Object.entries(attributes)) {
    if (name.startsWith('on')) e.addEventListener(name.slice(2), value)
    else if (value === true) e.setAttribute(name, '')
    else if (value !== false && value != null) e.setAttribute(name, value)
  }
  e.append(...children.flat().filter(c => c != null && c !== false))
  return e
}

// link opens what a card leads to; only web addresses are links.
function link(target, attributes, ...children) {
  if (!/^https?:\/\//i.test(target || '')) return el('div', attributes, ...children)
  return el('a', { ...attributes, href: target, target: '_blank', rel: 'noopener' }, ...children)
}

const clock = at => new Date(at).toLocaleTimeString('zh-CN', { hour: '2-digit', minute: '2-digit', hour12: false, timeZone: 'Asia/Shanghai' })
const day = at => new Date(at).toLocaleDateString('zh-CN', { month: 'long', day: 'numeric', timeZone: 'Asia/Shanghai' })
const when = at => (day(at) === day(state.now) ? '' : day(at) + ' ') + clock(at)
const conversation = app => state.conversations.find(c => c.app === app)

function avatar(kind, name, size) {
  const e = el('span', { class: 'avatar ' + kind, 'aria-hidden': 'true' }, [...name][0] || '')
  if (size) e.classList.add(size)
  return e
}

async function call(method, path, body) {
  const response = await fetch(path, { method, headers: body ? { 'Content-Type': 'application/json' } : {}, body: body && JSON.stringify(body) })
  const answer = await response.json()
  if (!response.ok) throw new Error(answer.detail || '操作没有成功')
  return answer
}

// act does something as the person and shows what came of it.
async function act(action, body = {}) {
  if (!state.person) return
  try {
    const done = call('POST', `/demo/sim/people/${state.person.id}/${action}`, body)
    setTimeout(refresh, 60) // what the person did shows before the server has answered
    await done
  } catch (problem) {
    toast(problem.message)
  }
  await refresh()
}

function toast(text) {
  const e = el('div', { class: 'toast', role: 'alert' }, text)
  phone.append(e)
  setTimeout(() => e.remove(), 2600)
}

// Conversations: bubbles of cards from mini-programs and accounts that are not
// followed stand in one of their own, 服务通知.
function bubblesOf(app) {
  if (app !== 'service') return conversation(app).bubbles.filter(b => !b.service)
  return state.conversations.flatMap(c => c.bubbles.filter(b => b.service).map(b => ({ ...b, account: c }))).sort((a, b) => a.seq - b.seq)
}

function preview(b) {
  if (!b) return ''
  if (b.kind === 'card') return `[${b.title}] ${b.rows.length ? b.rows[0].value : ''}`
  return b.text || (b.items && b.items[0].title) || ''
}

function drawList() {
  const rows = [{ app: 'service', kind: 'service', name: '服务通知' }, ...state.conversations]
    .map(c => ({ ...c, last: bubblesOf(c.app).at(-1) }))
    .filter(c => c.app !== 'service' || c.last)
    .sort((a, b) => (b.last ? b.last.seq : 0) - (a.last ? a.last.seq : 0))
  return [
    bar('微信', null, null),
    el('div', { class: 'scroll chats' }, rows.map(c => {
      const face = avatar(c.kind, c.name)
      if (c.last && c.last.seq > (seen[c.app] || 0) && c.last.from !== 'person') face.classList.add('badge')
      return el('button', { class: 'chat-row', onclick: () => go(c.kind === 'mini' ? 'profile' : 'chat', c.app) }, face,
        el('span', { class: 'middle' }, c.name, el('p', {}, preview(c.last) || (c.kind === 'mini' ? '小程序' : c.following ? '已关注' : '未关注'))),
        c.last && el('time', {}, when(c.last.at)))
    })),
  ]
}

function bar(title, back, more) {
  return el('div', { class: 'nav' },
    back ? el('button', { 'aria-label': '返回', onclick: back }, '‹') : el('span'),
    el('h1', {}, title),
    more ? el('button', { 'aria-label': '账号资料', onclick: more }, '⋯') : el('span'))
}

function drawChat(app) {
  const c = app === 'service' ? { app, kind: 'service', name: '服务通知', following: true, menu: [] } : conversation(app)
  const bubbles = bubblesOf(app)
  if (bubbles.length) seen[app] = bubbles.at(-1).seq
  const lines = []
  let last = 0
  for (const b of bubbles) {
    const at = Date.parse(b.at)
    if (at - last > 5 * 60 * 1000) lines.push(el('time', { class: 'when' }, when(b.at)))
    last = at
    lines.push(drawBubble(b, b.account || c))
  }
  return [
    bar(c.name, () => go('list'), app === 'service' ? null : () => go('profile', app)),
    el('div', { class: 'scroll', id: 'scroll' }, el('div', { class: 'talk', 'aria-live': 'polite' }, lines)),
    app === 'service' ? null : drawFoot(c),
  ]
}

function drawBubble(b, c) {
  switch (b.kind) {
    case 'card':
      return el('article', { class: 'card' },
        b.service && el('div', { class: 'from' }, avatar(c.kind, c.name), c.name),
        el('h2', {}, b.title),
        el('dl', {}, b.rows.flatMap(r => [el('dt', {}, r.label), el('dd', {}, r.value)])),
        b.link ? link(b.link, { class: 'more' }, '查看详情') : b.service && c.kind === 'mini' ? el('div', { class: 'more' }, '进入小程序查看') : null)
    case 'news':
      return el('article', { class: 'card' }, b.items.map(i => link(i.link, { class: 'article' },
        el('span', {}, el('b', {}, i.title), i.text ? el('p', {}, i.text) : null),
        i.picture ? el('img', { src: i.picture, alt: '' }) : null)))
    case 'page':
      return el('article', { class: 'card' }, el('h2', {}, b.title), el('div', { class: 'more' }, '小程序'))
  }
  if (b.from === 'system') return el('p', { class: 'system' }, b.text)
  const mine = b.from === 'person'
  const bubble = el('div', { class: 'bubble' }, el('span', {}, ...rich(b.text || '')))
  if (b.kind === 'menu') {
    for (const r of b.rows || []) bubble.append(el('button', { class: 'choice', onclick: () => act('say', { app: c.app, text: r.value }) }, r.value))
    if (b.title) bubble.append(el('span', {}, b.title))
  }
  return el('div', { class: mine ? 'line mine' : 'line' }, mine ? avatar('person', state.person.name) : avatar(c.kind, c.name), bubble)
}

// rich finds the two kinds of links that WeChat draws in texts.
function rich(text) {
  const parts = []
  const form = /<a\s+href=["']([^"']*)["'][^>]*>([^<]*)<\/a>|https?:\/\/[^\s<>"'，。；、）]+/gi
  let from = 0
  for (const m of text.matchAll(form)) {
    parts.push(text.slice(from, m.index))
    from = m.index + m[0].length
    const said = /^weixin:\/\/bizmsgmenu\?(.*)$/i.exec(m[1] || '')
    if (said) {
      const words = new URLSearchParams(said[1].replace(/&amp;/g, '&')).get('msgmenucontent') || m[2]
      parts.push(el('a', { href: '#', onclick: e => { e.preventDefault(); act('say', { app: view.app, text: words }) } }, m[2]))
    } else parts.push(link(m[1] || m[0], {}, m[2] || m[0]))
  }
  parts.push(text.slice(from))
  return parts
}

function drawFoot(c) {
  if (c.kind === 'official' && !c.following) {
    return el('div', { class: 'foot' }, el('div', { class: 'join' }, '关注后才能收发消息',
      el('button', { class: 'button primary', onclick: () => act('follow', { app: c.app }) }, '关注公众号')))
  }
  if (c.menu.length && !typing) return drawMenu(c)
  const input = el('input', { id: 'words', name: 'words', autocomplete: 'off', maxlength: 600, 'aria-label': '消息', placeholder: '如：订阅 土地' })
  return el('div', { class: 'foot' }, el('form', { onsubmit: e => {
    e.preventDefault()
    const text = input.value.trim()
    if (!text) return
    input.value = ''
    act('say', { app: c.app, text })
  } },
  c.menu.length ? el('button', { type: 'button', class: 'flip', 'aria-label': '菜单', onclick: () => { typing = false; draw() } }, '☰') : null,
  input, el('button', { class: 'send' }, '发送')))
}

function drawMenu(c) {
  const press = b => {
    openMenu = -1
    if (b.type === 'view') window.open(b.url, '_blank', 'noopener')
    act('click', { app: c.app, key: b.key || b.url })
  }
  return el('div', { class: 'foot' }, el('div', { class: 'menu' },
    el('button', { class: 'flip', 'aria-label': '键盘', onclick: () => { typing = true; draw() } }, '⌨'),
    c.menu.map((b, i) => el('div', {},
      el('button', { class: b.sub_button.length ? 'more-than-one' : '', 'aria-expanded': b.sub_button.length ? String(openMenu === i) : null,
        onclick: () => { if (b.sub_button.length) { openMenu = openMenu === i ? -1 : i; draw() } else press(b) } }, b.name),
      openMenu === i && el('ul', {}, b.sub_button.map(n => el('li', {}, el('button', { onclick: () => press(n) }, n.name))))))))
}

function drawProfile(app) {
  const c = conversation(app)
  const accepted = id => c.accepted.find(a => a.template_id === id)
  const groups = [['long_term', '长期订阅'], ['one_off', '一次性订阅']].filter(([type]) => c.templates.some(t => t.type === type))
  return [
    bar('', () => go(c.kind === 'mini' ? 'list' : 'chat', app), null),
    el('div', { class: 'scroll' },
      el('div', { class: 'profile' }, avatar(c.kind, c.name), el('h2', {}, c.name),
        el('p', {}, c.kind === 'mini' ? '小程序' : '服务号 · 政务公开'),
        c.kind === 'official' && (c.following
          ? el('button', { class: 'button', onclick: () => go('chat', app) }, '发消息')
          : el('button', { class: 'button primary', onclick: () => act('follow', { app }) }, '关注公众号'))),
      groups.map(([type, label]) => el('div', { class: 'cells' }, el('h3', {}, '网页或小程序请求的' + label),
        c.templates.filter(t => t.type === type).map(t => el('div', { class: 'cell' }, t.title, el('small', {}, status(accepted(t.id), t.banned)))),
        el('button', { class: 'cell go', onclick: () => ask(c, type) }, '订阅…'))),
      c.accepted.length > 0 && el('div', { class: 'cells' }, el('h3', {}, '通知管理'),
        c.accepted.map(a => el('button', { class: 'cell', onclick: () => act('reject', { template: a.template_id }) }, a.title, el('small', {}, '关闭')))),
      c.kind === 'official' && c.following && el('div', { class: 'cells' }, el('h3', {}, '设置'),
        el('button', { class: 'cell', onclick: () => act('mute', { app, on: !c.muted }) }, '接收消息', el('small', {}, c.muted ? '已关闭' : '已打开')),
        el('button', { class: 'cell', onclick: () => act('unfollow', { app }) }, el('span', { class: 'button warn' }, '取消关注')))),
  ]
}

function status(accepted, banned) {
  if (banned) return '模板已封禁'
  if (!accepted) return '未订阅'
  return accepted.left == null ? '已订阅' : `还可收 ${accepted.left} 条`
}

// ask opens WeChat's dialog, unless the person has said to keep the choice.
function ask(c, type) {
  const templates = c.templates.filter(t => t.type === type).slice(0, 5)
  if (keep.has(c.app + type)) {
    act('accept', { templates: templates.map(t => t.id) }).then(() => toast('已按上次的选择订阅'))
    return
  }
  dialog = { c, type, templates }
  draw()
}

function drawDialog() {
  const boxes = new Map()
  const always = el('input', { type: 'checkbox' })
  const close = () => { dialog = null; draw() }
  const { c, type, templates } = dialog
  return el('div', { class: 'mask' }, el('div', { class: 'sheet', role: 'dialog', 'aria-modal': 'true', 'aria-labelledby': 'ask' },
    el('header', {}, avatar(c.kind, c.name), c.name, ' 申请'),
    el('h2', { id: 'ask' }, type === 'long_term' ? '发送以下长期消息' : '发送一次以下消息'),
    templates.map(t => {
      const box = el('input', { type: 'checkbox', checked: true })
      boxes.set(t.id, box)
      return el('label', {}, box, el('span', {}, t.title, el('small', {}, t.keywords.map(k => `${k.label}：${k.sample}`).join('　'))))
    }),
    el('label', { class: 'keep' }, always, '总是保持以上选择，不再询问'),
    el('div', { class: 'both' },
      el('button', { class: 'button', onclick: () => { close(); act('reject', { templates: templates.map(t => t.id) }) } }, '取消'),
      el('button', { class: 'button primary', onclick: () => {
        const [yes, no] = [true, false].map(v => templates.map(t => t.id).filter(id => boxes.get(id).checked === v))
        if (always.checked) keep.add(c.app + type)
        close()
        if (yes.length) act('accept', { templates: yes, refused: no })
        else act('reject', { templates: no })
      } }, '允许'))))
}

function go(page, app) {
  view = { page, app: app || '' }
  openMenu = -1
  history.replaceState(null, '', '#' + page + (app ? '/' + app : ''))
  draw(true)
}

// open follows the address: #list, #chat/official, #profile/mini, and
// #ask/mini/long_term, by which a page can put its question to the person.
function open() {
  const [page, app, type] = location.hash.slice(1).split('/')
  const c = conversation(app)
  if (page === 'ask' && c && state.person) {
    view = { page: 'profile', app }
    if (c.templates.some(t => t.type === type)) ask(c, type)
  } else if (page === 'list' || ((page === 'chat' || page === 'profile') && c) || (page === 'chat' && app === 'service')) {
    view = { page, app: app || '' }
  }
  draw(true)
}

let drawnFor = ''

// draw shows the state; it keeps what is being typed and where the reader is.
function draw(toEnd) {
  const words = phone.querySelector('#words')
  const kept = words && { value: words.value, focused: document.activeElement === words, at: words.selectionStart }
  const scroll = phone.querySelector('.scroll')
  const atEnd = !scroll || scroll.scrollHeight - scroll.scrollTop - scroll.clientHeight < 60
  const was = scroll ? scroll.scrollTop : 0
  const same = drawnFor === view.page + view.app
  drawnFor = view.page + view.app
  let parts = []
  if (!state.person) parts = [bar('微信', null, null), el('div', { class: 'scroll' })]
  else if (view.page === 'list' || (view.page !== 'list' && view.app !== 'service' && !conversation(view.app))) parts = drawList()
  else if (view.page === 'profile') parts = drawProfile(view.app)
  else parts = drawChat(view.app)
  phone.replaceChildren(...[el('div', { class: 'status', 'aria-hidden': 'true' }, el('span', {}, clock(state.now)), el('span', {}, '5G ▮▮▮')), ...parts, dialog ? drawDialog() : null].flat().filter(Boolean))
  const now = phone.querySelector('#words')
  if (kept && now) {
    now.value = kept.value
    if (kept.focused) { now.focus(); now.setSelectionRange(kept.at, kept.at) }
  }
  const pane = phone.querySelector('.scroll')
  if (pane) pane.scrollTop = view.page === 'chat' && (toEnd || !same || atEnd) ? pane.scrollHeight : same ? was : 0
}

// The desk: what would otherwise take many hands.
const troubles = [
  ['发送时系统繁忙（-1），2 次', { kind: 'errcode', path: 'send', errcode: -1, count: 2 }],
  ['发送成功，但连接在应答前断开', { kind: 'cut', path: 'send' }],
  ['连接在发送前断开', { kind: 'refuse', path: 'send' }],
  ['发送要等 10 秒', { kind: 'latency', path: 'send', seconds: 10 }],
  ['微信返回 502 网页', { kind: 'status', path: 'send', status: '502' }],
  ['当日额度用完（45009）', { kind: 'errcode', path: 'send', errcode: 45009 }],
  ['access_token 被别的进程顶掉', { kind: 'expire_token', path: 'send' }],
  ['回执报告系统失败', { kind: 'receipt' }],
  ['下一个回调重复一次', { kind: 'duplicate' }],
  ['下一个回调与其后的颠倒', { kind: 'reorder' }],
  ['下一个回调前先来一个伪造签名的', { kind: 'wrong_signature' }],
  ['下一个回调前先来一个明文的', { kind: 'plaintext' }],
  ['下一个回调用旧密钥加密', { kind: 'previous_key' }],
]

function drawDesk() {
  const name = el('input', { placeholder: '新人物的姓名', 'aria-label': '新人物的姓名', maxlength: 20 })
  const scene = el('input', { placeholder: '二维码的网址或场景值', 'aria-label': '二维码' })
  const trouble = el('select', { 'aria-label': '故障' }, troubles.map(([label], i) => el('option', { value: i }, label)))
  const attempt = f => async () => { try { await f() } catch (problem) { toast(problem.message) } await refresh(true) }
  const advance = by => attempt(() => call('POST', '/demo/sim/clock', by))
  deskRoot.replaceChildren(
    el('section', {}, el('h2', {}, '这是谁的手机'),
      el('div', { class: 'people' }, state.people.map(p => el('button', { 'aria-pressed': String(!!state.person && state.person.id === p.id), onclick: () => choose(p.id) }, p.name))),
      el('div', { class: 'row' }, name, el('button', { onclick: attempt(async () => choose((await call('POST', '/demo/sim/people', { name: name.value })).id)) }, '新建'))),
    el('section', {}, el('h2', {}, '扫一扫'),
      el('div', { class: 'row' }, scene, el('button', { onclick: () => act('scan', { scene: scene.value.trim() }).then(() => go('chat', view.app)) }, '扫码'))),
    el('section', {}, el('h2', {}, '时间'), el('div', {}, new Date(state.now).toLocaleString('zh-CN', { timeZone: 'Asia/Shanghai', hour12: false })),
      el('div', { class: 'row' },
        el('button', { onclick: advance({ advance: '10m' }) }, '快进 10 分钟'),
        el('button', { onclick: advance({ advance: '1h' }) }, '1 小时'),
        el('button', { onclick: advance({ advance: '24h' }) }, '1 天'),
        el('button', { onclick: () => advance({ at: nextMorning() })() }, '到 08:30')),
      el('p', {}, '只能往后走。')),
    el('section', {}, el('h2', {}, '故障'),
      el('div', { class: 'row' }, trouble, el('button', { onclick: attempt(() => call('POST', '/demo/sim/faults', troubles[trouble.value][1])) }, '触发')),
      desk.faults.length > 0 && el('table', {}, desk.faults.map(f => el('tr', {}, el('td', {}, f.kind), el('td', {}, f.errcode || f.status || ''), el('td', {}, f.count < 0 ? '一直' : `还有 ${f.count} 次`)))),
      desk.faults.length > 0 && el('div', { class: 'row' }, el('button', { onclick: attempt(() => call('DELETE', '/demo/sim/faults')) }, '全部清除'))),
    el('section', {}, el('h2', {}, '微信发给服务器的回调'),
      desk.callbacks.length === 0 ? el('p', {}, '还没有') : el('table', {}, desk.callbacks.slice(-8).reverse().map(d => el('tr', {},
        el('td', {}, clock(d.at)), el('td', {}, (d.forged ? '伪造的 ' : '') + d.event),
        el('td', { class: d.outcome && d.outcome !== 'ok' && !d.forged ? 'bad' : '' }, outcomes[d.outcome] || '等待应答', d.attempts > 1 ? ` 第 ${d.attempts} 次` : ''))))))
}

const outcomes = { ok: '已应答', silent: '没有应答', refused: '被拒绝', invalid: '应答看不懂' }

function nextMorning() {
  const now = Date.parse(state.now) + 8 * 3600e3 // as if Shanghai were UTC
  let at = Math.floor(now / 86400e3) * 86400e3 + 8.5 * 3600e3
  if (at <= now) at += 86400e3
  return new Date(at - 8 * 3600e3).toISOString()
}

function choose(id) {
  const address = new URL(location.href)
  address.searchParams.set('person', id)
  history.replaceState(null, '', address)
  seen = {}
  keep.clear()
  dialog = null
  state.version = -1
  state.person = { id }
  return refresh(true)
}

let drawnDesk = ''

// refresh asks for what is new and draws it if anything is.
async function refresh(force) {
  try {
    const query = new URLSearchParams({ person: state.person ? state.person.id : '', version: force === true ? -1 : state.version })
    const [next, faults, callbacks] = await Promise.all([call('GET', '/demo/sim/phone?' + query), call('GET', '/demo/sim/faults'), call('GET', '/demo/sim/callbacks')])
    desk = { faults: faults.items, callbacks: callbacks.items }
    const busy = deskRoot.contains(document.activeElement) && document.activeElement.tagName !== 'BUTTON'
    if (next.unchanged) state.now = next.now
    else {
      state = next
      document.title = `${state.person ? state.person.name + '的' : ''}微信（模拟）`
      if (!dialog) draw()
    }
    const mark = JSON.stringify([state.version, state.person && state.person.id, clock(state.now), desk])
    if (mark !== drawnDesk && (!busy || force === true)) { drawnDesk = mark; drawDesk() }
  } catch (problem) {
    if (problem instanceof TypeError) return // the server is away; the next second may be better
    toast(problem.message)
  }
}

open()
addEventListener('hashchange', open)
drawDesk()
refresh()
setInterval(() => { if (!document.hidden) refresh() }, 400)
