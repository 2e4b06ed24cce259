// Work that changes things: live updates, selection with bulk actions, and the
// review queue by keyboard. A decision waits a few seconds before it is sent,
// so that it can be undone; leaving the page sends it at once.
(function () {
  "use strict";
  const { $, $$, toast, ages } = window.orderly;

  // live updates: one stream, one DOM event per topic, at most once a second
  const light = $("[data-live]");
  const say = (state, text) => { if (light) { light.dataset.state = state; light.textContent = text; } };
  const last = {}, later = {};
  let lost = false;
  function fire(topic) {
    const wait = (topic === "any" ? 2000 : 1000) - (Date.now() - (last[topic] || 0));
    if (wait > 0) { if (!later[topic]) later[topic] = setTimeout(() => { later[topic] = 0; fire(topic); }, wait); return; }
    if (document.hidden) { later.hidden = topic; return; }
    last[topic] = Date.now();
    if (topic !== "any") setTimeout(fire, 0, "any");
    document.body.dispatchEvent(new CustomEvent("live:" + topic));
  }
  document.addEventListener("visibilitychange", () => { if (!document.hidden && later.hidden) { const t = later.hidden; later.hidden = 0; fire(t); } });
  if (window.EventSource) {
    const es = new EventSource("/live");
    es.addEventListener("open", () => { say("on", "Live"); if (lost) { lost = false; ["orders", "tasks", "effects", "stock"].forEach(fire); } });
    es.addEventListener("error", () => { lost = true; say("off", "Not live, connecting again…"); });
    es.addEventListener("topic", (e) => fire(e.data));
    addEventListener("pagehide", () => es.close());
  }

  // selection
  function bulk() {
    const bar = $("[data-bulk]");
    if (!bar) return;
    const on = $$("input[name=id]:checked").length;
    bar.hidden = on === 0;
    const n = $("[data-bulk-count]", bar);
    if (n) n.textContent = on + (on === 1 ? " selected" : " selected");
    $$("input[name=id]").forEach((c) => c.closest("tr").classList.toggle("on", c.checked));
    const all = $("[data-check-all]");
    if (all) { const cs = $$("input[name=id]"); all.checked = cs.length > 0 && on === cs.length; all.indeterminate = on > 0 && on < cs.length; }
  }
  document.addEventListener("change", (e) => {
    if (e.target.matches("[data-check-all]")) { $$("input[name=id]").forEach((c) => { c.checked = e.target.checked; }); bulk(); }
    else if (e.target.matches("input[name=id]")) bulk();
  });
  document.addEventListener("htmx:afterSettle", bulk);
  // A live refresh waits while somebody works in the part it would replace: rows
  // are selected, something in it has the focus, or the pointer is over a list.
  document.addEventListener("htmx:beforeRequest", (e) => {
    const ev = e.detail.requestConfig.triggeringEvent, el = e.detail.elt;
    if (!ev || !String(ev.type).startsWith("live:")) return;
    const busy = el.querySelector("input[name=id]:checked") || (document.activeElement !== document.body && el.contains(document.activeElement) && el.id !== "nav") ||
      (el.matches("section.card") && el.matches(":hover"));
    if (busy) e.preventDefault();
  });
  bulk();

  // review
  const WAIT = 5000;
  const waiting = new Map(); // task id -> {send, cancel}
  let undoLast = null;
  const typing = (el) => el && /^(INPUT|TEXTAREA|SELECT)$/.test(el.tagName);
  const links = () => $$("#queue a[data-task]").filter((a) => !a.classList.contains("leaving"));
  const current = () => $('#queue a[data-task][aria-current="true"]');
  function go(a) {
    if (!a) return;
    $$('#queue a[data-task][aria-current="true"]').forEach((x) => x.removeAttribute("aria-current"));
    a.setAttribute("aria-current", "true");
    a.scrollIntoView({ block: "nearest" });
    history.replaceState(null, "", a.getAttribute("href"));
    load(a.getAttribute("href"));
  }
  let loading = null;
  function load(href) { // the last one asked for wins, however the answers come
    if (loading) loading.abort();
    const mine = loading = new AbortController();
    fetch(href, { headers: { "HX-Request": "true" }, signal: mine.signal })
      .then((r) => { if (r.status === 401) location.href = "/signin"; if (!r.ok) throw new Error("the server answered " + r.status); return r.text(); })
      .then((html) => {
        if (mine.signal.aborted) return;
        const next = new DOMParser().parseFromString(html, "text/html").querySelector("#dossier");
        const old = $("#dossier");
        if (next && old) { old.replaceWith(document.adoptNode(next)); window.htmx.process(next); ages(); }
      })
      .catch((err) => { if (err.name !== "AbortError") toast("The task could not be shown: " + err.message, "danger"); });
  }
  function step(d) {
    const all = $$("#queue a[data-task]"), i = all.indexOf(current());
    for (let j = i + d; j >= 0 && j < all.length; j += d) if (!all[j].classList.contains("leaving")) { go(all[j]); return true; }
    return false;
  }
  function decide(form, button) {
    const data = new URLSearchParams(new FormData(form));
    data.set("outcome", button.value);
    const id = form.dataset.task, label = button.dataset.did || button.value, url = form.getAttribute("action");
    if (waiting.has(id)) return;
    const a = $('#queue a[data-task="' + id + '"]');
    if (a) a.classList.add("leaving");
    let gone = () => {};
    const send = (leaving) => {
      const w = waiting.get(id);
      if (!w) return;
      waiting.delete(id); clearTimeout(w.timer); gone();
      if (leaving && navigator.sendBeacon) { navigator.sendBeacon(url, data); return; }
      fetch(url, { method: "POST", body: data, headers: { Accept: "application/json" }, keepalive: true })
        .then((r) => r.json().then((j) => ({ ok: r.ok, j })))
        .then(({ ok, j }) => {
          if (!ok || !j.ok) throw new Error(j.message || "The decision was not taken.");
          if (a) { const li = a.closest("li"); if (li) li.remove(); }
        })
        .catch((err) => { if (a) a.classList.remove("leaving"); toast("Not decided: " + err.message, "danger", null, 12000); });
    };
    const cancel = () => {
      const w = waiting.get(id);
      if (!w) return;
      waiting.delete(id); clearTimeout(w.timer); gone();
      if (a) { a.classList.remove("leaving"); go(a); }
      toast("Undone. Nothing was sent.", "neutral", null, 2500);
    };
    waiting.set(id, { send, cancel, timer: setTimeout(send, WAIT) });
    undoLast = cancel;
    gone = toast(label + ": " + (form.dataset.title || id), "held", cancel, WAIT + 500);
    const main = $("#main");
    if (!step(1) && !step(-1)) { const d = $("#dossier"); if (d) d.classList.add("dimmable", "htmx-request"); }
    if (main) main.focus({ preventScroll: true });
  }
  document.addEventListener("submit", (e) => {
    const f = e.target.closest("form[data-task]");
    if (!f || !e.submitter || e.submitter.name !== "outcome") return;
    e.preventDefault();
    const note = $("textarea", f);
    if (e.submitter.dataset.needsNote !== undefined && note && !note.value.trim()) {
      note.focus(); note.setAttribute("aria-invalid", "true");
      toast("Write what to ask first", "attention", null, 2500);
      return;
    }
    decide(f, e.submitter);
  }, true);
  addEventListener("pagehide", () => { for (const w of [...waiting.values()]) w.send(true); });

  document.addEventListener("click", (e) => {
    const a = e.target.closest("#queue a[data-task]");
    if (a && !e.ctrlKey && !e.metaKey && !e.shiftKey && e.button === 0) { e.preventDefault(); go(a); }
  });
  document.addEventListener("keydown", (e) => {
    const f = $("form[data-task]");
    if (e.defaultPrevented || (!f && !$("#queue")) || e.altKey || $("dialog[open]")) return; // "g a" goes to a page and approves nothing
    if (typing(e.target)) {
      if (f && e.key === "Enter" && (e.ctrlKey || e.metaKey)) { // send what stands in the note: a question when q was pressed
        const b = $('button[name=outcome][value="' + (f.dataset.intent || "ask") + '"]', f);
        if (b) { e.preventDefault(); f.requestSubmit(b); }
      }
      return;
    }
    if (e.ctrlKey || e.metaKey) return;
    const press = (k) => { const b = f && $('button[data-key="' + k + '"]', f); if (b && !b.disabled) { e.preventDefault(); f.requestSubmit(b); } };
    switch (e.key) {
      case "j": e.preventDefault(); step(1); break;
      case "k": e.preventDefault(); step(-1); break;
      case "a": case "r": press(e.key); break;
      case "q": if (f) { const b = $('button[data-key="q"]', f), n = $("textarea", f); if (b && n) { e.preventDefault(); if (n.value.trim()) f.requestSubmit(b); else { f.dataset.intent = b.value; n.focus(); n.placeholder = "What do you want to ask? Ctrl Enter sends it"; } } } break;
      case "n": { const n = f && $("textarea", f); if (n) { e.preventDefault(); f.dataset.intent = ""; n.focus(); } break; }
      case "m": { const b = $("[data-assign]"); if (b) { e.preventDefault(); b.click(); } break; }
      case "o": { const a = $("#dossier a[data-order]"); if (a) { e.preventDefault(); location.href = a.href; } break; }
      case "z": if (undoLast) { e.preventDefault(); undoLast(); undoLast = null; } break;
    }
  });
  ages();
})();
