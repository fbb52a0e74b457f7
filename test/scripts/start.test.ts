import { COMPILER_THAT_TELLS, copyProject, type ProjectCopy } from './project-copy.js';

const BUILDING = 'Building Tidegate (first start, or the sources changed) …';
/** What runs in Node, then what runs in a browser. */
const COMPILED = ['compiled tsconfig.build.json', 'compiled phones'];
let project: ProjectCopy;

beforeEach(() => {
  project = copyProject();
  project.write('src/cli/main.ts', 'first');
});

afterEach(() => project.remove());

describe('npm start', () => {
  test('builds at the first start, runs the demo with its arguments, and builds no more', () => {
    project.write('node_modules/typescript/bin/tsc', COMPILER_THAT_TELLS);
    expect(project.run('start.mjs', ['--back-office'])).toEqual({
      status: 0,
      lines: [BUILDING, ...COMPILED, 'running demo --back-office'],
    });
    expect(project.run('start.mjs').lines).toEqual(['running demo']);
  });

  test('builds again when a source changed, and not when it was only touched', () => {
    project.write('node_modules/typescript/bin/tsc', COMPILER_THAT_TELLS);
    project.run('build.mjs');
    project.write('src/cli/main.ts', 'first');
    expect(project.run('start.mjs').lines).toEqual(['running demo']);
    project.write('src/cli/main.ts', 'second');
    expect(project.run('start.mjs').lines).toEqual(expect.arrayContaining(COMPILED));
  });

  test('says what to do when nothing is installed', () => {
    const { status, lines } = project.run('start.mjs');
    expect(status).toBe(1);
    expect(lines.at(-1)).toBe('tidegate: The packages are not installed yet: run `npm ci` first.');
  });

  test('stops with a sentence when the build fails, and tries again next time', () => {
    project.write('node_modules/typescript/bin/tsc', 'process.exit(2)');
    const { status, lines } = project.run('start.mjs');
    expect(status).toBe(1);
    expect(lines.at(-1)).toBe('tidegate: build: node_modules/typescript/bin/tsc failed');
    project.write('node_modules/typescript/bin/tsc', COMPILER_THAT_TELLS);
    expect(project.run('start.mjs').lines).toContain('running demo');
  });
});

describe('npm ci', () => {
  test('goes on without a build where the development packages are left out', () => {
    expect(project.run('build.mjs', ['--prepare']).status).toBe(0);
    expect(project.run('build.mjs').status).toBe(1);
  });

  test('removes what no source stands for any more', () => {
    project.write(
      'node_modules/typescript/bin/tsc',
      `${COMPILER_THAT_TELLS}; console.log(fs.readdirSync('dist/src'));`,
    );
    project.write('dist/src/gone.js', '');
    project.run('build.mjs');
    project.write('src/cli/main.ts', 'second');
    expect(project.run('build.mjs').lines).toContain("[ 'cli' ]");
  });
});
