import { type SubmitEvent, useState } from "react";

import { Api } from "../api/client";
import { Problem } from "../api/client";
import { Logo } from "../ui/Logo";
import { wordsOf } from "../ui/Note";

/** Asks for the token, and goes on when the server takes it. */
export function Login({ wasRefused, onToken }: { wasRefused: boolean; onToken: (token: string) => void }) {
  const [token, setToken] = useState("");
  const [isBusy, setBusy] = useState(false);
  const [complaint, setComplaint] = useState(wasRefused ? "The server no longer takes the token." : "");

  const submit = async (event: SubmitEvent) => {
    event.preventDefault();
    const shown = token.trim();
    if (!/^[\x21-\x7e]+$/.test(shown)) {
      setComplaint("Paste the token: one word without blanks.");
      return;
    }
    setBusy(true);
    try {
      await new Api(shown).server();
      onToken(shown);
    } catch (error) {
      const isWrong = error instanceof Problem && error.status === 401;
      setComplaint(isWrong ? "The server does not know this token." : `${wordsOf(error)}.`);
      setBusy(false);
    }
  };
  return (
    <main className="login">
      <form onSubmit={submit}>
        <h1>
          <Logo /> usphere
        </h1>
        <label htmlFor="token">API token</label>
        <input
          id="token"
          type="password"
          autoComplete="off"
          autoFocus
          spellCheck={false}
          value={token}
          aria-invalid={complaint !== ""}
          aria-describedby="token-help token-complaint"
          onChange={(event) => setToken(event.target.value)}
        />
        <p id="token-complaint" className="complaint" role="alert">
          {complaint}
        </p>
        <button type="submit" className="primary" disabled={isBusy}>
          {isBusy ? "Logging in …" : "Log in"}
        </button>
        <p id="token-help" className="muted">
          It is in the file <code>token</code> of the server’s data folder, or was made for you by{" "}
          <code>usphere tokens create</code>. It is kept in this tab only, until you log out or close it.
        </p>
      </form>
    </main>
  );
}
