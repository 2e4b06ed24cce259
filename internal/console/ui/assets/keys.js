// The keyboard: g-shortcuts, the palette, and rows of lists.
(function () {
  "use strict";
  const { $, $$ } = window.orderly;
  const typing = (el) => el && (el.isContentEditable || /^(INPUT|TEXTAREA|SELECT)$/.test(el.tagName) && !/^(checkbox|radio|button)$/.test(el.type));
  const pages = { t: "/", o: "/orders", r: "/review", s: "/stock", a: "/automations", e: "/effects", i: "/incidents", m: "/map", p: "/settings" };

  // palette
  const dlg = $("#palette"), input = $("#palette input"), list = $("#palette-list");
  let items = [], at = 0, asked = 0, timer = 0;
  const icons = {};
  function render() {
    list.replaceChildren();
    let group = "";
    items.forEach((it, i) => {
      if (it.group !== group) {
        group = it.group;
        const g = document.createElement("li");
        g.className = "group"; g.setAttribute("role", "presentation"); g.textContent = group;
        list.append(g);
      }
      const li = document.createElement("li");
      li.setAttribute("role", "option"); li.id = "pal-" + i;
      li.setAttribute("aria-selected", String(i === at));
      const name = document.createElement("span");
      name.className = "grow cut"; name.textContent = it.label;
      li.append(name);
      if (it.note) { const n = document.createElement("span"); n.className = "end"; n.textContent = it.note; li.append(n); }
      li.addEventListener("mousemove", () => { if (at !== i) { at = i; mark(); } });
      li.addEventListener("click", () => open(it));
      list.append(li);
    });
    if (items.length === 0) {
      const li = document.createElement("li");
      li.className = "group"; li.setAttribute("role", "presentation");
      li.textContent = input.value ? "Nothing found. Order numbers, customer names, mail addresses and SKUs work here." : "Loading…";
      list.append(li);
    }
    mark();
  }
  function mark() {
    $$("[role=option]", list).forEach((li, i) => li.setAttribute("aria-selected", String(i === at)));
    const cur = $("#pal-" + at);
    if (cur) { cur.scrollIntoView({ block: "nearest" }); input.setAttribute("aria-activedescendant", cur.id); }
  }
  function open(it) {
    dlg.close();
    if (it.do === "theme") { const b = $("[data-theme-toggle]"); if (b) b.click(); return; }
    if (it.do === "keys") { $("#keys-help").showModal(); return; }
    if (it.do === "signout") { const f = $('form[action="/signout"]'); if (f) f.submit(); return; }
    location.href = it.href;
  }
  function ask() {
    const mine = ++asked;
    fetch("/palette?q=" + encodeURIComponent(input.value) + "&at=" + encodeURIComponent(location.pathname), { headers: { Accept: "application/json" } })
      .then((r) => r.ok ? r.json() : [])
      .then((got) => { if (mine === asked) { items = got || []; at = 0; render(); } })
      .catch(() => { if (mine === asked) { items = []; render(); } });
  }
  function palette() {
    if (!dlg || dlg.open) return;
    input.value = ""; items = []; at = 0;
    dlg.showModal(); input.focus(); render(); ask();
  }
  if (dlg) {
    input.addEventListener("input", () => { clearTimeout(timer); timer = setTimeout(ask, 80); });
    input.addEventListener("keydown", (e) => {
      if (e.key === "ArrowDown" || (e.ctrlKey && e.key === "n")) { at = Math.min(at + 1, items.length - 1); mark(); e.preventDefault(); }
      else if (e.key === "ArrowUp" || (e.ctrlKey && e.key === "p")) { at = Math.max(at - 1, 0); mark(); e.preventDefault(); }
      else if (e.key === "Enter") { e.preventDefault(); if (items[at]) open(items[at]); }
    });
  }
  document.addEventListener("click", (e) => { if (e.target.closest("[data-palette]")) palette(); });

  // rows of a list: j, k, enter, x
  let row = -1;
  function rows() { return $$("[data-rows] tbody tr[data-href]"); }
  function move(d) {
    const rs = rows();
    if (!rs.length) return;
    row = Math.max(0, Math.min(rs.length - 1, row + d));
    rs.forEach((r, i) => r.classList.toggle("is-cursor", i === row));
    rs[row].scrollIntoView({ block: "nearest" });
    const link = $("a", rs[row]);
    if (link) link.focus({ preventScroll: true });
  }
  document.addEventListener("htmx:afterSettle", () => { row = -1; });

  // suggestions: j and k go from card to card, a accepts, r asks why not, Enter unfolds the text
  const cards = () => $$("[data-suggestion]");
  let card = -1;
  function look(d) {
    const cs = cards();
    card = Math.max(0, Math.min(cs.length - 1, card + d));
    cs[card].focus({ preventScroll: true });
    cs[card].scrollIntoView({ block: "nearest" });
  }
  function suggestion(key) {
    const c = cards()[card];
    if (key === "j" || key === "k") { look(key === "j" ? 1 : -1); return true; }
    if (!c) return false;
    if (key === "Enter" && document.activeElement !== c) return false;
    if (key === "a") { const b = $("[data-accept]", c); if (b) b.form.requestSubmit(b); return !!b; }
    const fold = $(key === "r" ? "[data-refuse]" : key === "Enter" ? "details.fold" : "none", c);
    if (!fold) return false;
    fold.open = key === "r" || !fold.open;
    const reason = key === "r" && $("input[name=reason]", fold);
    if (reason) reason.focus();
    return true;
  }

  let g = 0;
  document.addEventListener("keydown", (e) => {
    if ((e.ctrlKey || e.metaKey) && e.key.toLowerCase() === "k") { e.preventDefault(); palette(); return; }
    const form = e.key === "Enter" && (e.ctrlKey || e.metaKey) && e.target.closest("dialog[open] form");
    if (form) { e.preventDefault(); form.requestSubmit(); return; }
    if (e.defaultPrevented || e.ctrlKey || e.metaKey || e.altKey) return;
    if (e.key === "Escape" && typing(e.target)) { e.target.blur(); return; }
    if (typing(e.target) || $("dialog[open]")) return;
    const now = Date.now();
    if (now - g < 1200 && pages[e.key]) { g = 0; e.preventDefault(); location.href = pages[e.key]; return; }
    g = 0;
    if (cards().length && suggestion(e.key)) { e.preventDefault(); return; }
    const does = e.key.length === 1 && $('[data-press="' + CSS.escape(e.key) + '"]'); // what the page itself gives a key
    if (does) { e.preventDefault(); does.click(); return; }
    switch (e.key) {
      case "g": g = now; break;
      case "/": { const s = $("[data-search]"); e.preventDefault(); if (s) { s.focus(); s.select(); } else palette(); break; }
      case "?": e.preventDefault(); $("#keys-help").showModal(); break;
      case "j": if (rows().length) { e.preventDefault(); move(1); } break;
      case "k": if (rows().length) { e.preventDefault(); move(-1); } break;
      case "x": { const r = rows()[row], c = r && $("input[type=checkbox]", r); if (c) c.click(); break; }
    }
  });
})();
