// Changes a piece of a page into another one and keeps what is the same: elements with one id, and what stands at the
// same place. The focus stays where it is, and a field that keep holds on keeps its value.
(function () {
  "use strict";
  const control = (el) => /^(INPUT|SELECT|TEXTAREA)$/.test(el.tagName);

  // morph makes the children of from those of to. keep tells which controls keep what is in them; told hears what they
  // would have become.
  window.orderly.morph = function (from, to, keep, told) {
    const kept = new Map(), held = new Map();
    for (const el of from.querySelectorAll("[id]")) {
      kept.set(el.id, el);
      if (control(el) && keep(el)) held.set(el.id, el);
    }
    const alike = (a, b) => a.nodeType === b.nodeType && a.nodeName === b.nodeName && (a.id || "") === (b.id || "") && (a.type || "") === (b.type || "");

    function attributes(a, b, mine) {
      const stays = (name) => mine && name === "value" || name === "open" && a.nodeName === "DETAILS";
      for (const { name, value } of [...b.attributes]) if (!stays(name) && a.getAttribute(name) !== value) a.setAttribute(name, value);
      for (const { name } of [...a.attributes]) if (!stays(name) && !b.hasAttribute(name)) a.removeAttribute(name);
    }
    function element(a, b) {
      const mine = control(a) && keep(a), value = b.value, checked = b.checked; // before its options move over
      attributes(a, b, mine);
      if (a.nodeName === "TEXTAREA") { if (!mine) a.defaultValue = b.defaultValue; } else children(a, b);
      if (!control(a)) return;
      if (a.type === "checkbox") a.checked = checked;
      else if (a.value === value) return;
      else if (mine) told(a, value); else a.value = value;
    }
    // fresh is a new element with what is held put into its place.
    function fresh(b) {
      if (b.nodeType !== Node.ELEMENT_NODE) return b;
      for (const el of [b, ...b.querySelectorAll("[id]")]) {
        const live = held.get(el.id);
        if (!live || !alike(live, el)) continue;
        element(live, el);
        if (el === b) return live;
        el.replaceWith(live);
      }
      return b;
    }
    function children(a, b) {
      let at = a.firstChild;
      for (const next of [...b.childNodes]) {
        let live = next.id ? kept.get(next.id) : at;
        if (next.id && live && !a.contains(live)) live = null;
        if (live && (!next.id || live.parentNode === a) && alike(live, next)) {
          if (live !== at) a.insertBefore(live, at); else at = at.nextSibling;
          if (live.nodeType === Node.ELEMENT_NODE) element(live, next);
          else if (live.data !== next.data) live.data = next.data;
        } else a.insertBefore(fresh(next), at);
      }
      while (at) {
        const gone = at;
        at = at.nextSibling;
        gone.remove();
      }
    }
    children(from, to);
  };
})();
