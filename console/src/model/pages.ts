/** Pages of devices that were loaded before, made fresh in part. */

import type { DevicePage } from "../api/types";

export type Pages = { after: string | undefined; page: DevicePage }[];

interface Loaded {
  pages: DevicePage[];
  /** What each page comes after; the library does not know its type. */
  pageParams: unknown[];
}

/**
 * Puts fresh pages in the place of old ones. A page that no longer ends where the next one begins takes those
 * after it away: they are loaded anew, so that no device is shown twice or left out.
 */
export function merged<T extends Loaded>(old: T, fresh: Pages): T {
  const pages = [...old.pages];
  const pageParams = [...old.pageParams];
  for (const { after, page } of fresh) {
    const at = pageParams.indexOf(after);
    if (at < 0) continue;
    pages[at] = page;
    const isLast = at + 1 === pages.length;
    if (!isLast && page.next !== pageParams[at + 1]) {
      pages.length = at + 1;
      pageParams.length = at + 1;
    }
  }
  return { ...old, pages, pageParams };
}
