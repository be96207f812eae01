/** The frame around every page: where one can go, how many devices are there, theme and logout. */

import { useEffect } from "react";

import { DevicePage } from "./pages/Device";
import { Devices } from "./pages/Devices";
import { Doctor } from "./pages/Doctor";
import { ALL_DEVICES, href, type Route, useRoute } from "./route";
import { Summary, Trouble } from "./server";
import { useSession } from "./session";
import { Logo } from "./ui/Logo";
import { ThemeSwitch } from "./ui/ThemeSwitch";

export function App() {
  const route = useRoute();
  useEffect(() => {
    document.title = titleOf(route);
  }, [route]);
  const place = route.page === "device" ? route.id : route.page;
  useEffect(() => {
    document.getElementById("main")?.scrollTo(0, 0);
  }, [place]);
  return (
    <>
      <a className="skip" href="#main" onClick={focusMain}>
        Skip to content
      </a>
      <header className="bar">
        <a className="brand" href={href(ALL_DEVICES)}>
          <Logo />
          <span>usphere</span>
        </a>
        <nav aria-label="Pages">
          <Place to={ALL_DEVICES} isHere={route.page !== "doctor"}>
            Devices
          </Place>
          <Place to={{ page: "doctor", device: "" }} isHere={route.page === "doctor"}>
            Doctor
          </Place>
        </nav>
        <Summary />
        <ThemeSwitch />
        <Logout />
      </header>
      <Trouble />
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
      return <Devices {...route} />;
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
