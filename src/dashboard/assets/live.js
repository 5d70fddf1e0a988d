// Pages that follow what happens wait while somebody is at them: nothing moves away under a finger, what has the keyboard
// keeps it (by its id, htmx does that), and what was unfolded stays so.
"use strict";

let pressed = false;
let late = null;
let unfolded = [];

addEventListener("pointerdown", () => (pressed = true), true);
for (const end of ["pointerup", "pointercancel"]) {
  // The click comes first.
  addEventListener(end, () => setTimeout(release), true);
}

function release() {
  pressed = false;
  if (late) htmx.trigger(late, "sse:sync");
  late = null;
}

document.addEventListener("htmx:beforeSwap", (event) => {
  if (pressed) {
    event.detail.shouldSwap = false;
    late = event.detail.requestConfig.elt;
    return;
  }
  unfolded = [...document.querySelectorAll("#live details[open]")].map((details) => details.id);
});

document.addEventListener("htmx:afterSwap", () => {
  for (const id of unfolded) document.getElementById(id)?.setAttribute("open", "");
});
