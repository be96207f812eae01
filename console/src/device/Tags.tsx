/** The tags of a device: words of the operator, by which devices are found. */

import { useMutation, useQueryClient } from "@tanstack/react-query";
import { type SubmitEvent, useState } from "react";

import type { Device } from "../api/types";
import { ALL_DEVICES, href } from "../route";
import { useApi } from "../session";
import { Dialog } from "../ui/Dialog";
import { wordsOf } from "../ui/Note";

/** The tags, each leading to the devices that have it. */
export function Tags({ device }: { device: Device }) {
  const tags = device.tags ?? [];
  if (tags.length === 0) return null;
  return (
    <ul className="tags" aria-label="Tags">
      {tags.map((tag) => (
        <li key={tag}>
          <a className="tag" href={href({ ...ALL_DEVICES, tag })}>
            {tag}
          </a>
        </li>
      ))}
    </ul>
  );
}

/** Gives a device tags, and takes them away. */
export function EditTags({ device, onClose }: { device: Device; onClose: () => void }) {
  const api = useApi();
  const queries = useQueryClient();
  const [text, setText] = useState("");
  const change = useMutation({
    mutationFn: ({ tag, isWanted }: { tag: string; isWanted: boolean }) =>
      isWanted ? api.addTag(device.endpoint_id, tag) : api.removeTag(device.endpoint_id, tag),
    onSuccess: (changed) => {
      queries.setQueryData(["device", device.endpoint_id], changed);
      void queries.invalidateQueries({ queryKey: ["devices"] });
    },
  });
  const submit = (event: SubmitEvent) => {
    event.preventDefault();
    const tag = text.trim();
    if (tag !== "") change.mutate({ tag, isWanted: true }, { onSuccess: () => setText("") });
  };
  const tags = device.tags ?? [];
  return (
    <Dialog title="Tags of the device" onClose={onClose}>
      <form onSubmit={submit}>
        {tags.length > 0 && (
          <ul className="tags" aria-label="Its tags">
            {tags.map((tag) => (
              <li key={tag} className="tag">
                {tag}
                <button type="button" className="link" aria-label={`Take ${tag} away`} disabled={change.isPending} onClick={() => change.mutate({ tag, isWanted: false })}>
                  ×
                </button>
              </li>
            ))}
          </ul>
        )}
        <label htmlFor="tag">New tag</label>
        <div className="with-button">
          <input
            id="tag"
            value={text}
            maxLength={64}
            autoFocus
            spellCheck={false}
            autoCapitalize="off"
            aria-describedby="tag-complaint"
            onChange={(event) => setText(event.target.value)}
          />
          <button type="submit" disabled={change.isPending || text.trim() === ""}>
            Add
          </button>
        </div>
        <p className="muted">Letters, digits and - _ . : = / @, such as site=berlin. The list of devices can be narrowed to a tag.</p>
        <p id="tag-complaint" className="complaint" role="alert">
          {change.error ? wordsOf(change.error) : ""}
        </p>
        <div className="actions">
          <button type="button" className="primary" onClick={onClose}>
            Done
          </button>
        </div>
      </form>
    </Dialog>
  );
}
