import { copyProject, type ProjectCopy } from './project-copy.js';

const TOOLS = {
  format: 'node_modules/prettier/bin/prettier.cjs',
  build: 'node_modules/typescript/bin/tsc',
  lint: 'node_modules/eslint/bin/eslint.js',
  unused: 'node_modules/knip/bin/knip.js',
  jest: 'node_modules/jest/bin/jest.js',
};
const FAILS = 'process.exit(1)';
let project: ProjectCopy;

beforeEach(() => {
  project = copyProject();
  for (const tool of Object.values(TOOLS)) project.write(tool, '');
  project.write(TOOLS.build, `require('node:fs').mkdirSync('dist', { recursive: true });`);
  jestFinds({ numPassedTests: 7 });
});

afterEach(() => project.remove());

describe('npm test', () => {
  test('counts each check and each test in its last line', () => {
    const { status, lines } = project.run('test.mjs');
    expect(lines.at(-1)).toBe('12 passed, 0 failed');
    expect(status).toBe(0);
  });

  test('tells skipped tests apart', () => {
    jestFinds({ numPassedTests: 7, numPendingTests: 2 });
    expect(project.run('test.mjs').lines.at(-1)).toBe('12 passed, 0 failed, 2 skipped');
  });

  test('stops at the first check that fails', () => {
    project.write(TOOLS.lint, FAILS);
    const { status, lines } = project.run('test.mjs');
    expect(lines.at(-1)).toBe('3 passed, 1 failed');
    expect(lines.join('\n')).not.toContain('unused code');
    expect(status).toBe(1);
  });

  test.each([
    ['a test fails', { numPassedTests: 7, numFailedTests: 1 }, 1, '12 passed, 1 failed'],
    ['a file cannot be loaded', { numPassedTests: 7, numRuntimeErrorTestSuites: 1 }, 1, '12 passed, 1 failed'],
    ['no test was run', { numPassedTests: 0 }, 0, '5 passed, 1 failed'],
    ['jest itself fails', { numPassedTests: 7 }, 1, '12 passed, 1 failed'],
  ])('fails when %s', (_what, counts, exitCode, last) => {
    jestFinds(counts, exitCode);
    const { status, lines } = project.run('test.mjs');
    expect(lines.at(-1)).toBe(last);
    expect(status).toBe(1);
  });

  test('fails when jest leaves no result', () => {
    project.write(TOOLS.jest, FAILS);
    const { status, lines } = project.run('test.mjs');
    expect(lines).toContain('5 passed, 1 failed');
    expect(status).toBe(1);
  });
});

function jestFinds(counts: Readonly<Record<string, number>>, exitCode = 0): void {
  const none = {
    numPassedTests: 0,
    numFailedTests: 0,
    numPendingTests: 0,
    numTodoTests: 0,
    numRuntimeErrorTestSuites: 0,
  };
  project.write(
    TOOLS.jest,
    `const file = process.argv.find((word) => word.startsWith('--outputFile=')).slice(13);
     require('node:fs').writeFileSync(file, ${JSON.stringify(JSON.stringify({ ...none, ...counts }))});
     process.exit(${exitCode});`,
  );
}
