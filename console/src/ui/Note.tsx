import type { ReactNode } from "react";

import { Problem } from "../api/client";

/** Something that went wrong, in words. */
export function ProblemNote({ error, retry }: { error: unknown; retry?: () => void }) {
  return (
    <div className="note bad" role="alert">
      <p>{wordsOf(error)}</p>
      {retry && (
        <button type="button" onClick={retry}>
          Try again
        </button>
      )}
    </div>
  );
}

/** Says that there is nothing, and why. */
export function Empty({ title, children }: { title: string; children?: ReactNode }) {
  return (
    <div className="empty">
      <h2>{title}</h2>
      {children}
    </div>
  );
}

export function wordsOf(error: unknown): string {
  if (error instanceof Problem && error.refusal) {
    const { code, text, parameters } = error.refusal;
    const more = (parameters ?? []).map((each) => `; ${each.parameter}: ${each.text} (${each.code})`);
    return `${code}: ${text}${more.join("")}`;
  }
  const words = error instanceof Error ? error.message : String(error);
  return words.charAt(0).toUpperCase() + words.slice(1);
}
