// Passkeys: a form with data-passkey asks the server for a question, the browser for an
// answer to it, and sends that. Where a browser has none, the form stays hidden.
(function () {
  "use strict";
  if (!window.PublicKeyCredential || !navigator.credentials) return;
  const bytes = (s) => Uint8Array.from(atob(s.replace(/-/g, "+").replace(/_/g, "/")), (c) => c.charCodeAt(0));
  const text = (b) => btoa(String.fromCharCode(...new Uint8Array(b))).replace(/\+/g, "-").replace(/\//g, "_").replace(/=+$/, "");
  const words = {
    NotAllowedError: "Nothing was chosen, or it took too long. Try again.",
    InvalidStateError: "This device holds a passkey of yours for this shop already.",
    SecurityError: "Passkeys belong to another address of this console. Open it there.",
    NotSupportedError: "This device cannot keep such a passkey.",
  };

  async function ask(form) {
    const r = await fetch(form.dataset.ask, { method: "POST", body: new URLSearchParams(new FormData(form)), headers: { Accept: "application/json" } });
    const q = await r.json();
    if (!r.ok) throw new Error(q.message);
    q.challenge = bytes(q.challenge);
    for (const c of (q.excludeCredentials || []).concat(q.allowCredentials || [])) c.id = bytes(c.id);
    if (q.user) q.user.id = bytes(q.user.id);
    const c = await navigator.credentials[form.dataset.passkey]({ publicKey: q });
    const a = { id: c.id, rawId: text(c.rawId), type: c.type, clientExtensionResults: {}, response: { clientDataJSON: text(c.response.clientDataJSON) } };
    for (const part of ["attestationObject", "authenticatorData", "signature", "userHandle"]) {
      if (part in c.response && c.response[part]) a.response[part] = text(c.response[part]);
    }
    if (form.dataset.passkey === "create") { delete a.response.authenticatorData; a.response.transports = c.response.getTransports ? c.response.getTransports() : []; }
    return JSON.stringify(a);
  }

  for (const form of document.querySelectorAll("form[data-passkey]")) {
    const bad = form.querySelector("[data-bad]"), button = form.querySelector("button");
    form.hidden = false;
    document.querySelectorAll("[data-no-passkey]").forEach((el) => { el.hidden = true; });
    form.addEventListener("submit", (e) => {
      e.preventDefault();
      bad.hidden = true;
      button.disabled = true;
      ask(form).then((answer) => {
        form.elements.answer.value = answer;
        if (form.elements.password) form.elements.password.disabled = true; // it has been asked for
        form.submit();
      }, (err) => {
        bad.textContent = words[err.name] || err.message || "That did not work. Try again.";
        bad.hidden = false;
        button.disabled = false;
      });
    });
  }
})();
