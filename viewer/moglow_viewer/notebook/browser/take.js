// The widget in a notebook: two sliders above the page that plays the take. The take is sampled again in Python.

function slider(label, { max, step }, spell, form) {
  const row = document.createElement("label"), input = document.createElement("input");
  const shown = document.createElement("output");
  Object.assign(input, { type: "range", min: 0, max, step });
  input.setAttribute("aria-label", label);
  // Keys move the slider. JupyterLab's shortcuts match the focused element, so an ancestor cannot suppress them.
  input.dataset.lmSuppressShortcuts = "true";
  row.append(label, input, shown);
  form.append(row);
  input.addEventListener("input", () => { shown.textContent = spell(input.valueAsNumber); });
  return { input, set(value) { input.value = value; shown.textContent = spell(value); } };
}

function render({ model, el }) {
  const form = document.createElement("form"), frame = document.createElement("iframe");
  const status = document.createElement("span"), styles = model.get("styles");
  status.setAttribute("role", "status");
  frame.title = "The take";
  el.classList.add("moglow-take");
  el.append(form, frame);

  const request = (name, value) => {
    status.textContent = "sampling …";
    model.set(name, value);
    model.save_changes();
  };
  if (styles.length) {
    const style = slider("Style", { max: styles.length - 1, step: 1 }, (k) => styles[k], form);
    const heat = slider("Temperature", { max: model.get("hottest"), step: 0.05 }, (value) => value.toFixed(2), form);
    style.input.disabled = styles.length === 1; // a model without styles
    style.input.addEventListener("change", () => request("style", styles[style.input.valueAsNumber]));
    heat.input.addEventListener("change", () => request("temperature", heat.input.valueAsNumber));
    const follow = () => {
      style.set(styles.indexOf(model.get("style")));
      heat.set(model.get("temperature"));
    };
    model.on("change:style", follow);
    model.on("change:temperature", follow);
    follow();
    form.append(status);
  }
  const play = () => {
    frame.srcdoc = model.get("page");
    status.textContent = model.get("message");
  };
  model.on("change:page", play);
  model.on("change:message", () => { status.textContent = model.get("message"); });
  play();
}

export default { render };
