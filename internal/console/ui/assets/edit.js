// The editor of automations. The text is the truth: every act in the builder is sent with the
// text, and the answer is the new text with the builder made from it. Acts are sent one after
// the other, so that none is lost when they are faster than the server.
(function () {
  "use strict";
  const { $, $$, toast } = window.orderly;
  const root = $("#editor"), pane = $("#text"), box = $("#builder");
  if (!root || !pane) return;
  const gutter = $("#gutter"), list = $("#problems"), undoButton = $("[data-undo]");
  const past = [];           // texts before each act, for undo
  let queue = [], busy = false, timer = 0, dirty = false, problems = [], saved = false;
  const began = pane.value;

  function number() {
    const n = pane.value.split("\n").length, bad = new Set(problems.map((p) => p.line));
    gutter.replaceChildren(...Array.from({ length: n }, (_, i) => {
      const s = document.createElement("span");
      s.textContent = String(i + 1);
      if (bad.has(i + 1)) s.className = "bad";
      return s;
    }));
    gutter.scrollTop = pane.scrollTop;
  }
  pane.addEventListener("scroll", () => { gutter.scrollTop = pane.scrollTop; });

  function tell() {
    list.replaceChildren(...problems.map((p) => {
      const li = document.createElement("li"), b = document.createElement("button");
      b.type = "button"; b.textContent = "Line " + p.line; b.dataset.line = p.line; b.dataset.col = p.col;
      li.append(b, " " + p.message);
      return li;
    }));
    number();
  }
  list.addEventListener("click", (e) => {
    const b = e.target.closest("button[data-line]");
    if (!b) return;
    const lines = pane.value.split("\n"), n = Number(b.dataset.line) - 1;
    const at = lines.slice(0, n).join("\n").length + (n ? 1 : 0);
    pane.focus();
    pane.setSelectionRange(at + Math.max(0, Number(b.dataset.col) - 1), at + (lines[n] || "").length);
  });

  // show puts the builder in place and gives the focus back to the control that had it, or to what is new.
  function show(answer, act) {
    const had = document.activeElement, id = box.contains(had) ? had.id : "", old = new Set($$("[id]", box).map((el) => el.id));
    const typed = id && had.value, sel = id && had.selectionStart !== undefined && had.type !== "number" ? [had.selectionStart, had.selectionEnd] : null;
    const open = $$("details[id][open]", box).map((el) => el.id);
    box.innerHTML = answer.html;
    for (const el of $$("details[id]", box)) if (open.includes(el.id)) el.open = true;
    let next = id && document.getElementById(id);
    if (act && /-(add|give)$/.test(act.do)) {
      const fresh = $$("[data-test] select, .step-args input, .step-args select, .step-box .inner select", box).find((el) => el.id && !old.has(el.id));
      if (fresh) {
        next = fresh;
        const fold = fresh.closest("details");
        if (fold) fold.open = true;
      }
    }
    if (next && next !== document.body) {
      next.focus({ preventScroll: true });
      if (next.id === id && sel && next.value === typed) { try { next.setSelectionRange(sel[0], sel[1]); } catch { /* a number has no selection */ } }
    } else if (id && act) {
      const near = $('[data-at="' + (act.at || "") + '"]', box);
      if (near) near.focus({ preventScroll: true });
    }
    $("#sentence").textContent = answer.sentence || "…";
    const state = $("#examples-state");
    state.hidden = !answer.examples;
    $("[data-state]", state).textContent = answer.examples || "";
    problems = answer.problems || [];
    tell();
    root.dataset.done = String(Number(root.dataset.done || 0) + 1); // what a test waits for
  }

  async function work() {
    if (busy) return;
    busy = true;
    while (queue.length) {
      const job = queue.shift(), before = pane.value;
      let answer;
      try {
        const r = await fetch("/editor/check", {
          method: "POST", headers: { "Content-Type": "application/json", Accept: "application/json" },
          body: JSON.stringify({ text: before, template: root.dataset.template || "", change: job.act }),
        });
        answer = await r.json();
        if (!r.ok) throw new Error(answer.message || "The server did not take it.");
      } catch (err) {
        toast("Not done: " + err.message + " Your text is still here.", "danger");
        continue;
      }
      if (job.act && pane.value !== before) { queue.unshift(job); continue; } // typed into meanwhile: once more on the new text
      if (answer.message) { complain(job, answer.message); continue; }
      if (job.act && answer.text !== before) {
        past.push(before);
        pane.value = answer.text;
        undoButton.disabled = false;
      }
      if (queue.length === 0 && !dirty) show(answer, job.act);
    }
    busy = false;
  }
  function complain(job, message) {
    const el = job.from && job.from.isConnected ? job.from : null;
    if (!el || el.tagName === "BUTTON") { toast(message, "attention"); root.dataset.done = String(Number(root.dataset.done || 0) + 1); return; }
    const place = el.closest(".field, .test") || el.parentElement;
    let bad = $(":scope > .bad", place);
    if (!bad) { bad = document.createElement("span"); bad.className = "bad"; bad.setAttribute("role", "alert"); place.append(bad); }
    bad.textContent = message;
    el.setAttribute("aria-invalid", "true");
    root.dataset.done = String(Number(root.dataset.done || 0) + 1);
  }
  function send(act, from) {
    const last = queue[queue.length - 1];
    if (last && last.act && act && last.from === from && last.act.do === act.do && !/add|up|down|remove|toggle|negate|accept|give/.test(act.do)) queue.pop();
    queue.push({ act: act, from: from });
    work();
  }

  const acts = (el) => ({ do: el.dataset.do, at: el.dataset.at || "", part: el.dataset.part || "", arg: el.dataset.arg || "", index: Number(el.dataset.index || 0), value: el.dataset.value !== undefined ? el.dataset.value : el.value });
  function testOf(test) {
    const f = {};
    for (const el of $$("[data-f]", test)) f[el.dataset.f] = el.value;
    let values = [];
    if (f.amount !== undefined) values = [f.amount + " " + (f.currency || "")];
    else if (f.list !== undefined) values = f.list.split(",").map((s) => s.trim()).filter((s) => s !== "");
    else if (f.value !== undefined) values = [f.value];
    if (f.list !== undefined && values.length === 0) values = [""];
    return { do: "part-test", at: test.dataset.at, part: test.dataset.part, test: { subject: f.subject, op: f.op, values: values, field: f.field || "", event: f.event || "", by: f.by || "", within: f.within || "" } };
  }
  function act(el) {
    const test = el.dataset.f !== undefined && el.closest("[data-test]");
    if (test) { send(testOf(test), el); return; }
    if (el.dataset.do === undefined) return;
    if (/^(step-add|example-give)$/.test(el.dataset.do) && !el.value) return;
    send(acts(el), el);
  }
  box.addEventListener("click", (e) => {
    const b = e.target.closest("button[data-do]");
    if (b) act(b);
  });
  // Selects and finished inputs act at once; typing acts after a pause.
  let typing = 0, pending = null;
  box.addEventListener("change", (e) => {
    if (pending === e.target) { clearTimeout(typing); pending = null; }
    act(e.target);
  });
  box.addEventListener("input", (e) => {
    const el = e.target;
    if (el.tagName === "SELECT") return;
    if (el.dataset.format === "sku") skus(el);
    clearTimeout(typing);
    pending = el;
    typing = setTimeout(() => { pending = null; if (el.isConnected) act(el); }, 500);
  });
  box.addEventListener("focusin", (e) => { if (e.target.dataset && e.target.dataset.format === "sku") skus(e.target); });
  let asked = "";
  function skus(el) {
    const q = el.value.split(",").pop().trim();
    if (q === asked && $("#list-skus option")) return;
    asked = q;
    fetch("/editor/skus?q=" + encodeURIComponent(q), { headers: { Accept: "application/json" } }).then((r) => r.ok ? r.json() : []).then((os) => {
      const to = $("#list-skus");
      if (!to) return;
      to.replaceChildren(...os.map((o) => { const x = document.createElement("option"); x.value = o.value; x.textContent = o.label; return x; }));
    }).catch(() => {});
  }

  pane.addEventListener("input", () => {
    dirty = true;
    number();
    clearTimeout(timer);
    timer = setTimeout(() => { dirty = false; send(null, pane); }, 350);
  });
  pane.addEventListener("keydown", (e) => { // Tab indents by two; Escape gives Tab back
    if (e.key === "Tab" && !e.shiftKey && !pane.dataset.leave) {
      e.preventDefault();
      pane.setRangeText("  ", pane.selectionStart, pane.selectionEnd, "end");
      pane.dispatchEvent(new Event("input"));
    }
    if (e.key === "Escape") pane.dataset.leave = "1"; else if (e.key !== "Tab" && e.key !== "Shift") delete pane.dataset.leave;
  });
  pane.addEventListener("blur", () => { delete pane.dataset.leave; });
  undoButton.addEventListener("click", () => {
    if (!past.length) return;
    pane.value = past.pop();
    undoButton.disabled = past.length === 0;
    send(null, pane);
  });
  document.addEventListener("keydown", (e) => {
    if ((e.ctrlKey || e.metaKey) && e.key === "s") { e.preventDefault(); const f = $("#save"); if (f.reportValidity()) f.requestSubmit(); }
  });
  $("#save").addEventListener("submit", () => { saved = true; });
  addEventListener("beforeunload", (e) => { if (!saved && pane.value !== began) e.preventDefault(); });
  try { problems = $$("button", list).map((b) => ({ line: Number(b.dataset.line), col: Number(b.dataset.col), message: b.nextSibling.textContent.trim() })); } catch { /* none */ }
  number();
})();
