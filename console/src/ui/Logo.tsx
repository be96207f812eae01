export function Logo() {
  return (
    <svg className="logo" viewBox="0 0 16 16" width="20" height="20" aria-hidden="true">
      <circle cx="8" cy="8" r="7" fill="currentColor" />
      <path d="M4.7 4.5v4a3.3 3.3 0 0 0 6.6 0v-4" fill="none" stroke="var(--bar)" strokeWidth="2" strokeLinecap="round" />
    </svg>
  );
}
