/* Definitions of terms beside the word: on hover, on keyboard focus, on a first tap.
 *
 * The links work without this file: they lead to the glossary, and browsers show their title on
 * hover. Escape closes a definition; the pointer may move onto it.
 */
(() => {
  "use strict";

  const box = document.createElement("div");
  box.id = "definition";
  box.setAttribute("role", "tooltip");
  box.hidden = true;
  let shown = null;
  let timer = 0;
  let tapped = false;

  function place(link) {
    const at = link.getClientRects()[0];
    const wide = document.documentElement.clientWidth;
    box.style.maxWidth = `${Math.min(360, wide - 16)}px`;
    const left = Math.max(8, Math.min(at.left, wide - box.offsetWidth - 8));
    const above = at.top - box.offsetHeight - 6;
    box.style.left = `${left + window.scrollX}px`;
    box.style.top = `${(above > 8 ? above : at.bottom + 6) + window.scrollY}px`;
  }

  function show(link) {
    clearTimeout(timer);
    if (shown && shown !== link) hide();
    shown = link;
    box.textContent = link.dataset.definition;
    box.hidden = false;
    link.setAttribute("aria-describedby", box.id);
    place(link);
  }

  function hide() {
    clearTimeout(timer);
    if (shown) shown.removeAttribute("aria-describedby");
    shown = null;
    box.hidden = true;
  }

  const later = () => { clearTimeout(timer); timer = setTimeout(hide, 200); };

  function attach(link) {
    link.dataset.definition = link.title;
    link.removeAttribute("title");
    link.addEventListener("pointerenter", (event) => { if (event.pointerType === "mouse") show(link); });
    link.addEventListener("pointerleave", (event) => { if (event.pointerType === "mouse") later(); });
    link.addEventListener("focus", () => { if (!tapped) show(link); });
    link.addEventListener("blur", hide);
    // A first tap shows the definition, a second one follows the link.
    link.addEventListener("pointerdown", (event) => { tapped = event.pointerType !== "mouse"; });
    link.addEventListener("click", (event) => {
      if (tapped && shown !== link) {
        event.preventDefault();
        show(link);
      }
      tapped = false;
    });
  }

  document.addEventListener("DOMContentLoaded", () => {
    const links = document.querySelectorAll("a.definition[title]");
    if (!links.length) return;
    document.body.append(box);
    links.forEach(attach);
    box.addEventListener("pointerenter", () => clearTimeout(timer));
    box.addEventListener("pointerleave", later);
    document.addEventListener("keydown", (event) => { if (event.key === "Escape") hide(); });
    document.addEventListener("pointerdown", (event) => {
      if (shown && !box.contains(event.target) && !shown.contains(event.target)) hide();
    });
  });
})();
