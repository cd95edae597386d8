import { at } from "../kube/object";
import { isObject, type Plain } from "../objects/yaml/plain";
import type { Form, FormValues } from "./forms";

/**
 * Puts what a form says into an object, and leaves alone what the form does not know: whoever wrote more in YAML keeps
 * it when they go back to the form.
 */
export function applied(form: Form, values: FormValues, object: unknown): Plain {
  return overlay(
    isObject(object) ? object : {},
    form.toObject(values),
    form.toObject(form.fromObject(object)),
  ) as Plain;
}

function overlay(there: unknown, now: unknown, before: unknown): unknown {
  if (!isObject(now)) {
    if (Array.isArray(now) && Array.isArray(there) && now.length === there.length)
      return now.map((each: unknown, index) => overlay(there[index], each, at(before, index)));
    return now;
  }
  const kept = isObject(there) ? there : {};
  const gone = isObject(before) ? Object.keys(before).filter((key) => !(key in now)) : [];
  const all: Plain = Object.fromEntries(Object.entries(kept).filter(([key]) => !gone.includes(key)));
  for (const [key, value] of Object.entries(now))
    all[key] = overlay(kept[key], value, isObject(before) ? before[key] : undefined);
  return all;
}
