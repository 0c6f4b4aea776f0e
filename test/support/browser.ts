import puppeteer, { type Browser } from 'puppeteer';
import { findBrowser, launchOptions } from '../../tools/browser.mjs';
import { patience } from '../../tools/patience.mjs';

/** A headless Chrome in which `navigator.gpu` has an adapter, be it a software one. */
export async function launchBrowser(): Promise<Browser> {
  return puppeteer.launch({ ...launchOptions(await findBrowser()), timeout: 30_000 * patience });
}
