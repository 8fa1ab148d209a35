// npm run pages [-- --screenshots DIR]: every page of the programs in a real Chromium (`$CHROMIUM`, else the
// system's), narrow and wide, light and dark. The browser is the system's own: none is downloaded.
import { mkdirSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { chromium, type Browser, type Page } from 'playwright-core';
import { setStage, type Scene } from './scenes.js';

const WIDTHS = [360, 1280];
const SCHEMES = ['light', 'dark'] as const;
/** Of text against what is behind it: WCAG 2.2, 1.4.3. */
const CONTRAST = 4.5;
/** Milliseconds that a page may take; a page that takes more has failed. */
const PATIENCE = 30_000;

/** What is wrong with a page. */
async function faults(
  browser: Browser,
  { url, expected }: Scene,
  width: number,
  scheme: (typeof SCHEMES)[number],
  picture: string | undefined,
): Promise<string[]> {
  const found: string[] = [];
  const context = await browser.newContext({ viewport: { width, height: 800 }, colorScheme: scheme });
  const page = await context.newPage();
  page.setDefaultTimeout(PATIENCE);
  page.on('console', (message) => {
    if (['error', 'warning'].includes(message.type())) found.push(`console: ${message.text()}`);
  });
  page.on('pageerror', (error) => found.push(`error: ${error.message}`));
  page.on('dialog', (dialog) => {
    found.push(`dialog: ${dialog.message()}`);
    void dialog.dismiss();
  });
  page.on('request', (request) => {
    if (request.url() !== `${url}/`) found.push(`the page asks for ${request.url()}`);
  });
  const answer = await page.goto(`${url}/`);
  if (answer?.status() !== 200) found.push(`status ${answer?.status() ?? 'none'}`);
  for (const summary of await page.locator('summary').all()) await summary.click();
  const text = await page.locator('body').innerText();
  found.push(...expected.filter((words) => !text.includes(words)).map((words) => `missing: ${words}`));
  const { wanted, has } = await widths(page);
  if (wanted > has) found.push(`it is ${wanted} px wide in a window of ${has}`);
  found.push(...(await faint(page)));
  if (picture !== undefined) await page.screenshot({ path: picture, fullPage: true });
  await context.close();
  return found;
}

function widths(page: Page): Promise<{ wanted: number; has: number }> {
  return page.evaluate(() => {
    const { scrollWidth: wanted, clientWidth: has } = document.documentElement;
    return { wanted, has };
  });
}

/** Text that can hardly be read on its ground. */
async function faint(page: Page): Promise<string[]> {
  const worst = await page.evaluate(() => {
    const canvas = document.createElement('canvas').getContext('2d', { willReadFrequently: true });
    const rgba = (color: string): number[] => {
      if (!canvas) return [0, 0, 0, 255];
      canvas.clearRect(0, 0, 1, 1);
      canvas.fillStyle = color;
      canvas.fillRect(0, 0, 1, 1);
      return [...canvas.getImageData(0, 0, 1, 1).data];
    };
    const luminance = (color: number[]): number => {
      const [red = 0, green = 0, blue = 0] = color.slice(0, 3).map((value) => {
        const part = value / 255;
        return part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4;
      });
      return 0.2126 * red + 0.7152 * green + 0.0722 * blue;
    };
    const ground = (element: Element | null): number[] => {
      if (element === null)
        return matchMedia('(prefers-color-scheme: dark)').matches ? [18, 18, 18] : [255, 255, 255];
      const color = rgba(getComputedStyle(element).backgroundColor);
      return color[3] === 255 ? color : ground(element.parentElement);
    };
    return [...document.querySelectorAll('body *')]
      .filter((element) =>
        [...element.childNodes].some((node) => node.nodeType === 3 && node.textContent?.trim()),
      )
      .map((element) => {
        const [a = 0, b = 0] = [rgba(getComputedStyle(element).color), ground(element)]
          .map(luminance)
          .sort((x, y) => y - x);
        return { text: element.textContent.slice(0, 40), ratio: (a + 0.05) / (b + 0.05) };
      });
  });
  return worst
    .filter(({ ratio }) => ratio < CONTRAST)
    .map(({ text, ratio }) => `contrast ${ratio.toFixed(1)}: ${text}`);
}

/** Links of a page that lead nowhere. */
async function deadLinks(browser: Browser, { url }: Scene): Promise<string[]> {
  const page = await browser.newPage();
  await page.goto(`${url}/`);
  const links = await page.locator('a').evaluateAll((all) => all.map((a) => (a as HTMLAnchorElement).href));
  await page.close();
  const answers = await Promise.all(
    links.map(async (link) => {
      if (!link.startsWith(`${url}/`)) return [`a link leads away: ${link}`];
      const answer = await fetch(link);
      await answer.body?.cancel();
      // What a log does not take is said there, and a new one has published nothing.
      const fine = answer.ok || [503, 404].includes(answer.status);
      return fine ? [] : [`${link}: ${answer.status}`];
    }),
  );
  return answers.flat();
}

const { values } = parseArgs({ options: { screenshots: { type: 'string' } } });
const pictures = values.screenshots === undefined ? undefined : resolve(values.screenshots);
if (pictures !== undefined) mkdirSync(pictures, { recursive: true });
const stage = await setStage();
const browser = await chromium.launch({
  executablePath: process.env['CHROMIUM'] ?? '/usr/bin/chromium',
  // Its sandbox cannot be had by root, whom CI is; the pages are our own, on loopback.
  args: process.getuid?.() === 0 ? ['--no-sandbox'] : [],
});
let passed = 0;
let failed = 0;
const judge = (name: string, found: readonly string[]): void => {
  if (found.length === 0) passed++;
  else failed++;
  console.log(found.length === 0 ? `ok   ${name}` : `FAIL ${name}\n     ${found.join('\n     ')}`);
};
try {
  for (const scene of stage.scenes) {
    for (const width of WIDTHS) {
      for (const scheme of SCHEMES) {
        const name = `${scene.name}-${width}-${scheme}`;
        const picture = pictures === undefined ? undefined : join(pictures, `${name}.png`);
        judge(name, await faults(browser, scene, width, scheme, picture));
      }
    }
    judge(`${scene.name} links`, await deadLinks(browser, scene));
  }
} finally {
  await browser.close();
  await stage.close();
}
console.log(`${passed} passed, ${failed} failed`);
process.exitCode = failed === 0 ? 0 : 1;
