// Receives callbacks through co-wechat, a server for them, answers texts, and
// writes each as a line of JSON: node receiver.js TOKEN APPID AESKEY
'use strict'

const http = require('http')
const wechat = require('co-wechat')

const [token, appid, encodingAESKey] = process.argv.slice(2)
const handle = wechat({ token, appid, encodingAESKey }).middleware(async message => {
  process.stdout.write(JSON.stringify(message) + '\n')
  return message.MsgType === 'text' ? '收到：' + message.Content : ''
})

http.createServer(async (req, res) => {
  const query = Object.fromEntries(new URL(req.url, 'http://localhost').searchParams)
  const ctx = { query, method: req.method, req, status: 200, request: { length: req.headers['content-length'], charset: 'utf-8' } }
  try {
    await handle(ctx)
  } catch (e) {
    ctx.status = 500
    ctx.body = String(e)
  }
  res.writeHead(ctx.status, { 'Content-Type': ctx.type || 'text/plain' })
  res.end(ctx.body)
}).listen(0, '127.0.0.1', function () { process.stdout.write(JSON.stringify({ port: this.address().port }) + '\n') })
