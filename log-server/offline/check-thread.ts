// A further thread of a full check: takes full bundles from the end on, until none is left.
import { workerData } from 'node:worker_threads';
import { type Job, fromTheEnd } from './full-tiles.js';

fromTheEnd(workerData as Job);
