// The editor of automations. The text is the truth: every act in the builder is sent with the
// text, and the answer is the new text with the builder made from it. Acts are sent one after
// the other, so that none is lost when they are faster than the server.
(function () {
  "use strict";
  const { $, $$, toast, morph } = window.orderly;
  const root = $("#editor"), pane = $("#text"), box = $("#builder");
  if (!root || !pane) return;
  const gutter = $("#gutter"), list = $("#problems"), undoButton = $("[data-undo]");
  const past = [];           // texts before each act, for undo
  let queue = [], busy = false, timer = 0, dirty = false, problems = [], saved = false;
  const began = pane.value;

  function number() {
    const n = pane.value.split("\n").length, bad = new Set(problems.filter((p) => !p.lacks).map((p) => p.line));
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
      if (p.lacks) li.className = "lacks";
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

  // What a person typed is theirs: the field they are in, what is not sent yet, and what was refused stay as they are
  // whatever the server answers.
  const unsent = new Set();    // fields typed into since their last act
  const refused = new Map();   // fields whose value the text did not take, and why
  const due = new Map();       // what the text holds for the field that somebody is in
  const typable = (el) => el.tagName === "TEXTAREA" || el.tagName === "INPUT" && el.type !== "hidden";
  const mine = (el) => unsent.has(el) || refused.has(el) || el === document.activeElement && typable(el);

  // show puts the builder in place: what is the same stays, so that the focus and what is typed stay too.
  function show(answer, job) {
    const act = job && job.act, at = document.activeElement;
    if (act && structural(act) && job.from !== at && box.contains(at) && within(act, placeOf(at))) { // what will stand there is another thing
      quiet = true;
      at.blur();
      quiet = false;
    }
    const had = document.activeElement, id = box.contains(had) ? had.id : "", old = new Set($$("[id]", box).map((el) => el.id));
    const sel = id && typable(had) && had.selectionStart !== null ? [had.selectionStart, had.selectionEnd] : null;
    const next = document.createElement("div");
    next.innerHTML = answer.html;
    morph(box, next, mine, (el, value) => { due.set(el, value); });
    for (const el of [...unsent, ...refused.keys()]) if (!el.isConnected) { unsent.delete(el); refused.delete(el); }
    for (const [el, message] of refused) blame(el, message);
    if (id && document.activeElement !== had) {
      const el = document.getElementById(id);
      if (el) { el.focus({ preventScroll: true }); if (sel && typable(el)) try { el.setSelectionRange(sel[0], sel[1]); } catch { /* a number has no selection */ } }
    }
    const now = document.activeElement;
    if (act && /-(add|give)$/.test(act.do) && (now === document.body || now === job.from || now.id === id && !typable(now))) {
      const fresh = $$("[data-test] select, .step-args input, .step-args select, .step-box .inner select", box).find((el) => el.id && !old.has(el.id));
      if (fresh) {
        const fold = fresh.closest("details");
        if (fold) fold.open = true;
        fresh.focus({ preventScroll: true });
      }
    } else if (act && id && document.activeElement === document.body) {
      const near = $('[data-at="' + (act.at || "") + '"]', box);
      if (near) near.focus({ preventScroll: true });
    }
    $("#sentence").textContent = answer.sentence || "…";
    const todo = $("#todo");
    todo.hidden = !answer.todo;
    todo.textContent = answer.todo || "";
    const state = $("#examples-state");
    state.hidden = !answer.examples;
    $("[data-state]", state).textContent = answer.examples || "";
    problems = answer.problems || [];
    tell();
    done();
  }
  const placeOf = (el) => { const at = el.closest("[data-at]"); return at ? at.dataset.at : ""; };
  const done = () => { root.dataset.done = String(Number(root.dataset.done || 0) + 1); }; // what a test waits for

  // structural acts may give a place of the text to another thing; within tells whether one does so to a place.
  const structural = (act) => !/^(set|arg|part-test|part-text|example-value|example-expect)$/.test(act.do);
  function within(act, at) {
    if (/^(on|step-add|example-(add|accept|give))$/.test(act.do)) return false;
    const list = act.do.startsWith("part-") ? act.at : act.at.replace(/\/?\d+$/, "");
    return at === list || at.startsWith(list + "/");
  }

  // write changes the text where it differs; who stands in it stays at the place.
  function write(text) {
    const was = pane.value;
    let from = 0, end = 0;
    while (from < was.length && was[from] === text[from]) from++;
    while (end < Math.min(was.length, text.length) - from && was[was.length - 1 - end] === text[text.length - 1 - end]) end++;
    if (was !== text) pane.setRangeText(text.slice(from, text.length - end), from, was.length - end, "preserve");
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
          body: JSON.stringify({ text: before, strict: root.dataset.strict !== undefined, change: job.act }),
        });
        answer = await r.json();
        if (!r.ok) throw new Error(answer.message || "The server did not take it.");
      } catch (err) {
        complain(job, "Not done: " + err.message + " Your text is still here.", "danger");
        continue;
      }
      if (job.act && pane.value !== before) { queue.unshift(job); continue; } // typed into meanwhile: once more on the new text
      if (job.act && structural(job.act) && unsent.size) { // what was typed meanwhile belongs to the places as they were
        const typed = [...unsent].map((el) => ({ act: actOf(el), from: el }));
        unsent.clear();
        queue.unshift(...typed.filter((t) => t.act), job);
        continue;
      }
      if (answer.message) { complain(job, answer.message, "attention"); continue; }
      for (const el of [...refused.keys()]) if (el === job.from || job.act && job.act.test && sameTest(el, job.from)) refused.delete(el);
      if (job.act && answer.text !== before) {
        past.push(before);
        write(answer.text);
        undoButton.disabled = false;
      }
      if (queue.length === 0 && !dirty) show(answer, job);
    }
    busy = false;
    if (saving) save();
  }
  const sameTest = (a, b) => a.closest("[data-test]") !== null && a.closest("[data-test]") === b.closest("[data-test]");
  function blame(el, message) {
    const place = el.closest(".field, .test") || el.parentElement;
    let bad = $(":scope > .bad", place);
    if (!bad) { bad = document.createElement("span"); bad.className = "bad"; bad.setAttribute("role", "alert"); place.append(bad); }
    bad.textContent = message;
    el.setAttribute("aria-invalid", "true");
  }
  function complain(job, message, meaning) {
    const el = job.from;
    if (el && box.contains(el) && el.tagName !== "BUTTON") {
      if (!unsent.has(el)) refused.set(el, message);
      blame(el, message);
    } else toast(message, meaning);
    done();
  }
  function send(act, from) {
    unsent.delete(from);
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
  function actOf(el) {
    const test = el.dataset.f !== undefined && el.closest("[data-test]");
    if (test) return testOf(test);
    if (el.dataset.do === undefined) return null;
    if (/^(step-add|example-give)$/.test(el.dataset.do) && !el.value) return null;
    return acts(el);
  }
  function act(el) {
    const a = actOf(el);
    if (a) send(a, el);
  }
  box.addEventListener("click", (e) => {
    const b = e.target.closest("button[data-do]");
    if (b) act(b);
  });
  // Selects and finished inputs act at once; typing acts after a pause.
  let typing = 0, quiet = false;
  function flush() {
    clearTimeout(typing);
    for (const el of [...unsent]) if (el.isConnected) act(el);
    unsent.clear();
  }
  // A list that adds what is chosen: the keyboard walks through it, and Enter adds.
  const adds = (el) => el.tagName === "SELECT" && /^(step-add|example-give)$/.test(el.dataset.do || "");
  box.addEventListener("keydown", (e) => {
    const el = e.target;
    if (!adds(el)) return;
    if (e.key === "Enter" && el.value) { e.preventDefault(); delete el.dataset.walked; act(el); }
    else if (!e.altKey && (e.key.startsWith("Arrow") || /^(Home|End|Page)/.test(e.key) || e.key.length === 1 && e.key !== " ")) el.dataset.walked = "1";
  });
  box.addEventListener("pointerdown", (e) => { const el = e.target.closest("select"); if (el) delete el.dataset.walked; });
  box.addEventListener("change", (e) => {
    if (quiet || e.target.dataset.walked) return;
    clearTimeout(typing);
    for (const el of [...unsent]) if (el !== e.target && el.isConnected) act(el);
    act(e.target);
  });
  box.addEventListener("input", (e) => {
    const el = e.target;
    if (el.tagName === "SELECT" || actOf(el) === null) return;
    if (el.dataset.format === "sku") skus(el);
    unsent.add(el);
    due.delete(el);
    clearTimeout(typing);
    typing = setTimeout(flush, 500);
  });
  box.addEventListener("focusout", (e) => { // who leaves a field sees what the text holds
    const el = e.target;
    if (due.has(el) && !unsent.has(el) && !refused.has(el)) el.value = due.get(el);
    due.delete(el);
  });
  box.addEventListener("focusin", (e) => {
    if (e.target.dataset && e.target.dataset.format === "sku") skus(e.target);
    if (e.target.getAttribute("list") === "list-zones") zones();
  });
  function zones() {
    const to = $("#list-zones");
    if (!to || to.firstChild || !Intl.supportedValuesOf) return;
    to.replaceChildren(...Intl.supportedValuesOf("timeZone").map((z) => { const x = document.createElement("option"); x.value = z; return x; }));
  }
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
  // Who writes in the text indents by Tab, and Escape gives Tab back; who only passes through with Tab goes on.
  pane.addEventListener("beforeinput", () => { pane.dataset.typed = "1"; });
  pane.addEventListener("keydown", (e) => {
    if (e.key === "Tab" && !e.shiftKey && pane.dataset.typed && !pane.dataset.leave) {
      e.preventDefault();
      pane.setRangeText("  ", pane.selectionStart, pane.selectionEnd, "end");
      pane.dispatchEvent(new Event("input"));
    }
    if (e.key === "Escape") pane.dataset.leave = "1"; else if (e.key !== "Tab" && e.key !== "Shift") delete pane.dataset.leave;
  });
  pane.addEventListener("blur", () => { delete pane.dataset.leave; delete pane.dataset.typed; });
  undoButton.addEventListener("click", () => {
    if (!past.length) return;
    write(past.pop());
    undoButton.disabled = past.length === 0;
    refused.clear();
    unsent.clear();
    send(null, pane);
  });
  document.addEventListener("keydown", (e) => {
    if ((e.ctrlKey || e.metaKey) && e.key === "s") { e.preventDefault(); const f = $("#save"); if (f.reportValidity()) f.requestSubmit(); }
  });
  // What is saved is what was typed: what is under way is finished first, and what was refused keeps the form.
  let saving = false;
  function kept() { // by a value that was refused
    const bad = [...refused.keys()].find((el) => el.isConnected);
    if (!bad) return false;
    const fold = bad.closest("details");
    if (fold) fold.open = true;
    bad.focus();
    toast("Not saved: " + refused.get(bad), "attention");
    return true;
  }
  function save() {
    saving = false;
    if (kept()) return;
    saved = true;
    $("#save").requestSubmit($("#save-button"));
  }
  $("#save").addEventListener("submit", (e) => {
    if (saved) return;
    if (dirty) { clearTimeout(timer); dirty = false; send(null, pane); }
    flush();
    saving = busy;
    if (busy || kept()) e.preventDefault(); else saved = true;
  });
  addEventListener("beforeunload", (e) => { if (!saved && pane.value !== began) e.preventDefault(); });
  try { problems = $$("button", list).map((b) => ({ line: Number(b.dataset.line), col: Number(b.dataset.col), message: b.nextSibling.textContent.trim(), lacks: b.parentElement.className === "lacks" })); } catch { /* none */ }
  number();
})();
