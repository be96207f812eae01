/** One value, changed in place where it may be. What the device says against it stands beside it. */

import { useMutation, useQueryClient } from "@tanstack/react-query";
import { type SubmitEvent, type KeyboardEvent, useEffect, useId, useRef, useState } from "react";

import { Problem } from "../api/client";
import type { ParameterKind, SetOutcome, SupportedParameter } from "../api/types";
import { complaint, inputMode, isBoolean, isTrue } from "../model/values";
import { useApi } from "../session";
import { Clipped } from "../ui/Clipped";
import { wordsOf } from "../ui/Note";
import { refused } from "./queries";

/** How TR-106 says that a time is not known. */
const UNKNOWN_TIME = "0001-01-01T00:00:00Z";
/** What is longer is edited on several lines. */
const LINE_MAX = 100;

interface Props {
  device: string;
  object: string;
  name: string;
  /** Nothing where the device gave none. */
  value: string | undefined;
  /** Whether the device was asked already. */
  isRead: boolean;
  parameter: SupportedParameter | undefined;
}

export function Value({ device, object, name, value, isRead, parameter }: Props) {
  const [isEdited, setEdited] = useState(false);
  const [wasEdited, setWasEdited] = useState(false);
  const save = useSave(device, object, name);
  const kind = parameter?.type ?? "unknown";
  const mayWrite = parameter !== undefined && parameter.access !== "read_only";
  const toggled = mayWrite && kind === "boolean" && value !== undefined && isBoolean(value);

  const finish = () => {
    setEdited(false);
    setWasEdited(true);
  };
  const error = save.error && (
    <p className="complaint" role="alert">
      {wordsOf(save.error)}
    </p>
  );
  if (toggled) {
    return (
      <>
        <button
          type="button"
          role="switch"
          className="switch"
          aria-checked={isTrue(value)}
          aria-label={name}
          disabled={save.isPending}
          onClick={() => save.mutate(isTrue(value) ? "false" : "true")}
        >
          <span aria-hidden="true" />
          {value}
        </button>
        {error}
      </>
    );
  }
  if (isEdited) {
    return (
      <Editor
        name={name}
        kind={kind}
        value={value ?? ""}
        isBusy={save.isPending}
        error={save.error}
        onSave={(text) => save.mutate(text, { onSuccess: finish })}
        onCancel={() => {
          save.reset();
          finish();
        }}
      />
    );
  }
  if (!isRead) return <span className="muted">…</span>;
  if (mayWrite) {
    return (
      <button type="button" className="edit" autoFocus={wasEdited} aria-label={`Change ${name}`} onClick={() => setEdited(true)}>
        <Text value={value} kind={kind} isClamped />
        <span className="pen" aria-hidden="true">
          change
        </span>
      </button>
    );
  }
  return <Text value={value} kind={kind} />;
}

/** `isClamped` shows no more than some lines of it: the editor shows all. */
function Text({ value, kind, isClamped = false }: { value: string | undefined; kind: ParameterKind; isClamped?: boolean }) {
  if (value === undefined) return <span className="muted">not readable</span>;
  if (value === "") return <span className="muted">empty</span>;
  if (kind === "dateTime" && value === UNKNOWN_TIME) {
    return (
      <span className="text exact">
        {value} <span className="muted">unknown</span>
      </span>
    );
  }
  const look = kind === "string" ? "text" : "text exact";
  if (isClamped) return <span className={`${look} clamped`}>{value}</span>;
  return (
    <span className={look}>
      <Clipped text={value} />
    </span>
  );
}

interface EditorProps {
  name: string;
  kind: ParameterKind;
  value: string;
  isBusy: boolean;
  error: unknown;
  onSave: (text: string) => void;
  onCancel: () => void;
}

function Editor({ name, kind, value, isBusy, error, onSave, onCancel }: EditorProps) {
  const [text, setText] = useState(value);
  const note = useId();
  const field = useRef<HTMLInputElement & HTMLTextAreaElement>(null);
  useEffect(() => field.current?.select(), []);
  const isLong = value.includes("\n") || value.length > LINE_MAX;
  const wrong = complaint(kind, text);
  const submit = (event: SubmitEvent) => {
    event.preventDefault();
    if (wrong === undefined) onSave(text);
  };
  const onKeyDown = (event: KeyboardEvent) => {
    if (event.key === "Escape") onCancel();
  };
  return (
    <form className="editor" onSubmit={submit} onKeyDown={onKeyDown}>
      {kind === "boolean" ? (
        <select aria-label={name} value={text} autoFocus onChange={(event) => setText(event.target.value)}>
          {!isBoolean(text) && <option value={text}>choose</option>}
          <option value="true">true</option>
          <option value="false">false</option>
        </select>
      ) : isLong ? (
        <textarea
          ref={field}
          rows={6}
          aria-label={name}
          aria-invalid={wrong !== undefined || Boolean(error)}
          aria-describedby={note}
          autoFocus
          spellCheck={false}
          autoCapitalize="off"
          value={text}
          onChange={(event) => setText(event.target.value)}
        />
      ) : (
        <input
          ref={field}
          aria-label={name}
          aria-invalid={wrong !== undefined || Boolean(error)}
          aria-describedby={note}
          autoFocus
          spellCheck={false}
          autoCapitalize="off"
          inputMode={inputMode(kind)}
          value={text}
          onChange={(event) => setText(event.target.value)}
        />
      )}
      <button type="submit" className="primary" disabled={isBusy || wrong !== undefined}>
        {isBusy ? "Saving …" : "Save"}
      </button>
      <button type="button" onClick={onCancel}>
        Cancel
      </button>
      <p id={note} className="complaint" role="alert">
        {wrong ?? (error ? wordsOf(error) : "")}
      </p>
    </form>
  );
}

/** Sets one parameter, and reads the object anew: a value may change others. */
function useSave(device: string, object: string, name: string) {
  const api = useApi();
  const queries = useQueryClient();
  return useMutation({
    mutationFn: async (value: string) => {
      const outcome = await api.set(device, object, [{ name, value }]).catch((error: unknown) => {
        throw ofParameter(error, `${object}${name}`);
      });
      checked(outcome);
    },
    onSettled: () => queries.invalidateQueries({ queryKey: ["get", device, object] }),
  });
}

function checked(outcome: SetOutcome): void {
  const result = outcome.results[0];
  if (!result) throw new Problem(0, "the device did not say what it did");
  const cause = result.failed?.objects?.[0]?.failures[0] ?? result.updated?.[0]?.failures?.[0] ?? result.failed;
  if (cause) throw refused(cause);
}

/** Where a device refused the whole request for the sake of this parameter: what it said of the parameter. */
function ofParameter(error: unknown, path: string): unknown {
  if (!(error instanceof Problem)) return error;
  const cause = error.refusal?.parameters?.find((each) => each.parameter === path);
  return cause ? refused(cause) : error;
}
