import type { ReactNode } from "react";

import { Problem } from "../api/client";

/** Something that went wrong, in words. */
export function ProblemNote({ error, retry }: { error: unknown; retry?: () => void }) {
  return (
    <div className="note bad" role="alert">
      <p>
        <Words text={wordsOf(error)} />
      </p>
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

/** A sentence of the server, in which commands stand between backticks. */
export function Words({ text }: { text: string }) {
  return text.split("`").map((part, at) => (at % 2 === 0 ? part : <code key={at}>{part}</code>));
}

export function wordsOf(error: unknown): string {
  if (error instanceof Problem && error.refusal) {
    const { code, text, parameters } = error.refusal;
    const more = (parameters ?? []).map((each) => `; ${each.parameter}: ${each.text} (${each.code})`);
    return `${code}: ${text}${more.join("")}`;
  }
  const words = error instanceof Error ? error.message : String(error);
  // A name or path at the beginning stays as it is.
  const first = words.split(" ", 1)[0] ?? "";
  return /[^a-z]/.test(first) ? words : words.charAt(0).toUpperCase() + words.slice(1);
}
