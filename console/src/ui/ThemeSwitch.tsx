import { useState } from "react";

type Theme = "system" | "light" | "dark";

const KEY = "usphere.theme";
const NEXT: Record<Theme, Theme> = { system: "light", light: "dark", dark: "system" };
const NAMES: Record<Theme, string> = { system: "Auto", light: "Light", dark: "Dark" };

/** Goes round light, dark, and what the system has. `public/theme.js` applies the choice before a page is drawn. */
export function ThemeSwitch() {
  const [theme, setTheme] = useState<Theme>(chosen);
  const change = () => {
    const next = NEXT[theme];
    apply(next);
    setTheme(next);
  };
  return (
    <button type="button" className="quiet theme" onClick={change} aria-label={`Theme: ${NAMES[theme]}`} title="Change the theme">
      <svg viewBox="0 0 16 16" width="14" height="14" aria-hidden="true">
        <circle cx="8" cy="8" r="6.5" fill="none" stroke="currentColor" strokeWidth="1.5" />
        <path d="M8 1.5a6.5 6.5 0 0 1 0 13z" fill="currentColor" />
      </svg>
      <span>{NAMES[theme]}</span>
    </button>
  );
}

function chosen(): Theme {
  const theme = document.documentElement.dataset.theme;
  return theme === "light" || theme === "dark" ? theme : "system";
}

function apply(theme: Theme) {
  if (theme === "system") delete document.documentElement.dataset.theme;
  else document.documentElement.dataset.theme = theme;
  try {
    if (theme === "system") localStorage.removeItem(KEY);
    else localStorage.setItem(KEY, theme);
  } catch {
    // Without storage the choice lasts as long as the page.
  }
}
