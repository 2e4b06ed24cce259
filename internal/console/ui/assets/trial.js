// The editor's second half: what may be written is offered while one writes, what can be shown of
// the text beside the other automations is kept up to date, and the text is tried on the past.
(function () {
  "use strict";
  const { $, $$, toast } = window.orderly;
  const root = $("#editor"), pane = $("#text"), form = $("#save");
  if (!root || !pane) return;
  const post = (path, body, signal) => fetch(path, {
    method: "POST", headers: { "Content-Type": "application/json", Accept: "application/json" }, body: JSON.stringify(body), signal: signal,
  }).then((r) => r.json().then((a) => { if (!r.ok) throw new Error(a.message || "The server did not take it."); return a; }));
  const name = () => form.elements.name.value;

  // Findings: asked for when the text has rested, and shown for the newest text only.
  const box = $("#findings");
  let shown = null, resting = 0, asking = null;
  function findings() {
    if (pane.value === shown) return;
    const text = pane.value;
    if (asking) asking.abort();
    const mine = asking = new AbortController();
    post("/editor/findings", { name: name(), text: text }, mine.signal).then((a) => {
      if (pane.value !== text) return; // it is asked again
      shown = text;
      box.innerHTML = a.html;
      box.style.minHeight = "";
      box.setAttribute("aria-busy", "false");
      if (a.running) { // the past is being asked for what is not decided
        clearTimeout(resting);
        resting = setTimeout(() => { shown = null; findings(); }, 1500);
      }
    }).catch((err) => {
      if (mine.signal.aborted) return;
      box.setAttribute("aria-busy", "false");
      box.textContent = "It could not be compared: " + err.message;
      box.style.minHeight = "";
    });
  }
  // stale takes away what was said of another text; the page keeps its shape.
  function stale() {
    shown = null;
    if (box.getAttribute("aria-busy") === "true") return;
    box.style.minHeight = box.offsetHeight + "px";
    box.setAttribute("aria-busy", "true");
    const p = document.createElement("p");
    p.className = "small muted";
    p.textContent = "The text has changed; it is being compared again…";
    box.replaceChildren(p);
  }
  const past = { text: null, name: "" };
  function changed() {
    clearTimeout(resting);
    if (pane.value !== shown) stale();
    resting = setTimeout(findings, 700);
    if (past.text !== null) $("#past-old").hidden = past.text === pane.value;
  }
  pane.addEventListener("input", changed);
  new MutationObserver(changed).observe(root, { attributes: true, attributeFilter: ["data-done"] }); // the builder changed the text

  // The past: begun by the button, then asked how far it is.
  const part = $("#past"), body = $("#past-body"), button = $("#try");
  function show(a) {
    body.innerHTML = a.html;
    button.disabled = a.running;
    part.setAttribute("aria-busy", String(a.running));
    if (a.running) {
      setTimeout(() => {
        fetch("/editor/backtest?" + new URLSearchParams({ name: past.name, version: a.version }), { headers: { Accept: "application/json" } })
          .then((r) => r.json()).then(show).catch(() => { button.disabled = false; });
      }, 700);
    }
  }
  if (button) button.addEventListener("click", () => {
    button.disabled = true;
    const text = pane.value;
    post("/editor/backtest", { name: name(), text: text }).then((a) => {
      past.text = text;
      past.name = (text.match(/^automation:\s*["']?([a-z0-9-]+)/m) || [])[1] || "";
      $("#past-old").hidden = true;
      part.hidden = false;
      show(a);
      part.scrollIntoView({ block: "start" });
      $("#past-title").focus({ preventScroll: true });
    }).catch((err) => {
      button.disabled = false;
      toast(err.message, "attention");
      if (root.dataset.strict === undefined) { // what is missing stands in the way now
        root.dataset.strict = "";
        pane.dispatchEvent(new Event("input", { bubbles: true }));
      }
    });
  });
  part.addEventListener("submit", (e) => { // stopping must not leave the editor
    e.preventDefault();
    fetch(e.target.action, { method: "POST", redirect: "manual" }).catch(() => {});
  });

  // Offers: a list at the place where one writes.
  const list = $("#offers");
  let at = null, offers = [], from = 0, chosen = -1, waiting = 0, serial = 0;
  function close() {
    serial++;
    list.hidden = true;
    if (at) { at.removeAttribute("aria-activedescendant"); at.setAttribute("aria-expanded", "false"); }
    offers = []; chosen = -1;
  }
  function choose(i) {
    chosen = (i + offers.length) % offers.length;
    $$("li", list).forEach((li, k) => li.setAttribute("aria-selected", String(k === chosen)));
    const li = list.children[chosen];
    at.setAttribute("aria-activedescendant", li.id);
    li.scrollIntoView({ block: "nearest" });
  }
  // place puts the list below the line that is written; in the text every letter is as wide as another.
  function place(el, pos) {
    const style = getComputedStyle(el), before = el.value.slice(0, pos).split("\n");
    const pen = document.createElement("canvas").getContext("2d");
    pen.font = style.fontSize + " " + style.fontFamily;
    const wide = pen.measureText("m").width, high = parseFloat(style.lineHeight) || 18, r = el.getBoundingClientRect();
    const wraps = style.whiteSpace !== "pre";
    let left = r.left + parseFloat(style.paddingLeft) + (wraps ? 0 : before[before.length - 1].length * wide - el.scrollLeft);
    let top = wraps ? r.bottom : r.top + parseFloat(style.paddingTop) + before.length * high - el.scrollTop;
    list.hidden = false;
    const w = list.offsetWidth, h = list.offsetHeight;
    left = Math.max(8, Math.min(left, document.documentElement.clientWidth - w - 8));
    if (top + h > innerHeight - 8) top = Math.max(8, top - h - high);
    list.style.left = left + "px";
    list.style.top = top + "px";
  }
  function ask(el, wanted) {
    clearTimeout(waiting);
    const mine = ++serial;
    waiting = setTimeout(() => {
      const pos = el.selectionStart, text = el.value;
      if (el.selectionEnd !== pos) { close(); return; }
      post("/editor/complete", { name: name(), text: text, at: pos, event: el.dataset.offers || "" }).then((a) => {
        if (mine !== serial || document.activeElement !== el || el.value !== text || el.selectionStart !== pos) return;
        if (a.offers.length === 0 || !wanted && a.from === 0) { close(); return; }
        at = el; offers = a.offers; from = a.from;
        list.replaceChildren(...offers.map((o, i) => {
          const li = document.createElement("li"), b = document.createElement("b");
          li.id = "offer-" + i; li.setAttribute("role", "option"); li.setAttribute("aria-selected", "false");
          b.textContent = o.insert.trimEnd();
          li.append(b);
          for (const [tag, t] of [["span", o.doc], ["i", o.detail]]) if (t) { const x = document.createElement(tag); x.textContent = t; li.append(x); }
          return li;
        }));
        place(el, pos - from);
        el.setAttribute("aria-expanded", "true");
        choose(0);
        root.dataset.offered = String(Number(root.dataset.offered || 0) + 1); // what a test waits for
      }).catch(() => {});
    }, wanted ? 0 : 120);
  }
  function take(i) {
    const el = at, o = offers[i], pos = el.selectionStart;
    el.setRangeText(o.insert, pos - from, pos, "end");
    close();
    el.focus();
    el.dispatchEvent(new Event("input", { bubbles: true }));
  }
  document.addEventListener("input", (e) => {
    const el = e.target;
    if (el.dataset && el.dataset.offers !== undefined && e.isTrusted) {
      if (/[\w."]/.test(el.value[el.selectionStart - 1] || "")) ask(el, false); else close();
    }
  });
  document.addEventListener("keydown", (e) => {
    const el = e.target;
    if (!el.dataset || el.dataset.offers === undefined) return;
    if (e.key === " " && e.ctrlKey) { e.preventDefault(); ask(el, true); return; }
    if (list.hidden || el !== at) return;
    if (e.key === "ArrowDown" || e.key === "ArrowUp") { e.preventDefault(); choose(chosen + (e.key === "ArrowDown" ? 1 : -1)); }
    else if (e.key === "Enter" || e.key === "Tab") { e.preventDefault(); e.stopPropagation(); take(chosen); }
    else if (e.key === "Escape") { e.preventDefault(); e.stopPropagation(); close(); }
    else if (["ArrowLeft", "ArrowRight", "Home", "End", "PageUp", "PageDown"].includes(e.key)) close();
  }, true);
  list.addEventListener("mousedown", (e) => { // before the text loses the focus
    const li = e.target.closest("li");
    e.preventDefault();
    if (li) take([...list.children].indexOf(li));
  });
  document.addEventListener("focusout", (e) => { if (e.target === at) close(); });
  document.addEventListener("scroll", (e) => { if (!list.hidden && e.target !== list) close(); }, true);

  findings();
})();
