// "/" and Ctrl+K lead to the search from every page: to its field where that is seen, to its page where it is not.
// On that page the field has the focus: a browser passes over "autofocus" while the page's layout is still to come.
(() => {
  const TYPED_IN = "input, textarea, select, [contenteditable]";

  document.addEventListener(
    "keydown",
    (event) => {
      const combined = (event.ctrlKey || event.metaKey) && !event.altKey && event.key.toLowerCase() === "k";
      const slash = event.key === "/" && !event.ctrlKey && !event.metaKey && !event.altKey;
      if (!combined && !(slash && !event.target.closest(TYPED_IN))) return;
      const field = document.getElementById("search-term") || document.getElementById("global-search");
      if (!field) return;
      event.preventDefault();
      event.stopImmediatePropagation(); // the theme's "/" goes to the search of the list
      if (field.checkVisibility() && field.getBoundingClientRect().right > 0) field.select();
      else location.assign(field.form.action);
    },
    true,
  );
  addEventListener("load", () => {
    if (document.activeElement === document.body) document.querySelector("#search-term[autofocus]")?.focus();
  });
})();
