// What loops sleep on.
import assert from 'node:assert/strict';
import test from 'node:test';
import { News } from './signal.js';

test('who listens for news hears of the next, and nothing is kept of who has gone', async () => {
  const news = new News();
  const here = new AbortController();
  const gone = new AbortController();
  const first = news.next(here.signal);
  const second = news.next(gone.signal);
  assert.equal(news.waiting, 2);
  gone.abort();
  await second;
  assert.equal(news.waiting, 1, 'a reader that went away costs nothing until there is news');
  await news.next(gone.signal);
  assert.equal(news.waiting, 1);
  news.tell();
  await first;
  assert.equal(news.waiting, 0);
});
