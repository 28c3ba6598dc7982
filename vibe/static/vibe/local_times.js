// Show times in the reader's time zone, named, with UTC on hover. The server writes each as "30 Nov 2026, 12:06 UTC",
// so that a page without this script says the same. What people said is left as it is: it stands under data-said.
(() => {
  const WRITTEN = /\b(\d{1,2}) (Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec) (\d{4}), (\d\d):(\d\d)(?::(\d\d))? UTC\b/;
  const MONTHS = "Jan Feb Mar Apr May Jun Jul Aug Sep Oct Nov Dec".split(" ");
  const LEFT = "[data-said], script, style, textarea, input, time";

  function local(found) {
    const [, day, month, year, hour, minute, second] = found;
    const at = new Date(Date.UTC(year, MONTHS.indexOf(month), day, hour, minute, second || 0));
    const parts = new Intl.DateTimeFormat("en-GB", { timeZoneName: "short" }).formatToParts(at);
    const zone = parts.find((part) => part.type === "timeZoneName").value;
    const two = (number) => String(number).padStart(2, "0");
    const time = document.createElement("time");
    time.dateTime = at.toISOString();
    time.title = found[0];
    time.textContent =
      `${at.getDate()} ${MONTHS[at.getMonth()]} ${at.getFullYear()}, ${two(at.getHours())}:${two(at.getMinutes())}` +
      `${second ? `:${two(at.getSeconds())}` : ""} ${zone}`;
    return time;
  }

  function showIn(root) {
    const texts = document.createTreeWalker(root, NodeFilter.SHOW_TEXT);
    const written = [];
    while (texts.nextNode()) {
      const node = texts.currentNode;
      if (WRITTEN.test(node.data) && !node.parentElement.closest(LEFT)) written.push(node);
    }
    for (let node of written) {
      for (let found; (found = WRITTEN.exec(node.data)); ) {
        const rest = node.splitText(found.index);
        node = rest.splitText(found[0].length);
        rest.replaceWith(local(found));
      }
    }
  }

  const show = () => showIn(document.body);
  if (document.readyState === "loading") document.addEventListener("DOMContentLoaded", show);
  else show();
})();
