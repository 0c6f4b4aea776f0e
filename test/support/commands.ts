import type { Page } from 'puppeteer';
import type { BrowserCommands } from 'vitest/browser';
import type { BrowserCommand } from 'vitest/node';

declare module 'vitest/internal/browser' {
  interface BrowserCommands {
    /** Kills the GPU process, as a driver that crashes does. Every device of every page is lost. */
    crashGpu: () => Promise<void>;
  }
}

// Vitest's provider packages declare this; our provider is none of them, so it is declared here.
declare module 'vitest/browser' {
  const commands: BrowserCommands;
}

export const crashGpu: BrowserCommand<[]> = async (context) => {
  const { page } = context as typeof context & { readonly page: Page };
  const session = await page.browser().target().createCDPSession();
  try {
    await session.send('Browser.crashGpuProcess');
  } finally {
    await session.detach();
  }
};
