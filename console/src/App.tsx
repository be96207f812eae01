/** The frame around every page: where one can go, how many devices are there, theme and logout. */

import { useQuery } from "@tanstack/react-query";
import { useEffect } from "react";

import { DevicePage } from "./pages/Device";
import { Devices } from "./pages/Devices";
import { Doctor } from "./pages/Doctor";
import { href, type Route, useRoute } from "./route";
import { useApi, useSession } from "./session";
import { Logo } from "./ui/Logo";
import { ThemeSwitch } from "./ui/ThemeSwitch";

/** How often what is shown of the server is asked for again, in milliseconds. */
const SERVER_INTERVAL = 5_000;

const DEVICES: Route = { page: "devices", search: "", online: undefined };

export function App() {
  const route = useRoute();
  useEffect(() => {
    document.title = titleOf(route);
  }, [route]);
  return (
    <>
      <a className="skip" href="#main" onClick={focusMain}>
        Skip to content
      </a>
      <header className="bar">
        <a className="brand" href={href(DEVICES)}>
          <Logo />
          <span>usphere</span>
        </a>
        <nav aria-label="Pages">
          <Place to={DEVICES} isHere={route.page !== "doctor"}>
            Devices
          </Place>
          <Place to={{ page: "doctor", device: "" }} isHere={route.page === "doctor"}>
            Doctor
          </Place>
        </nav>
        <ServerSummary />
        <ThemeSwitch />
        <Logout />
      </header>
      <main id="main" tabIndex={-1}>
        <Page route={route} />
      </main>
    </>
  );
}

function Page({ route }: { route: Route }) {
  switch (route.page) {
    case "doctor":
      return <Doctor device={route.device} />;
    case "devices":
      return <Devices search={route.search} online={route.online} />;
    case "device":
      return <DevicePage key={route.id} route={route} />;
  }
}

function Place({ to, isHere, children }: { to: Route; isHere: boolean; children: string }) {
  return (
    <a href={href(to)} aria-current={isHere ? "page" : undefined}>
      {children}
    </a>
  );
}

function ServerSummary() {
  const api = useApi();
  const { data, isError } = useQuery({
    queryKey: ["server"],
    queryFn: ({ signal }) => api.server(signal),
    refetchInterval: SERVER_INTERVAL,
  });
  if (isError) {
    return (
      <p className="summary bad" role="status">
        Server does not answer
      </p>
    );
  }
  const numbers = data ? `${data.online.toLocaleString("en")} of ${data.devices.toLocaleString("en")} online` : "";
  return (
    <p className="summary" title={data ? `${data.endpoint_id}, version ${data.version}` : undefined}>
      {numbers}
    </p>
  );
}

function Logout() {
  const { logout } = useSession();
  return (
    <button type="button" className="quiet" onClick={logout}>
      Log out
    </button>
  );
}

function titleOf(route: Route): string {
  switch (route.page) {
    case "doctor":
      return "Doctor · usphere";
    case "devices":
      return "Devices · usphere";
    case "device":
      return `${route.id} · usphere`;
  }
}

/** The address is ours, so the link must not change it. */
function focusMain(event: React.MouseEvent) {
  event.preventDefault();
  document.getElementById("main")?.focus();
}
