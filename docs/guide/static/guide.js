/* What only the browser knows: which boxes scroll, and so have to be reached by the keyboard.
 *
 * The theme's drawers have no names of their own; they get them here.
 */
(() => {
  "use strict";

  const BOXES = "pre, .table-wrapper, .math, .output, .sidebar-scroll, .toc-scroll";
  const NAMES = { "sidebar-drawer": "Contents of the guide", "toc-drawer": "On this page" };

  /* A box that scrolls takes the focus; one that fits needs none. */
  function reach(box) {
    const scrolls = box.scrollWidth > box.clientWidth + 1 || box.scrollHeight > box.clientHeight + 1;
    if (scrolls) box.tabIndex = 0;
    else box.removeAttribute("tabindex");
  }

  document.addEventListener("DOMContentLoaded", () => {
    for (const [name, words] of Object.entries(NAMES)) {
      document.querySelectorAll(`aside.${name}`).forEach((drawer) => drawer.setAttribute("aria-label", words));
    }
    const boxes = [...document.querySelectorAll(BOXES)];
    boxes.forEach(reach);
    const watch = new ResizeObserver((entries) => entries.forEach((entry) => reach(entry.target)));
    boxes.forEach((box) => watch.observe(box));
  });
})();
