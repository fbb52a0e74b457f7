/** Tests run as ES modules, compiled by swc: it keeps the decorators' metadata that TypeGraphQL reads. */
export default {
  testEnvironment: 'node',
  testSequencer: '<rootDir>/scripts/longest-first.mjs',
  testMatch: ['<rootDir>/test/**/*.test.ts'],
  extensionsToTreatAsEsm: ['.ts'],
  moduleFileExtensions: ['ts', 'js', 'mjs', 'cjs', 'json', 'node'],
  // Sources name their imports as they run (`./feed.js`); where there is no such file, it is the .ts beside it.
  moduleNameMapper: { '^(\\.{1,2}/.*)\\.js$': ['$1.js', '$1.ts'] },
  transform: {
    '\\.ts$': [
      '@swc/jest',
      {
        swcrc: false,
        module: { type: 'es6' },
        jsc: {
          target: 'es2022',
          parser: { syntax: 'typescript', decorators: true },
          transform: { legacyDecorator: true, decoratorMetadata: true, useDefineForClassFields: false },
          keepClassNames: true,
        },
        sourceMaps: 'inline',
      },
    ],
  },
  modulePathIgnorePatterns: ['<rootDir>/dist/'],
  maxWorkers: 2,
  // Module graphs of the ESM runner are not freed between files: a worker starts anew past this.
  workerIdleMemoryLimit: '1GB',
  // A limit for what hangs, not for what is slow: the machine may be busy.
  testTimeout: 300_000,
};
