/** The data model of a device: the tree of its objects, and what is in the one that is chosen. */

import { useQueries, useQuery } from "@tanstack/react-query";
import { useVirtualizer } from "@tanstack/react-virtual";
import { type SubmitEvent, type KeyboardEvent, useEffect, useMemo, useRef, useState } from "react";

import type { SupportedObject } from "../api/types";
import { lineage, parentOf, ROOT, typedPath } from "../model/path";
import { childObjects, kindOf, type Line, type TreeNode, visibleLines } from "../model/tree";
import { go } from "../route";
import { useApi } from "../session";
import { ProblemNote } from "../ui/Note";
import { useLive } from "./live";
import { ObjectView } from "./ObjectView";
import { instancesQuery, schemaQuery } from "./queries";

/** Height of a line of the tree, in pixels, as the style sheet has it. */
const LINE = 28;

export function Model({ device, path }: { device: string; path: string }) {
  const api = useApi();
  const schema = useQuery(schemaQuery(api, device));
  const [isTreeShown, setTreeShown] = useState(false);
  const choose = (chosen: string) => {
    go({ page: "device", id: device, tab: "model", path: chosen });
    setTreeShown(false);
  };
  const { online } = useLive();
  if (schema.error && !schema.data) return <ProblemNote error={schema.error} retry={() => void schema.refetch()} />;
  return (
    <div className={isTreeShown ? "model tree-shown" : "model"}>
      <div className="side">
        <GoTo path={path} onChoose={choose} />
        <button type="button" className="tree-switch" aria-expanded={isTreeShown} onClick={() => setTreeShown(!isTreeShown)}>
          {isTreeShown ? "Hide the tree" : "Show the tree"}
        </button>
        {schema.data && <Tree device={device} path={path} objects={schema.data} onChoose={choose} />}
      </div>
      <div className="chosen" aria-busy={schema.isPending}>
        {online === false && (
          <p className="note bad" role="status">
            The device is offline: what is shown was read before, and nothing can be changed until it is back.
          </p>
        )}
        {schema.data ? (
          <ObjectView key={path} device={device} path={path} objects={schema.data} onChoose={choose} />
        ) : (
          <p className="muted">Asking the device what it has …</p>
        )}
      </div>
    </div>
  );
}

function GoTo({ path, onChoose }: { path: string; onChoose: (path: string) => void }) {
  const [text, setText] = useState(path);
  const [shownFor, setShownFor] = useState(path);
  if (shownFor !== path) {
    setShownFor(path);
    setText(path);
  }
  const wanted = typedPath(text);
  const submit = (event: SubmitEvent) => {
    event.preventDefault();
    if (wanted !== undefined) onChoose(wanted);
  };
  return (
    <form className="go-to" onSubmit={submit}>
      <input
        aria-label="Path to go to"
        value={text}
        spellCheck={false}
        autoCapitalize="off"
        aria-invalid={wanted === undefined}
        onChange={(event) => setText(event.target.value)}
      />
      <button type="submit" disabled={wanted === undefined}>
        Go
      </button>
    </form>
  );
}

interface TreeProps {
  device: string;
  path: string;
  objects: SupportedObject[];
  onChoose: (path: string) => void;
}

function Tree({ device, path, objects, onChoose }: TreeProps) {
  const api = useApi();
  const [open, setOpen] = useState<ReadonlySet<string>>(() => new Set([ROOT, ...lineage(path)]));
  const [shownFor, setShownFor] = useState(path);
  if (shownFor !== path) {
    // Whoever goes somewhere sees where that is.
    setShownFor(path);
    setOpen(new Set([...open, ...lineage(parentOf(path) ?? ROOT)]));
  }
  const tables = useMemo(() => [...open].filter((each) => kindOf(each, objects) === "table"), [open, objects]);
  const instances = useQueries({ queries: tables.map((table) => instancesQuery(api, device, table)) });

  const childrenOf = (node: TreeNode) => {
    if (node.kind !== "table") return childObjects(objects, node.path);
    const at = tables.indexOf(node.path);
    return at < 0 ? undefined : instances[at]?.data;
  };
  const lines = visibleLines(open, childrenOf);
  const failed = new Set(tables.filter((_, at) => instances[at]?.isError));

  const scroller = useRef<HTMLDivElement>(null);
  const rows = useVirtualizer({
    count: lines.length,
    getScrollElement: () => scroller.current,
    estimateSize: () => LINE,
    overscan: 20,
  });
  const chosenAt = lines.findIndex((line) => line.node.path === path);
  useEffect(() => {
    if (chosenAt >= 0) rows.scrollToIndex(chosenAt, { align: "auto" });
  }, [chosenAt, rows]);

  const toggle = (line: Line, wanted = !line.isOpen) => {
    const next = new Set(open);
    if (wanted) next.add(line.node.path);
    else next.delete(line.node.path);
    setOpen(next);
  };
  const onKeyDown = (event: KeyboardEvent) => {
    const at = Math.max(chosenAt, 0);
    const line = lines[at];
    const move = (to: number) => {
      const target = lines[Math.min(Math.max(to, 0), lines.length - 1)];
      if (target) onChoose(target.node.path);
    };
    if (!line) return;
    switch (event.key) {
      case "ArrowDown":
        move(at + 1);
        break;
      case "ArrowUp":
        move(at - 1);
        break;
      case "Home":
        move(0);
        break;
      case "End":
        move(lines.length - 1);
        break;
      case "ArrowRight":
        if (line.isOpen) move(at + 1);
        else if (line.canOpen) toggle(line, true);
        break;
      case "ArrowLeft":
        if (line.isOpen) toggle(line, false);
        else onChoose(parentOf(line.node.path) ?? ROOT);
        break;
      case "Enter":
      case " ":
        if (line.canOpen) toggle(line);
        break;
      default:
        return;
    }
    event.preventDefault();
  };
  return (
    <div
      className="tree"
      role="tree"
      aria-label="Data model"
      tabIndex={0}
      ref={scroller}
      onKeyDown={onKeyDown}
      aria-activedescendant={chosenAt >= 0 ? lineId(path) : undefined}
    >
      <div className="spacer" role="presentation" style={{ height: rows.getTotalSize() }}>
        {rows.getVirtualItems().map(({ index, start }) => {
          const line = lines[index];
          if (!line) return null;
          const { node, depth } = line;
          return (
            <div
              key={node.path}
              id={lineId(node.path)}
              role="treeitem"
              aria-level={depth + 1}
              aria-selected={node.path === path}
              aria-expanded={line.canOpen ? line.isOpen : undefined}
              className="line"
              style={{ transform: `translateY(${start}px)`, paddingInlineStart: 8 + depth * 14 }}
              title={node.path}
              onClick={() => onChoose(node.path)}
              onDoubleClick={() => toggle(line)}
            >
              <span
                className={line.isOpen ? "twist open" : "twist"}
                aria-hidden="true"
                data-empty={!line.canOpen}
                onClick={(event) => {
                  event.stopPropagation();
                  if (line.canOpen) toggle(line);
                }}
              />
              <span className="name">{node.name}</span>
              {node.kind === "table" && <span className="muted">[ ]</span>}
              {node.hint && <span className="hint">{node.hint}</span>}
              {failed.has(node.path) && <span className="hint bad">cannot be listed</span>}
            </div>
          );
        })}
      </div>
    </div>
  );
}

function lineId(path: string): string {
  return `line-${path}`;
}
