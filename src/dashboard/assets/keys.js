// What the keyboard does beyond links and buttons. Every page works without it.
"use strict";

const places = { h: "/", s: "/syncs", c: "/conflicts", d: "/dead-letters", r: "/replays", o: "/ownership", n: "/connections" };
let waitsForPlace = false;

const isTyping = (element) => element.matches("input, select, textarea");

function move(step) {
  const links = [...document.querySelectorAll("main tbody a:first-of-type")];
  if (links.length === 0) return;
  const at = links.indexOf(document.activeElement);
  links[Math.min(Math.max(at + step, 0), links.length - 1)].focus();
}

document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || isTyping(event.target)) return;
  if (waitsForPlace) {
    waitsForPlace = false;
    if (places[event.key]) location.assign(places[event.key]);
    return;
  }
  switch (event.key) {
    case "g":
      waitsForPlace = true;
      break;
    case "j":
      move(1);
      break;
    case "k":
      move(-1);
      break;
    case "/": {
      const search = document.querySelector("main form input[type=search]");
      if (search) {
        event.preventDefault();
        search.focus();
      }
      break;
    }
  }
});
