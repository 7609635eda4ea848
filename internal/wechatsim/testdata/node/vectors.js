// Writes encryption vectors by @wecom/crypto, an implementation of Tencent's
// own, to standard output: node vectors.js > ../vectors.json
'use strict'

const { createHash } = require('crypto')
const { encrypt, getSignature } = require('@wecom/crypto')

const bytes = (seed, n) => {
  let out = Buffer.alloc(0)
  for (let i = 0; out.length < n; i++) out = Buffer.concat([out, createHash('sha256').update(seed + i).digest()])
  return out.subarray(0, n)
}

// A key of 32 bytes is 43 characters whose last carries no bits beyond them.
const keys = ['a', 'b'].map(seed => bytes('key ' + seed, 32).toString('base64').slice(0, 43))
const messages = ['', 'x', '您订阅的公告有更新', '<xml><Content><![CDATA[订阅 土地]]></Content></xml>', '{"a":"𠮷😀"}']
for (const n of [11, 12, 13, 27, 28, 29, 44, 60, 1000]) messages.push('m'.repeat(n)) // around whole blocks

const vectors = []
messages.forEach((message, i) => {
  const key = keys[i % 2]
  const appid = ['wxba5fad812f8e6fb9', 'wx0000000000000001'][i % 2]
  const random = bytes('random ' + i, 16)
  const encrypted = encrypt(key, message, appid, random)
  const timestamp = String(1714112445 + i)
  const nonce = String(415670741 + i)
  vectors.push({ key, appid, random: random.toString('hex'), message, encrypted, timestamp, nonce, signature: getSignature('AAAAA', timestamp, nonce, encrypted) })
})
process.stdout.write(JSON.stringify(vectors, null, 1) + '\n')
