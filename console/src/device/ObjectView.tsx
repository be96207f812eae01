/** What is in one object, table or row: values, rows, commands. */

import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { useState } from "react";

import type { SupportedObject, SupportedParameter } from "../api/types";
import { lineage, nameOf, parentOf, ROOT, supportedPath } from "../model/path";
import { kindOf, objectOf, type TreeNode } from "../model/tree";
import { useApi } from "../session";
import { Dialog } from "../ui/Dialog";
import { ProblemNote, wordsOf } from "../ui/Note";
import { AddRow } from "./AddRow";
import { Command } from "./Command";
import { instancesQuery, refused, valuesQuery } from "./queries";
import { Value } from "./Value";
import { WatchSwitch } from "./watches";

interface Props {
  device: string;
  path: string;
  objects: SupportedObject[];
  onChoose: (path: string) => void;
}

export function ObjectView({ device, path, objects, onChoose }: Props) {
  const kind = kindOf(path, objects);
  const object = objectOf(objects, path);
  return (
    <section aria-label={path}>
      <Crumbs path={path} onChoose={onChoose} />
      {object === undefined && supportedPath(path) !== ROOT ? (
        <p className="note bad">The device does not have this object. A path above, or the tree, leads to what it has.</p>
      ) : kind === "table" ? (
        <Table device={device} path={path} object={object} onChoose={onChoose} />
      ) : (
        <Parts device={device} path={path} object={object} isRow={kind === "row"} onChoose={onChoose} />
      )}
    </section>
  );
}

function Crumbs({ path, onChoose }: { path: string; onChoose: (path: string) => void }) {
  const steps = lineage(path);
  return (
    <h2 className="crumbs">
      {steps.map((step, at) => (
        <span key={step}>
          {at + 1 < steps.length ? (
            <button type="button" className="link" onClick={() => onChoose(step)}>
              {nameOf(step)}
            </button>
          ) : (
            nameOf(step)
          )}
          .
        </span>
      ))}
    </h2>
  );
}

interface PartsProps {
  device: string;
  path: string;
  object: SupportedObject | undefined;
  onChoose: (path: string) => void;
}

function Parts({ device, path, object, isRow, onChoose }: PartsProps & { isRow: boolean }) {
  const api = useApi();
  const { data, error, isFetching, refetch } = useQuery(valuesQuery(api, device, path));
  const parameters = object?.parameters ?? [];
  const mayDelete = isRow && (object?.access === "add_delete" || object?.access === "delete_only");
  return (
    <>
      <div className="tools">
        <button type="button" onClick={() => void refetch()} disabled={isFetching}>
          Read again
        </button>
        {parameters.length > 0 && <WatchSwitch device={device} path={path} kind="values" />}
        {mayDelete && <DeleteRow device={device} path={path} onChoose={onChoose} />}
      </div>
      {error ? (
        <ProblemNote error={error} retry={() => void refetch()} />
      ) : (
        <table className="values">
          <thead className="off-screen">
            <tr>
              <th scope="col">Parameter</th>
              <th scope="col">Value</th>
              <th scope="col">Type</th>
            </tr>
          </thead>
          <tbody>
            {namesOf(parameters, data?.parameters).map((name) => {
              const parameter = parameters.find((each) => each.name === name);
              return (
                <tr key={name}>
                  <th scope="row">{name}</th>
                  <td className="value">
                    <Value device={device} object={path} name={name} value={data?.parameters[name]} isRead={data !== undefined} parameter={parameter} />
                  </td>
                  <td className="type">{typeOf(parameter)}</td>
                </tr>
              );
            })}
          </tbody>
        </table>
      )}
      {!error && parameters.length === 0 && (object?.commands ?? []).length === 0 && (
        <p className="muted">This object has no values of its own; see what is below it.</p>
      )}
      {(object?.commands ?? []).map((command) => (
        <Command key={command.name} device={device} object={path} command={command} />
      ))}
    </>
  );
}

function Table({ device, path, object, onChoose }: PartsProps) {
  const api = useApi();
  const [isAdding, setAdding] = useState(false);
  const { data, error, isFetching, refetch } = useQuery(instancesQuery(api, device, path));
  const mayAdd = object?.access === "add_delete" || object?.access === "add_only";
  return (
    <>
      <div className="tools">
        <button type="button" onClick={() => void refetch()} disabled={isFetching}>
          Read again
        </button>
        {mayAdd && (
          <button type="button" className="primary" onClick={() => setAdding(true)}>
            Add a row
          </button>
        )}
        <WatchSwitch device={device} path={path} kind="rows" />
      </div>
      {error ? (
        <ProblemNote error={error} retry={() => void refetch()} />
      ) : data?.length === 0 ? (
        <p className="muted">The table is empty.</p>
      ) : (
        data && <Rows table={path} rows={data} onChoose={onChoose} />
      )}
      {isAdding && object && (
        <AddRow device={device} table={path} object={object} onClose={() => setAdding(false)} onAdded={onChoose} />
      )}
    </>
  );
}

/** The rows of a table with their unique keys. */
function Rows({ table, rows, onChoose }: { table: string; rows: TreeNode[]; onChoose: (path: string) => void }) {
  const keys = [...new Set(rows.flatMap((row) => Object.keys(row.keys ?? {})))];
  return (
    <div className="wide">
      <table className="rows">
        <thead>
          <tr>
            <th scope="col">Row</th>
            {keys.map((key) => (
              <th key={key} scope="col">
                {key}
              </th>
            ))}
          </tr>
        </thead>
        <tbody>
          {rows.map((row) => (
            <tr key={row.path}>
              <th scope="row">
                <button type="button" className="link" onClick={() => onChoose(row.path)}>
                  {nameOf(table)}.{row.name}
                </button>
              </th>
              {keys.map((key) => (
                <td key={key} title={row.keys?.[key]}>
                  {row.keys?.[key]}
                </td>
              ))}
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}

function DeleteRow({ device, path, onChoose }: { device: string; path: string; onChoose: (path: string) => void }) {
  const api = useApi();
  const queries = useQueryClient();
  const [isAsking, setAsking] = useState(false);
  const table = parentOf(path) ?? ROOT;
  const remove = useMutation({
    mutationFn: async () => {
      const result = (await api.delete(device, path)).results[0];
      const failure = result?.failed ?? result?.deleted?.failures?.[0];
      if (failure) throw refused(failure);
    },
    onSuccess: () => {
      void queries.invalidateQueries({ queryKey: ["instances", device, table] });
      onChoose(table);
    },
  });
  return (
    <>
      <button type="button" onClick={() => setAsking(true)}>
        Delete this row
      </button>
      {isAsking && (
        <Dialog title="Delete this row?" onClose={() => setAsking(false)}>
          <p>
            The device deletes <code>{path}</code> and all that is below it.
          </p>
          <p className="complaint" role="alert">
            {remove.error ? wordsOf(remove.error) : ""}
          </p>
          <div className="actions">
            <button type="button" onClick={() => setAsking(false)}>
              Cancel
            </button>
            <button type="button" className="primary grave" disabled={remove.isPending} onClick={() => remove.mutate()}>
              Delete
            </button>
          </div>
        </Dialog>
      )}
    </>
  );
}

/** What the device can have, in its order, and then what it has without having said so. */
function namesOf(parameters: SupportedParameter[], values: Record<string, string> | undefined): string[] {
  const names = parameters.map((parameter) => parameter.name);
  const others = Object.keys(values ?? {}).filter((name) => !names.includes(name));
  return [...names.sort((one, other) => one.localeCompare(other)), ...others];
}

function typeOf(parameter: SupportedParameter | undefined): string {
  if (!parameter) return "";
  const access = { read_only: "", read_write: " · writable", write_only: " · write only" }[parameter.access];
  return `${parameter.type}${access}`;
}
