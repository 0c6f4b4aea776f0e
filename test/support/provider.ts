import { defineBrowserProvider } from '@vitest/browser';
import type { Browser, Page, CDPSession as PuppeteerSession } from 'puppeteer';
import type { BrowserProvider, BrowserProviderOption, CDPSession } from 'vitest/node';
import { patience } from '../../tools/patience.mjs';
import { launchBrowser } from './browser.ts';

/** Vitest's browser mode on puppeteer: one browser for all, one page at a time. */
class PuppeteerProvider implements BrowserProvider {
  readonly name = 'puppeteer';
  readonly supportsParallelism = false;
  readonly #pages = new Map<string, Page>();
  #browser: Promise<Browser> | undefined;
  #closed = false;

  async openPage(sessionId: string, url: string): Promise<void> {
    const browser = await this.#launched();
    const page = await browser.newPage();
    this.#pages.set(sessionId, page);
    await page.goto(url, { timeout: 60_000 * patience });
  }

  getCommandsContext(sessionId: string): { readonly page: Page } {
    return { page: this.#page(sessionId) };
  }

  async getCDPSession(sessionId: string): Promise<CDPSession> {
    const session: PuppeteerSession = await this.#page(sessionId).createCDPSession();
    return {
      send: (method: string, parameters?: object) => session.send(method as 'Page.enable', parameters as undefined),
      on: (event: string, listener: (...values: unknown[]) => void) => session.on(event, listener),
      once: (event: string, listener: (...values: unknown[]) => void) => session.once(event, listener),
      off: (event: string, listener: (...values: unknown[]) => void) => session.off(event, listener),
    } as unknown as CDPSession;
  }

  async close(): Promise<void> {
    this.#closed = true;
    const browser = await this.#browser?.catch(() => undefined);
    this.#browser = undefined;
    this.#pages.clear();
    await browser?.close();
  }

  #launched(): Promise<Browser> {
    if (this.#closed) throw new Error('The test browser has been closed already.');
    this.#browser ??= launchBrowser();
    return this.#browser;
  }

  #page(sessionId: string): Page {
    const page = this.#pages.get(sessionId);
    if (page === undefined) throw new Error(`The test session ${sessionId} has no page.`);
    return page;
  }
}

export const puppeteerProvider = (): BrowserProviderOption =>
  defineBrowserProvider({
    name: 'puppeteer',
    supportedBrowser: ['chrome'],
    providerFactory: () => new PuppeteerProvider(),
  });
