// A form for an adapter's credentials, made from the JSON Schema that the API answers (integrations.md K1, K2). What is
// secret is typed in and never filled in: the API does not tell it, and an empty one keeps what is stored.
"use strict";

const api = "../api/v1/";
const at = (id) => document.getElementById(id);
let token = "";
let shown = null; // {adapter, name, scope, row, inputs, configInputs}

async function ask(method, path, body) {
  const answer = await fetch(api + path, {
    method,
    cache: "no-store",
    credentials: "omit",
    headers: { Authorization: `Bearer ${token}`, "Content-Type": "application/json" },
    body: body === undefined ? undefined : JSON.stringify(body),
  });
  const said = await answer.json();
  if (answer.ok) return said;
  const error = new Error(said.error?.message ?? `HTTP ${answer.status}`);
  error.fields = said.error?.fields ?? [];
  throw error;
}

function tell(text, good) {
  const outcome = at("outcome");
  outcome.textContent = text;
  outcome.className = good ? "good" : "bad";
}

function element(name, properties, ...children) {
  const made = Object.assign(document.createElement(name), properties);
  made.append(...children);
  return made;
}

// What a field is typed into. `value` reads it: undefined if there is nothing in it, and throws what is wrong.
function control(schema) {
  if (schema.enum) {
    const options = schema.enum.map((each) => element("option", { value: JSON.stringify(each) }, String(each)));
    const made = element("select", {}, element("option", { value: "" }, ""), ...options);
    return { made, value: () => (made.value === "" ? undefined : JSON.parse(made.value)), fill: (v) => (made.value = JSON.stringify(v)) };
  }
  if (schema.type === "boolean") {
    const made = element("input", { type: "checkbox" });
    return { made, value: () => made.checked, fill: (v) => (made.checked = v) };
  }
  if (schema.type === "object" || schema.type === "array") {
    const made = element("textarea", { spellcheck: false, placeholder: schema.type === "array" ? "[]" : "{}" });
    const value = () => {
      if (made.value.trim() === "") return undefined;
      try {
        return JSON.parse(made.value);
      } catch {
        throw new Error("is no JSON");
      }
    };
    return { made, value, fill: (v) => (made.value = JSON.stringify(v, null, 2)) };
  }
  if (schema.type === "integer" || schema.type === "number") {
    const made = element("input", { type: "number", step: schema.type === "integer" ? "1" : "any" });
    if (schema.minimum !== undefined) made.min = schema.minimum;
    if (schema.maximum !== undefined) made.max = schema.maximum;
    const value = () => {
      if (made.validity.badInput) throw new Error("is no number");
      return made.value === "" ? undefined : Number(made.value);
    };
    return { made, value, fill: (v) => (made.value = v) };
  }
  const made = element("input", { type: schema.writeOnly ? "password" : "text", autocomplete: schema.writeOnly ? "new-password" : "off" });
  return { made, value: () => (made.value === "" ? undefined : made.value), fill: (v) => (made.value = v) };
}

function field(prefix, name, schema, required, stored) {
  const id = `${prefix}-${name}`;
  const { made, value, fill } = control(schema);
  const help = element("p", { className: "help", id: `${id}-help` }, schema.description ?? "");
  const error = element("p", { className: "error", id: `${id}-error`, role: "alert" });
  made.id = id;
  made.setAttribute("aria-describedby", `${help.id} ${error.id}`);
  const kept = schema.writeOnly && stored !== undefined;
  if (kept) help.append(schema.description ? " " : "", "Stored; leave it empty to keep it.");
  if (!schema.writeOnly && stored !== undefined) fill(stored);
  if (stored === undefined && schema.default !== undefined) fill(schema.default);
  const label = element("label", { htmlFor: id }, schema.title ?? name);
  if (required && !kept) {
    if (made.type !== "checkbox") made.required = true;
    label.append(" ", element("span", { className: "mark", ariaHidden: "true" }, "*"));
  }
  const isFlag = made.type === "checkbox";
  const row = element("div", { className: isFlag ? "field flag" : "field" }, ...(isFlag ? [made, label] : [label, made]), help, error);
  const complain = (text) => {
    error.textContent = text;
    made.setAttribute("aria-invalid", text === "" ? "false" : "true");
  };
  const clear = () => {
    if (schema.writeOnly) made.value = "";
  };
  return { name, row, made, value, complain, clear, isSecret: Boolean(schema.writeOnly), wasStored: stored !== undefined };
}

function fieldsOf(prefix, schema, stored) {
  return Object.entries(schema.properties).map(([name, each]) =>
    field(prefix, name, each, schema.required.includes(name), stored?.[name]));
}

// Nothing: something is wrong with them, and is said where it is.
function valuesOf(inputs, removesEmptied) {
  const values = {};
  let wrong = null;
  for (const input of inputs) {
    input.complain("");
    try {
      const value = input.value();
      if (value !== undefined) values[input.name] = value;
      else if (removesEmptied && input.wasStored && !input.isSecret) values[input.name] = null;
    } catch (problem) {
      input.complain(problem.message);
      wrong ??= input;
    }
  }
  wrong?.made.focus();
  return wrong ? null : values;
}

function explain(error, inputs) {
  let first = null;
  for (const fault of error.fields ?? []) {
    const input = inputs.find((each) => each.name === fault.field);
    input?.complain(fault.message);
    first ??= input;
  }
  first?.made.focus();
  tell(error.message, false);
}

async function show(adapter, name, scope) {
  const path = `adapters/${encodeURIComponent(adapter)}/form`;
  const [form, config, { credentials }] = await Promise.all([
    ask("GET", path), ask("GET", `${path}?of=config`), ask("GET", `credentials?adapter=${encodeURIComponent(adapter)}`)]);
  const row = credentials.find((each) => each.name === name && each.scope === scope);
  const inputs = fieldsOf("credential", form, row?.values);
  const configInputs = fieldsOf("config", config);
  shown = { adapter, name, scope, row, inputs, configInputs };
  at("title").textContent = `${form.title}: ${name}`;
  at("description").textContent = form.description ?? "";
  at("fields").replaceChildren(...inputs.map((each) => each.row));
  at("config-fields").replaceChildren(...configInputs.map((each) => each.row));
  at("config").hidden = configInputs.length === 0;
  at("try-stored").hidden = row === undefined;
  at("values").hidden = false;
}

function on(id, event, work) {
  at(id).addEventListener(event, async (happened) => {
    happened.preventDefault();
    tell("…", true);
    try {
      await work();
    } catch (problem) {
      explain(problem, shown?.inputs ?? []);
    }
  });
}

on("login", "submit", async () => {
  token = at("token").value.trim();
  const { adapters } = await ask("GET", "credentials");
  at("token").value = "";
  at("adapter").replaceChildren(...adapters.map((each) => element("option", { value: each.name }, each.title)));
  at("login").hidden = true;
  at("choice").hidden = false;
  at("adapter").focus();
  tell("", true);
});

on("choice", "submit", async () => {
  await show(at("adapter").value, at("name").value.trim(), at("scope").value.trim());
  at("title").focus();
  tell("", true);
});

on("try", "click", async () => {
  const credentials = valuesOf(shown.inputs, false);
  const config = valuesOf(shown.configInputs, false);
  if (credentials === null || config === null) return tell("Not sent: something is wrong with what is typed.", false);
  const result = await ask("POST", `adapters/${encodeURIComponent(shown.adapter)}/test`, { credentials, config });
  tell(result.message, result.success);
});

on("try-stored", "click", async () => {
  const result = await ask("POST", `credentials/${encodeURIComponent(shown.row.id)}/test`, {});
  tell(result.message, result.success);
});

on("values", "submit", async () => {
  const { adapter, name, scope } = shown;
  const values = valuesOf(shown.inputs, true);
  if (values === null) return tell("Not saved: something is wrong with what is typed.", false);
  await ask("PUT", "credentials", { adapter, name, scope, values });
  for (const input of shown.inputs) input.clear();
  await show(adapter, name, scope);
  tell("Saved.", true);
});
