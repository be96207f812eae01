/** One command: its arguments, running it, and how its runs ended. */

import { type SubmitEvent, useState } from "react";

import type { SupportedCommand, Values } from "../api/types";
import { Clipped } from "../ui/Clipped";
import { Dialog } from "../ui/Dialog";
import { Clock } from "../ui/Time";
import { type Run, useRuns } from "./runs";

interface Props {
  device: string;
  object: string;
  command: SupportedCommand;
}

/** Commands that take a device away from whoever uses it: they are asked about before they are run. */
const GRAVE: Record<string, string> = {
  "FactoryReset()": "All that was configured on the device is lost, and it may not find its way back to this server.",
  "Reboot()": "The device is away until it has started again, and so is what it does for its user.",
};

export function Command({ device, object, command }: Props) {
  const path = `${object}${command.name}`;
  const { runs, start } = useRuns();
  const [isOpen, setOpen] = useState(false);
  const [args, setArgs] = useState<Values>({});
  const ours = runs.filter((run) => run.command === path);
  const grave = GRAVE[command.name];
  const [isAsking, setAsking] = useState(false);
  const submit = (event: SubmitEvent) => {
    event.preventDefault();
    if (grave === undefined) run();
    else setAsking(true);
  };
  const run = () => {
    setAsking(false);
    const given = Object.entries(args).filter(([, value]) => value !== "");
    void start(path, command.kind !== "sync", Object.fromEntries(given));
  };
  return (
    <details className="command" open={isOpen} onToggle={(event) => setOpen(event.currentTarget.open)}>
      <summary>
        <span className="name">{command.name}</span>
        <span className="muted">{command.kind === "async" ? "takes a while" : ""}</span>
      </summary>
      <form className="fields" onSubmit={submit}>
        {command.inputs.map((name) => (
          <label key={name}>
            <span>{name}</span>
            <input
              value={args[name] ?? ""}
              spellCheck={false}
              autoCapitalize="off"
              onChange={(event) => setArgs({ ...args, [name]: event.target.value })}
            />
          </label>
        ))}
        <div className="actions">
          <button type="submit" className="primary" disabled={ours[0]?.state === "sent"}>
            Run
          </button>
          {command.inputs.length > 0 && <span className="muted">An argument that is left empty is not sent.</span>}
        </div>
      </form>
      {isAsking && (
        <Dialog title={`Run ${command.name}?`} onClose={() => setAsking(false)}>
          <p>
            <code>{device}</code>: {grave}
          </p>
          <div className="actions">
            <button type="button" onClick={() => setAsking(false)}>
              Cancel
            </button>
            <button type="button" className="primary grave" onClick={run}>
              Run
            </button>
          </div>
        </Dialog>
      )}
      {ours.length > 0 && (
        <ol className="runs" aria-live="polite">
          {ours.map((run) => (
            <RunView key={run.key} run={run} />
          ))}
        </ol>
      )}
    </details>
  );
}

const STATES: Record<Run["state"], string> = { sent: "sent …", running: "running …", completed: "completed", failed: "failed" };

function RunView({ run }: { run: Run }) {
  const outputs = Object.entries(run.outputs ?? {});
  return (
    <li>
      <p>
        <Clock at={run.at} /> <span className={run.state === "failed" ? "tag bad" : run.state === "completed" ? "tag good" : "tag"}>{STATES[run.state]}</span>
        {run.failure && (
          <span className="complaint">
            {run.failure.code}: {run.failure.text}
          </span>
        )}
        {run.note && <span className="complaint">{run.note}</span>}
        {run.state === "completed" && outputs.length === 0 && <span className="muted">without outputs</span>}
      </p>
      {outputs.length > 0 && (
        <dl className="outputs">
          {outputs.map(([name, value]) => (
            <div key={name}>
              <dt>{name}</dt>
              <dd>{value === "" ? <span className="muted">empty</span> : <Clipped text={value} />}</dd>
            </div>
          ))}
        </dl>
      )}
    </li>
  );
}
