import { QueryClient, QueryClientProvider } from "@tanstack/react-query";
import { StrictMode } from "react";
import { createRoot } from "react-dom/client";

import { Problem } from "./api/client";
import { App } from "./App";
import { SessionGate } from "./session";
import "./style/base.css";
import "./style/frame.css";
import "./style/devices.css";
import "./style/device.css";
import "./style/activity.css";

const queries = new QueryClient({
  defaultOptions: {
    queries: {
      // What the server has refused it refuses again; what did not reach it is tried once more.
      retry: (failures, error) => failures < 1 && error instanceof Problem && error.status === 0,
      refetchOnWindowFocus: false,
      staleTime: 5_000,
    },
  },
});

const root = document.getElementById("root");
if (!root) throw new Error("the page has no place for the console");
createRoot(root).render(
  <StrictMode>
    <QueryClientProvider client={queries}>
      <SessionGate>
        <App />
      </SessionGate>
    </QueryClientProvider>
  </StrictMode>,
);
