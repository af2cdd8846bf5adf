// verdict: dialect eps_place='hat' | Adam in JavaScript, with epsilon beside the uncorrected root.
//
// The form of TensorFlow and Keras, and of the end of section 2 of the paper: one division less.
// A program that speaks the line protocol of docs/protocol.md, with Node.js alone. To check it:
//     arrayopt check --exec "node validation/candidates/adam_hat.js" --against adam
"use strict";

class Adam {
  constructor(params, { lr = 1e-3, beta1 = 0.9, beta2 = 0.999, eps = 1e-8 }) {
    this.params = params;
    this.hyper = { lr, beta1, beta2, eps };
    this.m = params.map((p) => p.map(() => 0));
    this.v = params.map((p) => p.map(() => 0));
    this.t = 0;
  }

  step(grads) {
    const { lr, beta1, beta2, eps } = this.hyper;
    this.t += 1;
    // both corrections in one number, so that eps is not divided by the second
    const rate = (lr * Math.sqrt(1 - beta2 ** this.t)) / (1 - beta1 ** this.t);
    for (const [k, p] of this.params.entries()) {
      const [m, v, g] = [this.m[k], this.v[k], grads[k]];
      for (let i = 0; i < p.length; i++) {
        m[i] = beta1 * m[i] + (1 - beta1) * g[i];
        v[i] = beta2 * v[i] + (1 - beta2) * g[i] * g[i];
        p[i] -= (rate * m[i]) / (Math.sqrt(v[i]) + eps);
      }
    }
  }
}

// JSON has no NaN, Infinity and -Infinity: they are strings, which Number() reads. JSON.stringify would write null,
// and 0 for -0.
const read = (lists) => lists.map((list) => list.map(Number));
const written = (x) => (Object.is(x, -0) ? "-0" : Number.isFinite(x) ? String(x) : `"${x}"`);
const lists = (arrays) => `[${arrays.map((a) => `[${a.map(written)}]`)}]`;

let adam;
const answers = {
  hello: () => ({ protocol: 1, name: "adam_hat.js", hyper: ["lr", "beta1", "beta2", "eps"], can: ["set", "save"] }),
  make: ({ params, hyper }) => {
    adam = new Adam(read(params.map((leaf) => leaf.data)), hyper);
    return {};
  },
  step: ({ grads }) => {
    adam.step(read(grads));
    return `{"params":${lists(adam.params)}}`;
  },
  set: ({ hyper }) => {
    Object.assign(adam.hyper, hyper);
    return {};
  },
  // a string of its own, which only load reads
  save: () => ({ state: `{"params":${lists(adam.params)},"m":${lists(adam.m)},"v":${lists(adam.v)},"t":${adam.t}}` }),
  load: ({ state }) => {
    const { params, m, v, t } = JSON.parse(state);
    Object.assign(adam, { params: read(params), m: read(m), v: read(v), t });
    return {};
  },
};

require("node:readline")
  .createInterface({ input: process.stdin })
  .on("line", (line) => {
    const request = JSON.parse(line);
    const answer = answers[request.op]?.(request) ?? { error: `unknown request ${request.op}` };
    console.log(typeof answer === "string" ? answer : JSON.stringify(answer));
  });
