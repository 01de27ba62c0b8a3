// Search runs in a Worker, which browsers refuse to a page that was opened from a file. There the
// worker's script runs in a hidden frame instead, with the same messages.
if (location.protocol === "file:") {
  const INSIDE = `
    postMessage = data => parent.postMessage(data, "*")
    importScripts = async (...urls) => {
      for (const url of urls) await new Promise(done => {
        const script = document.createElement("script")
        script.src = url
        script.onload = done
        document.body.append(script)
      })
    }`
  window.Worker = class extends EventTarget {
    constructor(url) {
      super()
      const frame = document.createElement("iframe")
      frame.hidden = true
      document.body.append(frame)
      this.inside = frame.contentWindow
      addEventListener("message", ({ source, data }) => {
        if (source === this.inside) this.dispatchEvent(new MessageEvent("message", { data }))
      })
      const page = this.inside.document
      page.open()
      page.write(`<body><script>${INSIDE}<\/script><script src="${url}"><\/script></body>`)
      this.ready = new Promise(done => { this.inside.onload = done })
      page.close()
    }
    postMessage(data) {
      this.ready.then(() => this.inside.dispatchEvent(new MessageEvent("message", { data })))
    }
  }
}
