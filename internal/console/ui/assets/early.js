// The one script that runs before the page is shown, so it is small. The others
// are deferred; until they listen, shortcuts pressed by somebody quick are kept
// here and pressed again. The mark data-ready says that every listener stands.
(function () {
  "use strict";
  const root = document.documentElement;
  root.classList.add("js");
  let kept = [];
  function keep(e) {
    if (!e.isTrusted || e.target.closest("input,textarea,select,[contenteditable]")) return;
    if ((e.ctrlKey || e.metaKey) ? e.key.toLowerCase() === "k" : e.key === "/") e.preventDefault(); // the browser's own search
    kept.push(e);
  }
  document.addEventListener("keydown", keep, true);
  document.addEventListener("DOMContentLoaded", () => { // deferred scripts have run by now
    document.removeEventListener("keydown", keep, true);
    root.dataset.ready = "";
    for (const e of kept) (document.activeElement || document.body).dispatchEvent(new KeyboardEvent("keydown", {
      key: e.key, code: e.code, ctrlKey: e.ctrlKey, metaKey: e.metaKey, altKey: e.altKey, shiftKey: e.shiftKey, bubbles: true, cancelable: true }));
    kept = [];
  });
})();
