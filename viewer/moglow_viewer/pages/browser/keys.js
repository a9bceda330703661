"use strict";
// Actions of a page by key, which buttons with a `data-key` carry out as well.

// Carries out `actions` and calls `changed` after each. `repeats`: whether a key that is held repeats its action;
// `buttons`: the buttons that give up the focus after a click, so that Space pauses; with the keyboard it is kept.
function bindActions(actions, changed, { repeats = false, buttons = "button" } = {}) {
  function act(key) {
    if (!actions[key]) return false;
    actions[key]();
    changed();
    return true;
  }
  window.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || (event.repeat && !repeats)) return;
    const pressing = event.target.closest("button, summary") && [" ", "Enter"].includes(event.key);
    if (!pressing && act(event.key.length === 1 ? event.key.toLowerCase() : event.key)) event.preventDefault();
  });
  for (const button of document.querySelectorAll(buttons)) {
    button.addEventListener("click", (event) => {
      if (button.dataset.key) act(button.dataset.key);
      if (event.detail) button.blur();
    });
  }
}
