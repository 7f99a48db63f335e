// Replaces the moving part every two seconds; which folds are open is kept.
"use strict";
const now = document.getElementById("now");
async function refresh() {
  if (!document.hidden) {
    try {
      const answer = await fetch("/page/now");
      if (answer.ok) {
        const open = new Map([...now.querySelectorAll("details")].map((d) => [d.dataset.key, d.open]));
        now.innerHTML = await answer.text();
        for (const d of now.querySelectorAll("details")) {
          if (open.has(d.dataset.key)) d.open = open.get(d.dataset.key);
        }
      }
    } catch (gone) {
      document.title = "Sandbox (stopped)";
    }
  }
  setTimeout(refresh, 2000);
}
setTimeout(refresh, 2000);
