/** A new row: the values that it is to start with. What is left empty the device chooses. */

import { useMutation, useQueryClient } from "@tanstack/react-query";
import { type SubmitEvent, useState } from "react";

import { Problem } from "../api/client";
import type { SupportedObject } from "../api/types";
import { complaint, inputMode } from "../model/values";
import { useApi } from "../session";
import { Dialog } from "../ui/Dialog";
import { wordsOf } from "../ui/Note";
import { refused } from "./queries";

interface Props {
  device: string;
  table: string;
  object: SupportedObject;
  onClose: () => void;
  onAdded: (path: string) => void;
}

export function AddRow({ device, table, object, onClose, onAdded }: Props) {
  const api = useApi();
  const queries = useQueryClient();
  const [values, setValues] = useState<Record<string, string>>({});
  const parameters = startingValues(object);
  const given = Object.entries(values).filter(([, value]) => value !== "");
  const add = useMutation({
    mutationFn: async () => {
      const settings = given.map(([name, value]) => ({ name, value }));
      const result = (await api.add(device, table, settings)).results[0];
      if (result?.failed) throw refused(result.failed);
      if (!result?.created) throw new Problem(0, "the device did not say what it did");
      return result.created.path;
    },
    onSuccess: (path) => {
      void queries.invalidateQueries({ queryKey: ["instances", device, table] });
      onAdded(path);
    },
  });
  const wrong = (name: string) => {
    const kind = parameters.find((parameter) => parameter.name === name)?.type ?? "unknown";
    const value = values[name] ?? "";
    return value === "" ? undefined : complaint(kind, value);
  };
  const isWrong = given.some(([name]) => wrong(name) !== undefined);
  const submit = (event: SubmitEvent) => {
    event.preventDefault();
    if (!isWrong) add.mutate();
  };
  return (
    <Dialog title={`Add a row to ${table}`} onClose={onClose}>
      <form className="fields" onSubmit={submit}>
        <p className="muted">What is left empty, the device chooses.</p>
        {parameters.map(({ name, type }) => (
          <label key={name}>
            <span>
              {name} <small className="muted">{type}</small>
            </span>
            {type === "boolean" ? (
              <select value={values[name] ?? ""} onChange={(event) => setValues({ ...values, [name]: event.target.value })}>
                <option value="">the device chooses</option>
                <option value="true">true</option>
                <option value="false">false</option>
              </select>
            ) : (
              <input
                value={values[name] ?? ""}
                inputMode={inputMode(type)}
                spellCheck={false}
                aria-invalid={wrong(name) !== undefined}
                onChange={(event) => setValues({ ...values, [name]: event.target.value })}
              />
            )}
            {wrong(name) && <span className="complaint">{wrong(name)}</span>}
          </label>
        ))}
        <p className="complaint" role="alert">
          {add.error ? wordsOf(add.error) : ""}
        </p>
        <div className="actions">
          <button type="button" onClick={onClose}>
            Cancel
          </button>
          <button type="submit" className="primary" disabled={add.isPending || isWrong}>
            Add
          </button>
        </div>
      </form>
    </Dialog>
  );
}

/** What may be given: the unique keys first, which the device may say are read-only, and what is writable. */
function startingValues(object: SupportedObject) {
  const keys = new Set(object.unique_keys?.flat());
  const settable = (object.parameters ?? []).filter((each) => each.access !== "read_only" || keys.has(each.name));
  return settable.sort((one, other) => Number(keys.has(other.name)) - Number(keys.has(one.name)) || one.name.localeCompare(other.name));
}
