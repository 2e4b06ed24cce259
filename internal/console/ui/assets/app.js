// Small things every page needs: toasts, dialogs, copy, ages that stay true.
// Pages work without this file for reading; it only adds.
(function () {
  "use strict";
  const $ = (s, el) => (el || document).querySelector(s);
  const $$ = (s, el) => Array.from((el || document).querySelectorAll(s));

  // A toast; undo is a function and makes a button. Returns a function that removes it.
  function toast(text, meaning, undo, ms) {
    const box = $(".toasts");
    if (!box) return () => {};
    const el = document.createElement("div");
    el.className = "toast " + (meaning || "neutral");
    const span = document.createElement("span");
    span.textContent = text;
    el.append(span);
    if (undo) {
      const b = document.createElement("button");
      b.type = "button"; b.className = "btn small"; b.textContent = "Undo";
      b.addEventListener("click", () => { el.remove(); undo(); });
      el.append(b);
    }
    box.append(el);
    const timer = setTimeout(() => el.remove(), ms || 6000);
    return () => { clearTimeout(timer); el.remove(); };
  }

  const span = (s) => s < 60 ? Math.floor(s) + " s" : s < 3600 ? Math.floor(s / 60) + " min" : s < 172800 ? Math.floor(s / 3600) + " h"
    : s < 63072000 ? Math.floor(s / 86400) + " d" : Math.floor(s / 31536000) + " y";
  const skew = Date.parse(document.documentElement.dataset.now) - Date.now(); // ages follow the server's clock
  function ages() {
    const now = Date.now() + (skew || 0);
    for (const el of $$("[data-age]")) {
      const s = (now - Date.parse(el.dataset.age)) / 1000;
      if (isNaN(s)) continue;
      const text = s < 0 ? "in " + span(-s) : s < 45 ? "just now" : span(s) + " ago";
      if (el.textContent !== text) el.textContent = text;
    }
    for (const el of $$("[data-due]")) { // the countdown of a task's deadline
      const s = (Date.parse(el.dataset.due) - now) / 1000;
      if (isNaN(s)) continue;
      const h = Math.floor(Math.abs(s) / 3600), m = Math.floor(Math.abs(s) % 3600 / 60);
      const left = h >= 48 ? Math.floor(h / 24) + " d" : h > 0 ? h + " h " + String(m).padStart(2, "0") + " min" : m + " min";
      const text = s < 0 ? left + " late" : left + " left";
      if (el.textContent !== text) el.textContent = text;
      el.classList.toggle("late", s < 0);
      el.classList.toggle("soon", s >= 0 && s < 3600);
    }
  }

  document.addEventListener("click", (e) => {
    const t = e.target.closest("[data-copy],[data-open],[data-close],[data-dismiss],[data-theme-toggle]");
    if (!t) return;
    if (t.dataset.copy !== undefined) {
      e.preventDefault();
      navigator.clipboard.writeText(t.dataset.copy).then(() => toast("Copied " + t.dataset.copy, "done", null, 2000),
        () => toast("The browser did not allow copying", "attention"));
    } else if (t.dataset.open !== undefined) {
      const d = document.getElementById(t.dataset.open);
      if (d) {
        e.preventDefault();
        d.showModal();
        const f = d.querySelector("select, textarea, input:not([type=hidden])");
        if (f) f.focus(); // not the cross, which comes first
      }
    } else if (t.dataset.close !== undefined) {
      t.closest("dialog").close();
    } else if (t.dataset.dismiss !== undefined) {
      t.closest(".toast").remove();
    } else {
      // The server keeps the choice in a cookie; here it is shown at once.
      e.preventDefault();
      const root = document.documentElement, theme = t.value;
      if (theme === "auto") root.removeAttribute("data-theme"); else root.dataset.theme = theme;
      fetch("/theme", { method: "POST", body: new URLSearchParams({ theme: theme, back: "/" }), redirect: "manual" });
      t.value = theme === "dark" ? "light" : theme === "light" ? "auto" : "dark";
      toast(theme === "auto" ? "Theme follows the system" : "Theme: " + theme, "neutral", null, 1800);
    }
  });
  document.addEventListener("click", (e) => { if (e.target.tagName === "DIALOG") e.target.close(); }); // the backdrop
  // A form is sent once; its one-time key makes a second click harmless on the server, too.
  document.addEventListener("submit", (e) => {
    if (e.defaultPrevented || e.target.method !== "post" || e.submitter && e.submitter.formTarget) return; // a look leaves the page as it is
    setTimeout(() => $$("button", e.target).forEach((b) => { b.disabled = true; }), 0);
  });
  addEventListener("pageshow", (e) => { if (e.persisted) $$("form button[disabled]").forEach((b) => { b.disabled = false; }); });
  document.addEventListener("change", (e) => { // selects of a filter bar act at once
    const f = e.target.closest("form[data-auto]");
    if (f && e.target.tagName === "SELECT") f.requestSubmit();
  });
  document.addEventListener("toggle", (e) => { // what a person unfolds stays unfolded when the part is refreshed
    const d = e.target;
    if (d.tagName === "DETAILS" && d.id) { if (d.open) unfolded.add(d.id); else unfolded.delete(d.id); }
  }, true);
  const unfolded = new Set();
  document.addEventListener("htmx:afterSettle", () => {
    ages();
    for (const id of unfolded) { const d = document.getElementById(id); if (d) d.open = true; }
  });
  document.addEventListener("htmx:configRequest", (e) => { // an empty filter is no filter: addresses stay short
    if (e.detail.verb !== "get") return;
    for (const [k, v] of Object.entries(e.detail.parameters)) if (v === "") delete e.detail.parameters[k];
  });
  document.addEventListener("htmx:responseError", (e) => {
    const s = e.detail.xhr.status;
    if (s === 401) { location.href = "/signin?back=" + encodeURIComponent(location.pathname + location.search); return; }
    toast("This part could not be refreshed (" + s + "). Nothing was changed; reload to try again.", "danger");
  });
  $$("[data-look]").forEach((el) => el.click()); // what is not saved yet is shown in its frame
  $$("[data-toast]").forEach((el) => setTimeout(() => el.remove(), $("form", el) ? 30000 : 9000));
  ages();
  setInterval(ages, 15000);
  // A form in a dialog that the server refuses stays open with what was written, and says what is wrong beside the field.
  document.addEventListener("submit", (e) => {
    const form = e.target;
    if (form.dataset.inline === undefined) return;
    e.preventDefault();
    const say = (place, text) => {
      const bad = document.createElement("span");
      bad.className = "bad"; bad.setAttribute("role", "alert"); bad.textContent = text;
      place.append(bad);
    };
    for (const el of $$(".bad", form)) el.remove();
    for (const el of $$("[aria-invalid]", form)) el.removeAttribute("aria-invalid");
    const buttons = $$("button", form), enable = (on) => { for (const b of buttons) b.disabled = !on; };
    enable(false);
    fetch(form.action, { method: "POST", body: new URLSearchParams(new FormData(form)), headers: { Accept: "application/json" }, redirect: "manual" }).then((r) => {
      if (r.type === "opaqueredirect" || r.ok) { location.replace(location.pathname + location.search); return null; }
      return r.json().then((a) => {
        let placed = false;
        for (const [name, text] of Object.entries(a.fields || {})) {
          const el = form.elements[name], field = el && el.closest && el.closest(".field");
          if (!field) continue;
          el.setAttribute("aria-invalid", "true");
          say(field, $("label", field).textContent + " " + text + ".");
          if (!placed) el.focus();
          placed = true;
        }
        const rest = Object.entries(a.fields || {}).filter(([name]) => !form.elements[name]).map(([, text]) => text);
        if (!placed) say($(".foot", form).parentElement, "Nothing was changed: " + (rest.length ? rest.join("; ") : a.message) + ".");
        enable(true);
      });
    }).catch(() => { enable(true); say(form, "The server did not answer. What you wrote is still here; try again."); });
  });

  window.orderly = { $, $$, toast, ages };
})();
