// Adam (Kingma & Ba, arXiv 1412.6980), with gradients clipped to a global norm.
import type { Parameter } from './model.js';

const BETA1 = 0.9;
const BETA2 = 0.99;
const EPSILON = 1e-8;

export class Adam {
  readonly #parameters: readonly Parameter[];
  /** First and second moments, by parameter: together with `steps` all that a resumed run needs. */
  readonly moments: { m: Float32Array; v: Float32Array }[];
  /** Steps taken. */
  steps = 0;
  #power1 = 1;
  #power2 = 1;

  constructor(parameters: readonly Parameter[]) {
    this.#parameters = parameters;
    this.moments = parameters.map((p) => ({
      m: new Float32Array(p.value.length),
      v: new Float32Array(p.value.length),
    }));
  }

  /** Sets the step count of a resumed run; beta^steps is multiplied out again, in the same order. */
  resume(steps: number): void {
    this.steps = steps;
    this.#power1 = 1;
    this.#power2 = 1;
    for (let i = 0; i < steps; i++) {
      this.#power1 *= BETA1;
      this.#power2 *= BETA2;
    }
  }

  /** One update; returns the gradient's norm before clipping. */
  step(rate: number, maxNorm: number): number {
    let square = 0;
    for (const { gradient } of this.#parameters) {
      for (let i = 0; i < gradient.length; i++) square += gradient[i] * gradient[i];
    }
    const norm = Math.sqrt(square);
    const scale = norm > maxNorm ? maxNorm / norm : 1;
    this.steps += 1;
    this.#power1 *= BETA1;
    this.#power2 *= BETA2;
    for (const [n, { value, gradient }] of this.#parameters.entries()) {
      const { m, v } = this.moments[n];
      for (let i = 0; i < value.length; i++) {
        const g = gradient[i] * scale;
        m[i] = BETA1 * m[i] + (1 - BETA1) * g;
        v[i] = BETA2 * v[i] + (1 - BETA2) * g * g;
        const mean = m[i] / (1 - this.#power1);
        const deviation = Math.sqrt(v[i] / (1 - this.#power2));
        value[i] -= (rate * mean) / (deviation + EPSILON);
      }
    }
    return norm;
  }
}
