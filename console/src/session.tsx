/** Who is logged in: the token, kept for this tab only, and the client that uses it. */

import { useQueryClient } from "@tanstack/react-query";
import { createContext, type ReactNode, use, useCallback, useMemo, useState } from "react";

import { Api } from "./api/client";
import { Login } from "./pages/Login";

const KEY = "usphere.token";

interface Session {
  api: Api;
  logout: () => void;
}

const Context = createContext<Session | undefined>(undefined);

/** Shows its children to somebody who is logged in, and the login to everybody else. */
export function SessionGate({ children }: { children: ReactNode }) {
  const [token, setToken] = useState(() => sessionStorage.getItem(KEY));
  const [wasRefused, setRefused] = useState(false);
  const queries = useQueryClient();

  const leave = useCallback(
    (refused: boolean) => {
      sessionStorage.removeItem(KEY);
      setRefused(refused);
      setToken(null);
      // Nothing of what was shown stays for whoever comes next.
      queries.clear();
    },
    [queries],
  );
  const session = useMemo(
    () => (token === null ? undefined : { api: new Api(token, () => leave(true)), logout: () => leave(false) }),
    [token, leave],
  );

  const enter = (accepted: string) => {
    sessionStorage.setItem(KEY, accepted);
    setRefused(false);
    setToken(accepted);
  };
  if (!session) return <Login wasRefused={wasRefused} onToken={enter} />;
  return <Context value={session}>{children}</Context>;
}

export function useSession(): Session {
  const session = use(Context);
  if (!session) throw new Error("used outside of a session");
  return session;
}

export function useApi(): Api {
  return useSession().api;
}
