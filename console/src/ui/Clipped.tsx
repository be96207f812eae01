import { useState } from "react";

/** Characters of a long text that are shown until somebody wants all. */
const SHOWN = 300;

/** A text of a device, whose length is its own choice. */
export function Clipped({ text }: { text: string }) {
  const [isWhole, setWhole] = useState(false);
  if (text.length <= SHOWN + SHOWN / 2) return text;
  return (
    <>
      {isWhole ? text : `${text.slice(0, SHOWN)} … `}{" "}
      <button type="button" className="link" aria-expanded={isWhole} onClick={() => setWhole(!isWhole)}>
        {isWhole ? "Show less" : `Show all ${text.length.toLocaleString("en")} characters`}
      </button>
    </>
  );
}
