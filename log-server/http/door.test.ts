// Connections first, on turns of the event loop that the test owns.
import assert from 'node:assert/strict';
import { IncomingMessage, ServerResponse } from 'node:http';
import { Socket } from 'node:net';
import test from 'node:test';
import { Door } from './door.js';

/** A door, what was handled in its order, and the turn it waits for. */
function scene(): {
  door: Door;
  handled: number[];
  turn: () => boolean;
  ask: (i: number) => { end(): void };
} {
  const handled: number[] = [];
  const turns: (() => void)[] = [];
  const numbers = new Map<unknown, number>();
  const door = new Door(
    (request) => void handled.push(numbers.get(request) ?? -1),
    (next) => void turns.push(next),
  );
  return {
    door,
    handled,
    turn: () => {
      const next = turns.shift();
      next?.();
      return next !== undefined;
    },
    ask: (i) => {
      const request = new IncomingMessage(new Socket());
      numbers.set(request, i);
      door.enter(request, new ServerResponse(request));
      return { end: () => void request.socket.destroy() };
    },
  };
}

void test('requests wait while each turn brings a connection, then come in their order', () => {
  const { door, handled, turn, ask } = scene();
  ask(0);
  assert.deepEqual(handled, [0], 'nobody is at the door');
  door.opened();
  ask(1);
  assert.ok(turn());
  door.opened();
  ask(2).end();
  ask(3);
  assert.ok(turn());
  assert.deepEqual(handled, [0]);
  assert.ok(turn());
  assert.deepEqual(handled, [0, 1, 3], 'who has gone is not handled');
  assert.equal(turn(), false);
  ask(4);
  assert.deepEqual(handled, [0, 1, 3, 4]);
});

void test('who only opens connections keeps nobody waiting, and few requests wait', () => {
  const { door, handled, turn, ask } = scene();
  door.opened();
  ask(0);
  for (let turns = 0; handled.length === 0; turns++) {
    assert.ok(turns < 1000, 'expected a request to be handled within 1000 turns');
    door.opened();
    assert.ok(turn());
  }
  door.opened();
  for (let i = 1; handled.length === 1; i++) {
    assert.ok(i < 2000, 'expected at most 2000 requests to wait');
    ask(i);
  }
  assert.ok(turn());
});
